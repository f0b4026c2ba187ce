/** `hookwatch subscribe clc`: brings the webhooks of an account at CenturyLink Cloud to what the endpoints want. */
import { providers } from '../../core/providers/providers.ts';
import { ConfigError } from '../../mistakes.ts';
import { type CenturylinkWebhooks, createCenturylinkApi } from '../../ports/provider-api/centurylink.ts';
import { describePlan, type EventPlan, planCenturylink, stepsOf } from './centurylink-plan.ts';
import { confirm, type Options, publicUrlOf, type SubscribeContext, writeLines } from './context.ts';
import { endpointsOf, maskUri } from './targets.ts';
import { addConfigured, addGiven, createKnownTokens } from './tokens.ts';

export interface CenturylinkOptions extends Options {
  account?: string | undefined;
  tokens?: string | undefined;
  replace: boolean;
  'set-recursive': boolean;
}

/** Resolves to the exit code. */
export async function subscribeCenturylink(options: CenturylinkOptions, context: SubscribeContext): Promise<number> {
  const { providerApis, tokenFolder, limits, out = process.stdout } = context;
  const account = accountOf(options.account);
  const planOf = createPlanner(account, options, context);
  const { baseUrl, credentials } = providerApis.centurylink;
  const api = createCenturylinkApi({ baseUrl, ...credentials(), tokenFolder, limits });
  try {
    const plans = planOf(await api.webhooks.list(account));
    const open = plans.filter(({ done, problems }) => !done && problems.length === 0);
    const report = (after: readonly EventPlan[], applied: boolean) => {
      if (options.json) out.write(`${JSON.stringify(reportOf(account, after, applied))}\n`);
      return after.every(({ done }) => done) ? 0 : 1;
    };
    if (!options.json) writeLines(context, [`Account ${account} at ${api.host}`, ...describePlan(plans)]);
    const incomplete = plans.some(({ problems }) => problems.length > 0);
    if (options['dry-run']) {
      report(plans, false);
      return incomplete ? 1 : 0;
    }
    if (open.length === 0) {
      if (!options.json && !incomplete) writeLines(context, ['Nothing to do.']);
      return report(plans, false);
    }
    const question = `Change ${open.length} of ${plans.length} events of account ${account}?`;
    if (!(await confirm(question, options, context))) return 1;
    // Between the question and the answer somebody else may have been there.
    const now = planOf(await api.webhooks.list(account));
    if (JSON.stringify(now) !== JSON.stringify(plans)) throw new ChangedMeanwhileError(account);
    for (const plan of open) await apply(plan, account, api.webhooks);
    const after = planOf(await api.webhooks.list(account));
    if (!options.json) writeLines(context, describeOutcome(after, open));
    return report(after, true);
  } finally {
    api.close();
  }
}

/** What was shown is not what is there. A retry shows it anew. */
class ChangedMeanwhileError extends Error {
  readonly code = 'CHANGED_MEANWHILE';

  constructor(account: string) {
    super(`Cannot go on: the webhooks of ${account} have changed since they were shown. Nothing was done; look again.`);
  }
}

function accountOf(given: string | undefined): string {
  const provider = providers.get('centurylink')!;
  if (given === undefined) throw new ConfigError('Cannot subscribe: give --account ALIAS');
  if (!provider.accountPattern.test(given)) throw new ConfigError(`Cannot subscribe: ${given} is no account alias`);
  return provider.canonicalAccount(given);
}

function createPlanner(account: string, options: CenturylinkOptions, context: SubscribeContext) {
  const nowMs = (context.nowMs ?? Date.now)();
  const known = endpointsOf(context.tenants, 'centurylink');
  if (!known.some(({ endpoint }) => endpoint.account === account)) {
    const accounts = [...new Set(known.map(({ endpoint }) => endpoint.account))].sort();
    throw new ConfigError(
      `Cannot subscribe: no endpoint is for account ${account}; there are some for ${accounts.join(', ') || 'none'}`,
    );
  }
  const tokens = createKnownTokens(known, nowMs);
  addConfigured(tokens, known, context.configFolder);
  if (options.tokens) addGiven(tokens, known, options.tokens);
  const { replace, 'set-recursive': setRecursive } = options;
  const wanted = { account, publicUrl: publicUrlOf(context), known, tokens, replace, setRecursive, nowMs };
  return (webhooks: Parameters<typeof planCenturylink>[0]) => planCenturylink(webhooks, wanted);
}

async function apply(plan: EventPlan, account: string, webhooks: CenturylinkWebhooks): Promise<void> {
  for (const step of stepsOf(plan)) {
    if (step.do === 'set') await webhooks.set(account, plan.event, step.configuration);
    else if (step.do === 'add') await webhooks.addTarget(account, plan.event, step.uri);
    else await webhooks.removeTarget(account, plan.event, step.uri);
  }
}

function describeOutcome(after: readonly EventPlan[], changed: readonly EventPlan[]): string[] {
  const names = new Set(changed.map(({ event }) => event));
  const left = after.filter(({ event, done }) => names.has(event) && !done);
  if (left.length === 0) return [`Done: ${changed.length} events changed, and the provider shows them so.`];
  return ['The provider does not show what it was asked for:', ...describePlan(left)];
}

function reportOf(account: string, plans: readonly EventPlan[], applied: boolean) {
  return {
    account,
    applied,
    complete: plans.every(({ done }) => done),
    events: plans.map(({ targets, ...plan }) => ({
      ...plan,
      targets: targets.map(({ uri, ...rest }) => ({ target: maskUri(uri), ...rest })),
    })),
  };
}
