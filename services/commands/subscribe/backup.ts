/** `hookwatch subscribe backup`: Simple Backup has no API for its webhooks; what is pasted where is printed instead. */
import { ConfigError } from '../../config.ts';
import { type Options, publicUrlOf, type SubscribeContext } from './context.ts';
import { endpointsOf, placeOf, urlOf } from './targets.ts';
import { addConfigured, addGiven, createKnownTokens } from './tokens.ts';

export interface BackupOptions extends Options {
  account?: string | undefined;
  tokens?: string | undefined;
  'show-urls': boolean;
}

/** The events that its menu lists; one URL takes them all, for their bodies say what they are. */
const events = ['Backup Failure', 'Backup Partial Success', 'Missing Backups', 'Backup Success'];

/** Resolves to the exit code. */
export function subscribeBackup(options: BackupOptions, context: SubscribeContext): number {
  const { out = process.stdout, nowMs = Date.now } = context;
  const publicUrl = publicUrlOf(context);
  const known = endpointsOf(context.tenants, 'backup');
  const account = options.account?.toUpperCase();
  const wanted = known.filter(({ endpoint }) => account === undefined || endpoint.account.toUpperCase() === account);
  if (wanted.length === 0)
    throw new ConfigError(`Cannot say what to paste: no endpoint is for backup${account ? ` of ${account}` : ''}`);
  const tokens = createKnownTokens(known, nowMs());
  addConfigured(tokens, known, context.configFolder);
  if (options.tokens) addGiven(tokens, known, options.tokens);
  const urls = wanted.map((one) => {
    const token = options['show-urls'] ? tokens.of(one) : undefined;
    return { endpoint: placeOf(one), account: one.endpoint.account, url: token && urlOf(publicUrl, token) };
  });
  const complete = !options['show-urls'] || urls.every(({ url }) => url !== undefined);
  if (options.json) out.write(`${JSON.stringify({ complete, events, endpoints: urls })}\n`);
  else {
    const lines = urls.map(({ endpoint, account: owner, url }) => {
      const place = url ?? `${publicUrl}/in/<token of ${endpoint}>`;
      return `  account ${owner} (${endpoint})\n    ${place}`;
    });
    const hint = options['show-urls']
      ? 'A URL holds the token: it is all that protects the endpoint.'
      : '--show-urls prints the URLs with their tokens, where those are known (tokenFile, or --tokens).';
    out.write(
      `Simple Backup has no API for its webhooks. In its UI, menu Webhooks, set as the target URL of\n` +
        `  ${events.join(', ')}\n${lines.join('\n')}\n${hint}\n`,
    );
    if (!complete) out.write('The tokens of the others are not known: give them by --tokens.\n');
  }
  return complete ? 0 : 1;
}
