/** `hookwatch reconcile`: compares accounts with what the provider's API shows; once, or for as long as it runs. */
import { parseArgs } from 'node:util';
import type { Logger } from 'pino';
import { explain } from '../commands/failures.ts';
import type { InstallationUrls } from '../installation.ts';
import type { CenturylinkOptions } from '../ports/provider-api/centurylink.ts';
import type { ReconcileMetrics } from '../telemetry.ts';
import { observe, observeAttempt, observeFailure, observeMemory } from './observation.ts';
import { describe, type Report } from './report.ts';
import { keepComparing } from './schedule.ts';
import { lastCompared, reconciledProvider, reconcileTenant, type TenantOptions } from './tenant.ts';

export const reconcileUsage = `Usage: npm run hookwatch -- reconcile [options]

Compares what the lanes know of CenturyLink Cloud's accounts and servers with what its API shows, and tells the lanes
what no webhook has told: creations, changes and deletions that were missed. Nothing at the provider is changed.

  --every 24h       goes on until SIGTERM, and compares so often (s, m or h)
  --once            compares once: what it does without --every
  --tenant NAME     only this tenant
  --account ALIAS   only this account; may be given several times
  --settle 30s      how long a webhook may be on its way, longer where endpoints are slow
  --all-deletions   claims deletions however many there are at once
  --dry-run         tells what it would tell the lanes, and tells them nothing
  --json            reports in JSON
  --port-offset N   as given to npm start
  --help            this text

Credentials: HOOKWATCH_CLC_USERNAME and HOOKWATCH_CLC_PASSWORD_FILE. What was interrupted is gone on with.

Exit code: 0 all accounts were compared, 1 some were not (it says why), 2 wrong usage.
`;

export interface ReconcileContext {
  /** Asked before each comparison: workers come and go. */
  urls(): Promise<InstallationUrls>;
  tenants: readonly { name: string; roots: readonly string[] }[];
  dataFolder: string;
  api: CenturylinkOptions;
  /** Of the part that keeps running. */
  metrics: ReconcileMetrics;
  logger: Logger;
  /** Opens the port at which the process that keeps running can be asked; it is ready while `troubles` is empty. */
  serveStatus(troubles: () => string[]): Promise<{ close(): Promise<void> }>;
  /** Aborted when the process is asked to end. */
  signal: AbortSignal;
  laneLimits?: TenantOptions['laneLimits'];
  out?: { write(text: string): void };
  error?: { write(text: string): void };
}

interface Wanted {
  everyMs: number | undefined;
  json: boolean;
  options: Pick<TenantOptions, 'only' | 'allDeletions' | 'dryRun' | 'settleMs'>;
  tenants: ReconcileContext['tenants'];
}

/** Resolves to the exit code. */
export async function reconcileCommand(args: string[], contextOf: () => Promise<ReconcileContext>): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      every: { type: 'string' },
      once: { type: 'boolean', default: false },
      tenant: { type: 'string' },
      account: { type: 'string', multiple: true },
      settle: { type: 'string', default: '30s' },
      'all-deletions': { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      'port-offset': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(reconcileUsage);
    return 0;
  }
  const everyMs = values.every === undefined ? undefined : parseDuration(values.every, 60_000);
  const settleMs = parseDuration(values.settle, 0);
  const context = await contextOf();
  const { error = process.stderr } = context;
  const tenants = tenantsOf(context, values.tenant);
  const fault = faultOf(values, everyMs, settleMs, tenants);
  if (fault) {
    error.write(`${fault}\n\n${reconcileUsage}`);
    return 2;
  }
  const wanted: Wanted = {
    everyMs: everyMs ?? undefined,
    json: values.json,
    options: {
      ...(values.account && { only: values.account.map((alias) => `${reconciledProvider}:${alias.toUpperCase()}`) }),
      allDeletions: values['all-deletions'],
      dryRun: values['dry-run'],
      settleMs: settleMs ?? undefined,
    },
    tenants,
  };
  return everyMs === undefined ? compareOnce(wanted, context) : keepRunning(wanted, context);
}

/** Those that have accounts at the provider. */
function tenantsOf({ tenants }: ReconcileContext, name: string | undefined): ReconcileContext['tenants'] {
  return tenants.filter(
    (tenant) =>
      (name === undefined || tenant.name === name) &&
      tenant.roots.some((root) => root.startsWith(`${reconciledProvider}:`)),
  );
}

interface Values {
  once: boolean;
  account?: string[] | undefined;
  'all-deletions': boolean;
  'dry-run': boolean;
  every?: string | undefined;
  settle: string;
  tenant?: string | undefined;
}

function faultOf(
  values: Values,
  everyMs: number | undefined | null,
  settleMs: number | null,
  tenants: readonly unknown[],
): string | undefined {
  if (everyMs === null) return `Cannot compare every ${values.every}: give a number and s, m or h, for example 24h`;
  if (settleMs === null) return `Cannot wait for ${values.settle}: give a number and s, m or h, for example 30s`;
  if (values.every !== undefined && (values.once || values.account || values['dry-run'] || values['all-deletions'])) {
    return '--every goes with --tenant alone';
  }
  if (values.account?.some((alias) => !/^[\w.@+-]{1,128}$/.test(alias))) return '--account must be an account alias';
  if (tenants.length === 0) {
    const whose = values.tenant === undefined ? 'no tenant' : `no tenant ${values.tenant}`;
    return `There is ${whose} with a root account at CenturyLink Cloud in hookwatch.yaml`;
  }
  if (values.account && tenants.length > 1) return '--account needs --tenant: there are several';
  return undefined;
}

/** Null where it is none, or too short. */
function parseDuration(text: string, leastMs: number): number | null {
  const [, number, unit] = /^(\d{1,6})(s|m|h)$/.exec(text) ?? [];
  const durationMs = Number(number) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h'];
  return durationMs >= leastMs ? durationMs : null;
}

async function compareOnce({ json, options, tenants }: Wanted, context: ReconcileContext): Promise<number> {
  const { out = process.stdout, error = process.stderr } = context;
  const reports: Report[] = [];
  let failures = 0;
  for (const { name, roots } of tenants) {
    const onStep = (text: string) => error.write(`${name}: ${text}\n`);
    try {
      const report = await reconcileTenant({
        ...context,
        ...(await context.urls()),
        ...options,
        tenant: name,
        roots,
        onStep,
      });
      reports.push(report);
      if (!report.complete) failures++;
      if (!json) out.write(describe(report));
    } catch (failure) {
      error.write(`${name}: failed: ${explain(failure)}\n`);
      failures++;
    }
  }
  if (json) out.write(`${JSON.stringify(reports, null, 2)}\n`);
  return failures === 0 ? 0 : 1;
}

async function keepRunning({ everyMs = 0, options, tenants }: Wanted, context: ReconcileContext): Promise<number> {
  const { metrics, logger, dataFolder, signal } = context;
  const troubles = new Map<string, string>();
  const api = { ...context.api, onAttempt: observeAttempt(metrics, reconciledProvider) };
  const status = await context.serveStatus(() =>
    [...troubles].map(([tenant, trouble]) => `reconcile: ${tenant}: ${trouble}`),
  );
  const ofTenant = async ({ name: tenant, roots }: (typeof tenants)[number]) => {
    observeMemory(metrics, tenant, lastCompared(dataFolder, tenant));
    await keepComparing({
      everyMs,
      lastMs: () => lastCompared(dataFolder, tenant),
      async compare() {
        const onStep = (text: string) => logger.info({ tenant }, text);
        const report = await reconcileTenant({
          ...context,
          ...(await context.urls()),
          ...options,
          api,
          tenant,
          roots,
          onStep,
        });
        observe(metrics, report);
        troubles.delete(tenant);
        const { claims, ...summary } = report;
        logger.info({ report: { ...summary, accounts: summary.accounts.length } }, 'compared');
        if (!report.complete) troubles.set(tenant, 'some accounts were not compared; the log says which');
        return report.complete;
      },
      onFailure(message) {
        observeFailure(metrics, tenant);
        troubles.set(tenant, message);
        logger.error({ tenant }, message);
      },
      nowMs: Date.now,
      signal,
    });
  };
  // One after the other would let one tenant's API hold up all others'.
  await Promise.all(tenants.map(ofTenant));
  await status.close();
  return 0;
}
