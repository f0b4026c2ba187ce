/** `hookwatch subscribe citrix`: brings a customer's subscriptions at Citrix Cloud to what the endpoints want; lists and removes them. */
import { providers } from '../../core/providers/providers.ts';
import { ConfigError } from '../../mistakes.ts';
import {
  type CitrixSubscriptions,
  createCitrixSubscriptions,
  type Subscription,
} from '../../ports/provider-api/citrix.ts';
import { type CitrixPlan, type CitrixWanted, describeCitrix, planCitrix } from './citrix-plan.ts';
import { confirm, type Options, publicUrlOf, type SubscribeContext, writeLines } from './context.ts';
import { endpointsOf, type KnownEndpoint, maskUri, readTarget } from './targets.ts';
import { addConfigured, addGiven, createKnownTokens } from './tokens.ts';

export interface CitrixOptions extends Options {
  customer?: string | undefined;
  tokens?: string | undefined;
  'change-type': string;
  'event-type': string;
  list: boolean;
  delete?: string | undefined;
  force: boolean;
}

/** Resolves to the exit code. */
export async function subscribeCitrix(options: CitrixOptions, context: SubscribeContext): Promise<number> {
  const { providerApis, tokenFolder, limits } = context;
  const { customer } = options;
  const provider = providers.get('citrix')!;
  if (customer === undefined) throw new ConfigError('Cannot subscribe: give --customer ID');
  if (!provider.accountPattern.test(customer)) throw new ConfigError(`Cannot subscribe: ${customer} is no customer ID`);
  const { baseUrl, trustUrl, credentials } = providerApis.citrix;
  const known = endpointsOf(context.tenants, 'citrix');
  const wanted =
    options.list || options.delete ? undefined : wantedOf(provider.canonicalAccount(customer), known, options, context);
  const login = { customer, credentials: credentials(), baseUrl, trustUrl };
  const api = createCitrixSubscriptions({ ...login, tokenFolder, limits });
  try {
    if (options.list) return await list(api, options, context);
    if (options.delete) return await remove(options.delete, known, api, options, context);
    return await bring(customer, wanted!, api, options, context);
  } finally {
    api.close();
  }
}

function wantedOf(
  account: string,
  known: readonly KnownEndpoint[],
  options: CitrixOptions,
  context: SubscribeContext,
): CitrixWanted {
  if (!known.some(({ endpoint }) => endpoint.account === account)) {
    throw new ConfigError(`Cannot subscribe: no endpoint is for customer ${account} of citrix`);
  }
  const nowMs = (context.nowMs ?? Date.now)();
  const tokens = createKnownTokens(known, nowMs);
  addConfigured(tokens, known, context.configFolder);
  if (options.tokens) addGiven(tokens, known, options.tokens);
  const { 'change-type': changeType, 'event-type': eventType } = options;
  return { account, publicUrl: publicUrlOf(context), known, tokens, changeType, eventType, nowMs };
}

async function bring(
  customer: string,
  wanted: CitrixWanted,
  api: CitrixSubscriptions,
  options: CitrixOptions,
  context: SubscribeContext,
): Promise<number> {
  const { out = process.stdout } = context;
  const say = (lines: string[]) => options.json || writeLines(context, lines);
  const plan = planCitrix(await api.list(), wanted);
  const changes = plan.create.length + plan.remove.length;
  say([`Customer ${customer} at Citrix Cloud`, ...describeCitrix(plan)]);
  const finish = (last: CitrixPlan, applied: boolean) => {
    const complete = last.problems.length + last.create.length + last.remove.length === 0;
    if (options.json) out.write(`${JSON.stringify({ customer, applied, complete, ...reportOf(last) })}\n`);
    return complete;
  };
  if (options['dry-run'] || changes === 0) {
    const complete = finish(plan, false);
    if (complete) say(['Nothing to do.']);
    return plan.problems.length > 0 ? 1 : 0;
  }
  const question = `Create ${plan.create.length} and remove ${plan.remove.length} subscriptions?`;
  if (!(await confirm(question, options, context))) return 1;
  // First what is new: at no time nobody is called. Twice is harmless, the flow sees the repeat.
  for (const { request } of plan.create) await api.create(request);
  for (const { subscription } of plan.remove) await api.remove(subscription.id);
  const after = planCitrix(await api.list(), wanted);
  const complete = finish(after, true);
  say(
    complete
      ? ['Done, and the provider shows it so.']
      : ['The provider does not show what it was asked for:', ...describeCitrix(after)],
  );
  return complete ? 0 : 1;
}

async function list(api: CitrixSubscriptions, { json }: Options, context: SubscribeContext) {
  const { out = process.stdout } = context;
  const found = await api.list();
  if (json) out.write(`${JSON.stringify(found.map(withoutSecrets))}\n`);
  else {
    const lines = found.map(({ id, eventType, changeType, url, description, createdBy, authHeaders }) =>
      [id, `${eventType}/${changeType}`, maskUri(url), authHeaders ? 'secret' : 'no secret', createdBy, description]
        .filter(Boolean)
        .join('  '),
    );
    writeLines(context, lines.length === 0 ? ['There are no subscriptions.'] : lines);
  }
  return 0;
}

async function remove(
  id: string,
  known: readonly KnownEndpoint[],
  api: CitrixSubscriptions,
  options: CitrixOptions,
  context: SubscribeContext,
): Promise<number> {
  const { out = process.stdout, nowMs = Date.now } = context;
  const report = (removed: boolean, line: string) => {
    if (options.json) out.write(`${JSON.stringify({ id, removed })}\n`);
    else writeLines(context, [line]);
    return 0;
  };
  const subscription = (await api.list()).find((one) => one.id === id);
  if (!subscription) return report(false, `There is no subscription ${id}.`);
  const ours = readTarget(subscription.url, publicUrlOf(context), known, nowMs()).kind === 'ours';
  const shown = `${id} (${maskUri(subscription.url)})`;
  if (!ours && !options.force) {
    throw new ConfigError(`Cannot remove ${shown}: it does not lead here. --force removes it.`);
  }
  if (options['dry-run']) return report(false, `Would remove ${shown}.`);
  if (!(await confirm(`Remove ${shown}?`, options, context))) return 1;
  return report(await api.remove(id), `Removed ${shown}.`);
}

function reportOf({ create, remove, keep, problems }: CitrixPlan) {
  const shown = ({ subscription, why }: CitrixPlan['keep'][number]) => ({ ...withoutSecrets(subscription), why });
  return {
    create: create.map(({ place, request: { url, authHeaders, ...rest } }) => ({
      ...rest,
      url: maskUri(url),
      endpoint: place,
      secret: authHeaders !== undefined,
    })),
    remove: remove.map(shown),
    keep: keep.map(shown),
    problems,
  };
}

/** Every field that the provider shows, whatever it is, but for the URL's token and the secret, wherever they stand. */
function withoutSecrets(subscription: Subscription): Record<string, unknown> {
  const { url, authHeaders } = subscription;
  const clean = (value: unknown): unknown => {
    if (typeof value === 'string') {
      const masked = value.replaceAll(url, maskUri(url));
      return authHeaders ? masked.replaceAll(authHeaders, '…') : masked;
    }
    if (Array.isArray(value)) return value.map(clean);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, clean(inner)]));
  };
  return clean(subscription) as Record<string, unknown>;
}
