/** `hookwatch subscribe`: has providers call the endpoints. */
import { parseArgs } from 'node:util';
import { ConfigError } from '../../mistakes.ts';
import { explain } from '../failures.ts';
import { subscribeBackup } from './backup.ts';
import { subscribeCenturylink } from './centurylink.ts';
import { subscribeCitrix } from './citrix.ts';
import { askAtTerminal, type SubscribeContext } from './context.ts';

export const subscribeUsage = `Usage: npm run hookwatch -- subscribe clc --account ALIAS [options]
       npm run hookwatch -- subscribe citrix --customer ID [options]
       npm run hookwatch -- subscribe backup [options]

Has a provider call the endpoints of hookwatch.yaml and of \`hookwatch endpoints\` at HOOKWATCH_PUBLIC_URL. Shows what
differs from what the provider has, asks, changes that and nothing else, and looks whether the provider shows it so.
Once all is as wanted, doing it again changes nothing. Targets that do not lead here are left alone.

  --dry-run         shows what differs, and changes nothing
  --yes             does not ask
  --json            one JSON object, without tokens and secrets
  --tokens FILE     lines "<endpoint> <token or URL>", or what \`hookwatch endpoints add --json\` printed; - is standard
                    input; of a folder, the files that are named as endpoints (endpoints add --token-file). Hookwatch
                    keeps tokens hashed: that of an endpoint which the provider does not call yet comes from here, or
                    from the tokenFile of hookwatch.yaml
  --port-offset N   as given to npm start
  --help            this text

clc (CenturyLink Cloud; HOOKWATCH_CLC_USERNAME, HOOKWATCH_CLC_PASSWORD_FILE)
  --account ALIAS   account whose webhooks are configured
  --replace         removes targets that do not lead here, too
  --set-recursive   changes "include sub-accounts" although others are called by the same configuration

citrix (Citrix Cloud; HOOKWATCH_CITRIX_CLIENT_ID, HOOKWATCH_CITRIX_CLIENT_SECRET_FILE or HOOKWATCH_CITRIX_TOKEN_FILE)
  --customer ID     customer whose events are subscribed to
  --event-type T    only events of this type (Administrator, Notifications, ...); default: *
  --change-type T   only changes of this type (Create, Update, Delete, Login, ...); default: *
  --list            lists all subscriptions of the customer
  --delete ID       removes one; with --force also one that does not lead here

backup (Simple Backup, which has no API for this)
  --account ALIAS   only endpoints of this account
  --show-urls       prints URLs with their tokens, to be pasted

Exit code: 0 the provider has what is wanted (or nothing was to be changed yet: --dry-run), 1 it has not, 2 wrong usage.
`;

const flag = { type: 'boolean', default: false } as const;
const text = { type: 'string' } as const;
const options = { 'dry-run': flag, yes: flag, json: flag, tokens: text, 'port-offset': text } as const;
const centurylinkOptions = { ...options, account: text, replace: flag, 'set-recursive': flag } as const;
const citrixOptions = {
  ...options,
  customer: text,
  'event-type': { type: 'string', default: '*' },
  'change-type': { type: 'string', default: '*' },
  list: flag,
  delete: text,
  force: flag,
} as const;
const backupOptions = { ...options, account: text, 'show-urls': flag } as const;

/** Resolves to the exit code. @throws ConfigError, or what `parseArgs` throws, where it was called wrongly */
export async function subscribeCommand(args: string[], context: SubscribeContext): Promise<number> {
  const [provider = '', ...rest] = args;
  const asking = { ask: askAtTerminal(), ...context };
  try {
    if (provider === 'clc') {
      return await subscribeCenturylink(parseArgs({ args: rest, options: centurylinkOptions }).values, asking);
    }
    if (provider === 'citrix')
      return await subscribeCitrix(parseArgs({ args: rest, options: citrixOptions }).values, asking);
    if (provider === 'backup') return subscribeBackup(parseArgs({ args: rest, options: backupOptions }).values, asking);
  } catch (error) {
    if (error instanceof ConfigError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS'))
      throw error;
    (context.error ?? process.stderr).write(`${explain(error)}\n`);
    return 1;
  }
  throw new ConfigError(
    `Cannot subscribe at ${provider || 'nobody'}: it must be one of clc, citrix and backup\n\n${subscribeUsage}`,
  );
}
