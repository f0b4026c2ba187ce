import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Output, runSimulation, SimulationError, type SimulationTenant } from './simulate.ts';
import { formatSummary } from './summary.ts';

/** Settings that the command line leaves to hookwatch.yaml and the environment. */
export interface SimulateContext {
  /** Holds demo/private.pem. */
  dataFolder: string;
  /** Without the port offset: `--port-offset` adds it. */
  edgeUrl: string;
  clickhouseUrl: string;
  tenants: SimulationTenant[];
  /** Default: process.stdout and process.stderr. */
  out?: Output;
  error?: Output;
  /** Stops the run early, as SIGINT does. */
  signal?: AbortSignal;
}

export const simulateUsage = `Usage: npm run simulate -- [options]

Sends the signed webhooks of a small reseller: accounts, users, servers, alerts and one fraud.

  --rate N          deliveries per second (default 50)
  --seconds N       length of the run (default 60)
  --seed N          the same seed makes the same life; names differ from run to run (default 1)
  --url URL         the edge (default: as configured, http://127.0.0.1:8080); over https NODE_EXTRA_CA_CERTS names
                    a file of roots that are trusted besides the usual ones
  --port-offset N   as given to npm start
  --tenant NAME     a tenant with demo: true (default: the first)
  --ledger FILE     append one line for each delivery before it is sent and one after its answer
  --help            this text

Ctrl-C stops the run and prints what was sent so far.
Exit code: 0 all were answered 202, 1 some were not or the run could not begin, 2 wrong usage.
`;

/** Wrong usage; the message says of which option. */
class UsageError extends Error {}

interface Settings {
  help: boolean;
  rate: number;
  seconds: number;
  seed: number;
  url: string | undefined;
  portOffset: number;
  tenant: string | undefined;
  ledger: string | undefined;
}

/** `hookwatch simulate`. Resolves to the exit code and never rejects for what a user can put right. */
export async function simulateCommand(argv: string[], context: SimulateContext): Promise<number> {
  const { out = process.stdout, error = process.stderr } = context;
  try {
    const settings = parseSettings(argv);
    if (settings.help) {
      out.write(simulateUsage);
      return 0;
    }
    return await simulate(settings, context, out);
  } catch (failure) {
    if (!(failure instanceof UsageError || failure instanceof SimulationError)) throw failure;
    error.write(`${failure.message}\n`);
    return failure instanceof UsageError ? 2 : 1;
  }
}

async function simulate(settings: Settings, context: SimulateContext, out: Output): Promise<number> {
  const { rate, seconds, seed, portOffset } = settings;
  const tenant = findTenant(context.tenants, settings.tenant);
  const privateKeyPem = readPrivateKey(join(context.dataFolder, 'demo', 'private.pem'));
  const baseUrl = settings.url ?? addToPort(context.edgeUrl, portOffset);
  const clickhouseUrl = addToPort(context.clickhouseUrl, portOffset);
  out.write(`Sending to ${baseUrl} as tenant ${tenant.name}: ${rate}/s for ${seconds} s, seed ${seed}\n`);
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt);
  try {
    const signal = context.signal ? AbortSignal.any([context.signal, stop.signal]) : stop.signal;
    const ledgerFile = settings.ledger;
    const result = await runSimulation({
      baseUrl,
      tenant,
      privateKeyPem,
      rate,
      seconds,
      seed,
      ledgerFile,
      out,
      signal,
    });
    out.write(`\n${formatSummary({ ...result, clickhouseUrl })}`);
    return result.counts.accepted === result.counts.sent ? 0 : 1;
  } finally {
    process.off('SIGINT', interrupt);
  }
}

function parseSettings(argv: string[]): Settings {
  const values = parseOptions(argv);
  return {
    help: values.help,
    rate: readNumber('rate', values.rate, { above: 0, max: 100_000 }),
    seconds: readNumber('seconds', values.seconds, { above: 0, max: 86_400 }),
    seed: readNumber('seed', values.seed, { above: -1, max: 2 ** 32 - 1, whole: true }),
    url: readUrl(values.url),
    portOffset: readNumber('port-offset', values['port-offset'], { above: -1, max: 65_535, whole: true }),
    tenant: values.tenant,
    ledger: values.ledger,
  };
}

function parseOptions(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      options: {
        rate: { type: 'string', default: '50' },
        seconds: { type: 'string', default: '60' },
        seed: { type: 'string', default: '1' },
        url: { type: 'string' },
        'port-offset': { type: 'string', default: '0' },
        tenant: { type: 'string' },
        ledger: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (cause) {
    throw new UsageError(`${(cause as Error).message}\n\n${simulateUsage}`, { cause });
  }
}

function readNumber(name: string, text: string, limit: { above: number; max: number; whole?: boolean }): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value > limit.above && value <= limit.max && (!limit.whole || Number.isInteger(value))) return value;
  const kind = limit.whole ? 'a whole number' : 'a number';
  throw new UsageError(`Cannot read --${name} as ${kind} above ${limit.above} and up to ${limit.max}: it is '${text}'`);
}

function readUrl(text: string | undefined): string | undefined {
  if (text === undefined || (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol))) return text;
  throw new UsageError(`Cannot read --url as an http or https address: it is '${text}'`);
}

function findTenant(tenants: SimulationTenant[], name: string | undefined): SimulationTenant {
  const demos = tenants.filter((tenant) => tenant.demo);
  const found = name === undefined ? demos[0] : demos.find((tenant) => tenant.name === name);
  if (found) return found;
  const known = demos.map((tenant) => tenant.name).join(', ') || 'none';
  throw new UsageError(
    `Cannot simulate ${name === undefined ? 'without a tenant' : `tenant ${name}`}: only tenants with demo: true in ` +
      `hookwatch.yaml trust the simulator's key; they are: ${known}`,
  );
}

function readPrivateKey(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new SimulationError(
      'KEY_UNUSABLE',
      `Cannot read the demo key (${reason}): start hookwatch first (npm start) so that ${path} exists`,
      { cause },
    );
  }
}

function addToPort(address: string, offset: number): string {
  if (offset === 0) return address;
  const url = new URL(address);
  url.port = String(Number(url.port || (url.protocol === 'https:' ? 443 : 80)) + offset);
  return url.href.replace(/\/$/, '');
}
