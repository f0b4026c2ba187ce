/** What the edges and ClickHouse say: who listens to what, and what has come in. */
import type { Config, TenantConfig } from '../../config.ts';
import { hashEndpoints } from '../../endpoints-file.ts';
import type { SqlWarehouse } from '../../ports/warehouse/warehouse.ts';
import { askEdges } from '../endpoints/edges.ts';
import { explain } from '../failures.ts';
import { type Finding, findingsOf } from './finding.ts';
import { reasonOf } from './probe.ts';

const answerMsMax = 5_000;
/** CenturyLink says: compare daily. Half a day is for a run that was late. */
const reconciledHoursMax = 36;

export function checkSettings(
  { tenants, kafka }: Pick<Config, 'tenants' | 'kafka'>,
  publicUrl: string | undefined,
): Finding[] {
  const { ok, warn, fail } = findingsOf('settings');
  const endpoints = tenants.reduce((sum, tenant) => sum + tenant.endpoints.length, 0);
  const demos = tenants.filter(({ demo }) => demo).map(({ name }) => name);
  const over = kafka ? ', over Kafka' : '';
  return [
    ok(`${tenants.length} tenants with ${endpoints} endpoints${over}`),
    ...(endpoints > 0
      ? []
      : [fail('nothing is listened to', 'Add endpoints: `hookwatch endpoints add`, or hookwatch.yaml.')]),
    ...(demos.length === 0
      ? []
      : [
          warn(
            `demo: ${demos.join(', ')} trusts the simulator's key and has tokens in plain`,
            'Take `demo` out of a real tenant.',
          ),
        ]),
    ...(publicUrl
      ? []
      : [
          warn(
            'HOOKWATCH_PUBLIC_URL is not set',
            'Set it, for example to https://hooks.example.com: name, port and certificate were not looked at.',
          ),
        ]),
  ];
}

/** Every edge takes deliveries, and listens to what the files say now. */
export async function checkEdges(urls: readonly string[], tenants: readonly TenantConfig[]): Promise<Finding[]> {
  const { ok, warn, fail } = findingsOf('edges');
  const reports = await askEdges(urls, hashEndpoints(tenants));
  const findings = await Promise.all(
    reports.map(async ({ url, ready, problem, remarks }) => {
      const refusal = await refusalOf(url);
      if (refusal) return [fail(`${url}: ${refusal}`, 'Start it (npm start), or see docs/runbooks/edge-not-ready.md.')];
      const listens = ready
        ? [ok(`${url}: ready, with the endpoints as they are configured`)]
        : [
            warn(
              `${url}: ready, but of the endpoints ${problem}`,
              'SIGHUP makes it read hookwatch.yaml again; see its log.',
            ),
          ];
      return [...listens, ...remarks.map((remark) => warn(`${url}: ${remark}`, 'See its log.'))];
    }),
  );
  return findings.flat();
}

async function refusalOf(url: string): Promise<string> {
  try {
    const answer = await fetch(new URL('/readyz', url), {
      redirect: 'error',
      signal: AbortSignal.timeout(answerMsMax),
    });
    const text = await answer.text();
    return answer.ok ? '' : `not ready: ${text.trim().slice(0, 200)}`;
  } catch (error) {
    return `it does not answer: ${reasonOf((error as Error).cause ?? error)}`;
  }
}

interface DeliveryRow {
  tenant: string;
  endpoint: string;
  /** Of those that were not rejected. */
  last: string;
  all: number;
  rejected: number;
  reason: string;
}

const deliveriesSql = `SELECT tenant, endpoint, toString(maxIf(received_at, verdict != 'rejected')) AS last,
  count() AS all, countIf(verdict = 'rejected') AS rejected, anyIf(verdict_reason, verdict = 'rejected') AS reason
FROM hookwatch.deliveries WHERE origin = 'webhook' GROUP BY tenant, endpoint`;

/** Whether every endpoint was called yet, and by somebody whose deliveries verify. */
export async function checkDeliveries(warehouse: SqlWarehouse, tenants: readonly TenantConfig[]): Promise<Finding[]> {
  const { ok, warn, fail } = findingsOf('deliveries');
  let rows: DeliveryRow[];
  try {
    rows = await warehouse.query<DeliveryRow>(deliveriesSql);
  } catch (error) {
    return [fail(`ClickHouse was not asked: ${explain(error)}`, 'See that it runs (npm start), and CLICKHOUSE_URL.')];
  }
  const byPlace = new Map(rows.map((row) => [`${row.tenant}/${row.endpoint}`, row]));
  const places = tenants.flatMap(({ name, endpoints }) => endpoints.map((endpoint) => `${name}/${endpoint.name}`));
  const silent = places.filter((place) => !byPlace.has(place));
  const called = places.flatMap((place) => byPlace.get(place) ?? []);
  const refused = called.filter(({ all, rejected }) => all === rejected);
  const taken = called.filter((row) => !refused.includes(row));
  const last = taken
    .map((row) => row.last)
    .sort()
    .at(-1);
  return [
    ...(taken.length > 0 ? [ok(`${taken.length} of ${places.length} endpoints were called, last at ${last} UTC`)] : []),
    ...refused.map(({ tenant, endpoint, all, reason }) =>
      fail(
        `${tenant}/${endpoint}: all ${all} deliveries were rejected: ${reason}`,
        'See that the key or secret is the provider’s.',
      ),
    ),
    ...(silent.length === 0
      ? []
      : [
          warn(
            `never called yet: ${silent.join(', ')}`,
            'See that they are registered (hookwatch subscribe), and cause such an event there.',
          ),
        ]),
  ];
}

interface ReconciliationRow {
  account: string;
  last: string | null;
  hours: number;
}

const reconciliationSql = `SELECT account, toString(max(completed_at)) AS last, dateDiff('hour', max(completed_at), now64()) AS hours
FROM hookwatch.reconciliations WHERE complete GROUP BY account ORDER BY account`;

/** How long ago each account was last compared with its provider. */
export async function checkReconciliation(warehouse: SqlWarehouse): Promise<Finding[]> {
  const { ok, warn } = findingsOf('reconcile');
  let rows: ReconciliationRow[];
  try {
    rows = await warehouse.query<ReconciliationRow>(reconciliationSql);
  } catch (error) {
    return [warn(`ClickHouse was not asked: ${explain(error)}`, 'See that it runs.')];
  }
  if (rows.length === 0) return [ok('no account was compared with its provider yet (hookwatch reconcile)')];
  const old = rows.filter(({ hours }) => hours > reconciledHoursMax);
  const todo = 'See why `hookwatch reconcile` no longer comes to its end: CenturyLink Cloud says to compare daily.';
  if (old.length === 0)
    return [ok(`${rows.length} accounts were compared with their provider within ${reconciledHoursMax} h`)];
  return old.map(({ account, hours }) => warn(`${account} was compared ${hours} h ago`, todo));
}
