/** `hookwatch doctor`: whether a provider's webhook would arrive, and what to do where it would not. */
import { resolve4, resolve6 } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Config } from '../../config.ts';
import { ConfigError } from '../../mistakes.ts';
import type { ApiLimits } from '../../ports/provider-api/provider-api.ts';
import type { SqlWarehouse } from '../../ports/warehouse/warehouse.ts';
import { checkCertificate } from './certificate.ts';
import { describeFindings, type Finding, findingsOf } from './finding.ts';
import { checkDeliveries, checkEdges, checkReconciliation, checkSettings } from './installation.ts';
import { checkName, checkPath, checkPort, type Lookup } from './public-address.ts';
import { checkSubscriptions } from './subscriptions.ts';
import { checkClock, checkDisk, checkSecrets, checkSignatures, type FreeBytes } from './this-machine.ts';

export interface DoctorContext {
  /** With the endpoints that are listened to now. @throws ConfigError where settings are wrong */
  load(): Config;
  openWarehouse(config: Config): SqlWarehouse & { close(): Promise<void> };
  lookup?: Lookup;
  freeBytes?: FreeBytes;
  /** PEM of authorities to trust in place of the public ones. */
  authorities?: string;
  limits?: Partial<ApiLimits>;
  nowMs?: () => number;
  out?: { write(text: string): void };
}

export const doctorUsage = `Usage: npm run hookwatch -- doctor [options]

Looks whether webhooks of providers would arrive, and says what to do where they would not: settings, signatures, the
public URL (HOOKWATCH_PUBLIC_URL: its name, port, certificate, and that an edge answers behind it), the clock, the disk,
files with secrets, every edge (HOOKWATCH_EDGES), what the provider calls (where its credentials are given), the first
delivery of each endpoint, and the age of the last reconciliation. Changes nothing.

  --json            one JSON object
  --strict          warnings count as failures
  --port-offset N   as given to npm start
  --help            this text

Exit code: 0 no check fails, 1 one does, 2 wrong usage.
`;

const options = { json: { type: 'boolean' }, strict: { type: 'boolean' }, 'port-offset': { type: 'string' } } as const;

/** Resolves to the exit code. */
export async function doctorCommand(args: string[], context: DoctorContext): Promise<number> {
  const { json, strict } = parseArgs({ args, options }).values;
  const { out = process.stdout } = context;
  const findings = await examine(context);
  const failed = findings.some(({ status }) => status === 'fail' || (strict && status === 'warn'));
  if (json) out.write(`${JSON.stringify({ ok: !failed, findings })}\n`);
  else {
    const count = (wanted: Finding['status']) => findings.filter(({ status }) => status === wanted).length;
    out.write(`${describeFindings(findings)}\n\n${count('ok')} ok, ${count('warn')} warn, ${count('fail')} fail\n`);
  }
  return failed ? 1 : 0;
}

async function examine(context: DoctorContext): Promise<Finding[]> {
  let config: Config;
  try {
    config = context.load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const todo = 'Mend it: nothing else was looked at but this machine’s signatures.';
    return [findingsOf('settings').fail(error.message, todo), ...checkSignatures()];
  }
  const { nowMs = Date.now } = context;
  const { publicUrl } = config.providerApis;
  // In the order in which a webhook meets them.
  const findings = await Promise.all([
    checkSettings(config, publicUrl),
    publicUrl ? checkPublicUrl(new URL(publicUrl), context, nowMs()) : [],
    checkEdges(config.edgeUrls, config.tenants),
    checkSignatures(),
    checkClock(clocksOf(config), nowMs),
    checkDisk(config, context.freeBytes),
    checkSecrets(config),
    checkSubscriptions({
      tenants: config.tenants,
      providerApis: config.providerApis,
      tokenFolder: join(config.dataFolder, 'secrets'),
      limits: context.limits,
      nowMs: nowMs(),
    }),
    checkWarehouse(config, context),
  ]);
  return findings.flat();
}

async function checkPublicUrl(url: URL, context: DoctorContext, nowMs: number): Promise<Finding[]> {
  const { lookup = lookupName, authorities } = context;
  const { place, findings } = await checkName(url, lookup);
  if (!place) return findings;
  const { open, findings: ofPort } = await checkPort(place);
  const reached = { ...place, addresses: open };
  const [certificate, path] = await Promise.all([
    checkCertificate(reached, { authorities, nowMs }),
    checkPath(reached),
  ]);
  return [...findings, ...ofPort, ...certificate, ...path];
}

/** All addresses that DNS gives, as providers see them: not what this machine's own files say. */
async function lookupName(host: string): Promise<string[]> {
  // Never in DNS (RFC 6761, 6.3).
  if (host === 'localhost') return ['127.0.0.1'];
  const answers = await Promise.allSettled([resolve4(host), resolve6(host)]);
  const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  const failed = answers.find((answer) => answer.status === 'rejected');
  if (addresses.length === 0 && failed) throw failed.reason;
  return addresses;
}

/** Whoever says the time: the public URL's server, and the APIs of the providers whose endpoints there are. */
function clocksOf({ tenants, providerApis }: Config): string[] {
  const used = new Set(tenants.flatMap(({ endpoints }) => endpoints.map(({ provider }) => provider)));
  return [
    ...(providerApis.publicUrl ? [providerApis.publicUrl] : []),
    ...(used.has('centurylink') ? [providerApis.centurylink.baseUrl] : []),
    ...(used.has('citrix') ? [providerApis.citrix.baseUrl] : []),
  ];
}

async function checkWarehouse(config: Config, { openWarehouse }: DoctorContext): Promise<Finding[]> {
  // To open the embedded one before the first start would make its passwords.
  if (config.clickhouseUrl === undefined && !existsSync(join(config.dataFolder, 'secrets'))) {
    return [findingsOf('deliveries').warn('Hookwatch was never started here', 'npm start')];
  }
  // As in the containers of edges: what has no login there is none of its business.
  if (config.clickhouseUrl !== undefined && config.clickhouseUser === undefined) {
    const todo = 'Look where CLICKHOUSE_USER and its password are given, or give them.';
    return [findingsOf('deliveries').warn('ClickHouse was not asked: there is no login for it here', todo)];
  }
  const warehouse = openWarehouse(config);
  try {
    const deliveries = await checkDeliveries(warehouse, config.tenants);
    return [...deliveries, ...(await checkReconciliation(warehouse))];
  } finally {
    await warehouse.close();
  }
}
