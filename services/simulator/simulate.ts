import { connect } from 'node:net';
import { centurylinkEvents } from '../core/providers/centurylink/event-names.ts';
import type { EventName, Item } from './item.ts';
import { openLedger } from './ledger.ts';
import { type Clock, createSystemClock, pace } from './pacing.ts';
import { generateScenario, runTagOf } from './scenario.ts';
import { createSender } from './sender.ts';
import { type Counts, createTally, type Rule, type Tally } from './tally.ts';

/** What the simulator needs to know of an endpoint; more fields do no harm. */
export interface SimulationEndpoint {
  name: string;
  provider: string;
  event: string;
  account: string;
  recursive: boolean;
  /** Known under `demo: true` only. */
  token?: string;
}

export interface SimulationTenant {
  name: string;
  demo: boolean;
  /** Root accounts as provider:account; the first of centurylink is the reseller's. */
  roots: string[];
  endpoints: SimulationEndpoint[];
  rules?: { 'account-created-then-servers': Rule };
}

/** Where progress goes, for example process.stdout. */
export interface Output {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
}

export interface SimulationOptions {
  /** The edge, for example http://127.0.0.1:8080. */
  baseUrl: string;
  tenant: SimulationTenant;
  privateKeyPem: string;
  /** Deliveries per second. */
  rate: number;
  seconds: number;
  /** Whole number from 0 to 2^32 - 1. */
  seed: number;
  /** Wall clock of the start, milliseconds since 1970; default: now. */
  startMs?: number;
  /** Path of the ledger; see ledger.ts. */
  ledgerFile?: string | undefined;
  /** Distinct servers of the labelled fraud; default 8. */
  fraudServers?: number;
  /** Unanswered deliveries that hold back the next; default 256. */
  inFlightMax?: number;
  /** Progress is written here, on one line where it is a terminal; unset: none. */
  out?: Output;
  /** Stops the run early; what is in flight is awaited. */
  signal?: AbortSignal;
  clock?: Clock;
}

export interface SimulationResult {
  counts: Counts;
  /** Names of the endpoints to which deliveries were sent, by event: the root's, and the sub-account's own. */
  endpoints: { root: Map<EventName, string>; branch: Map<EventName, string> };
  /** Stands in the name of everything that the run made. */
  runTag: string;
  seconds: number;
  lateMsMax: number;
}

/** The run cannot begin. `message` says what to do; a retry helps once that is done. */
export class SimulationError extends Error {
  readonly code: 'EDGE_UNREACHABLE' | 'NO_ENDPOINTS' | 'KEY_UNUSABLE' | 'LEDGER_UNWRITABLE';
  constructor(code: SimulationError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const defaultRule: Rule = { servers: 5, within_ms: 3_600_000 };

/**
 * Sends a reseller's life to the edge at the given rate and counts what became of it. Deliveries that fail are counted,
 * not thrown, so that the edge may be stopped and started under the load.
 * @throws SimulationError when the run cannot begin.
 */
export async function runSimulation(options: SimulationOptions): Promise<SimulationResult> {
  const { tenant, baseUrl, rate, seconds, seed, startMs = Date.now(), inFlightMax = 256 } = options;
  const clock = options.clock ?? createSystemClock();
  const { root, branch, targets } = findTargets(tenant);
  const rule = tenant.rules?.['account-created-then-servers'] ?? defaultRule;
  const sender = createTrustedSender(options, inFlightMax);
  await expectListener(baseUrl);
  const ledger = options.ledgerFile === undefined ? undefined : openWritableLedger(options.ledgerFile);
  const tally = createTally(rule, branch === undefined ? [root] : [root, branch]);
  const progress = createProgress(options.out, clock, tally.totals);
  const send = async (item: Item) => {
    const token = targets[item.to ?? 'root'].get(item.event)?.token;
    if (token === undefined) return tally.skip();
    tally.add(item, await sender.send(item, token, ledger));
  };
  const scenario = {
    ...{ seed, startMs, rate, seconds, root, strangers: true },
    detectionServers: rule.servers,
    branch: branch === undefined ? undefined : { alias: branch, events: new Set(targets.branch.keys()) },
  };
  const items = generateScenario(
    options.fraudServers === undefined ? scenario : { ...scenario, fraudServers: options.fraudServers },
  );
  const startedMs = clock.now();
  try {
    const { lateMsMax } = await pace(items, {
      clock,
      send,
      inFlightMax,
      onSent: progress.update,
      ...(options.signal && { signal: options.signal }),
    });
    const elapsedSeconds = (clock.now() - startedMs) / 1_000;
    const endpoints = { root: namesOf(targets.root), branch: namesOf(targets.branch) };
    return { counts: tally.counts(), endpoints, runTag: runTagOf(seed, startMs), seconds: elapsedSeconds, lateMsMax };
  } finally {
    progress.end();
    sender.close();
    ledger?.close();
  }
}

interface Target {
  name: string;
  token: string;
}

interface Targets {
  root: string;
  /** Alias of a sub-account that has endpoints of its own, the first of several; undefined: none has. */
  branch: string | undefined;
  /** By event. */
  targets: { root: Map<EventName, Target>; branch: Map<EventName, Target> };
}

/** The reseller's root account, and for each event the endpoints that hear of its sub-accounts. */
function findTargets(tenant: SimulationTenant): Targets {
  const root = tenant.roots
    .find((name) => name.startsWith('centurylink:'))
    ?.slice('centurylink:'.length)
    .toUpperCase();
  const heard = tenant.endpoints.filter(
    ({ provider, recursive, token }) => provider === 'centurylink' && recursive && token,
  );
  const branch = heard.find(({ account }) => account.toUpperCase() !== root)?.account.toUpperCase();
  const targetsOf = (isMeant: (account: string) => boolean) =>
    new Map(
      centurylinkEvents.flatMap((event): [EventName, Target][] => {
        const found = heard.find((endpoint) => endpoint.event === event && isMeant(endpoint.account.toUpperCase()));
        return found?.token ? [[event, { name: found.name, token: found.token }]] : [];
      }),
    );
  const targets = {
    root: targetsOf((account) => account === root),
    branch: targetsOf((account) => account === branch),
  };
  if (root === undefined || targets.root.size === 0) {
    throw new SimulationError(
      'NO_ENDPOINTS',
      `Cannot simulate tenant ${tenant.name}: hookwatch.yaml must give it a root centurylink:<account> and endpoints ` +
        'of that account with recursive: true and a plain token',
    );
  }
  return { root, branch, targets };
}

function namesOf(targets: Map<EventName, Target>): Map<EventName, string> {
  return new Map([...targets].map(([event, { name }]) => [event, name]));
}

function createTrustedSender({ baseUrl, privateKeyPem }: SimulationOptions, connectionsMax: number) {
  try {
    return createSender({ baseUrl, privateKeyPem, connectionsMax });
  } catch (cause) {
    throw new SimulationError('KEY_UNUSABLE', `Cannot sign with the demo key: ${(cause as Error).message}`, { cause });
  }
}

function openWritableLedger(path: string) {
  try {
    return openLedger(path);
  } catch (cause) {
    const message = `Cannot write the ledger ${path}: ${(cause as Error).message}`;
    throw new SimulationError('LEDGER_UNWRITABLE', message, { cause });
  }
}

/** A run against nothing would only count refusals. */
async function expectListener(baseUrl: string): Promise<void> {
  const { hostname, port, protocol } = new URL(baseUrl);
  const socket = connect({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || (protocol === 'https:' ? 443 : 80),
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.setTimeout(5_000, () => reject(new Error('no answer within 5 s')));
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
    throw new SimulationError(
      'EDGE_UNREACHABLE',
      `Cannot reach the edge at ${baseUrl} (${reason}): start hookwatch first (npm start), or name its address with --url`,
      { cause },
    );
  } finally {
    socket.destroy();
  }
}

function createProgress(out: Output | undefined, clock: Clock, totals: Tally['totals']) {
  const everyMs = out?.isTTY ? 200 : 10_000;
  const startedMs = clock.now();
  let shownMs = startedMs;
  let shown = false;
  return {
    update({ inFlight }: { inFlight: number }) {
      const nowMs = clock.now();
      if (!out || nowMs - shownMs < everyMs) return;
      shownMs = nowMs;
      shown = true;
      const { sent, accepted } = totals();
      const elapsed = Math.floor((nowMs - startedMs) / 1_000);
      const line = `${elapsed} s: ${sent} answered, ${accepted} with 202, ${inFlight} in flight`;
      out.write(out.isTTY ? `\r${line.padEnd(60)}` : `${line}\n`);
    },
    end() {
      if (shown && out?.isTTY) out.write('\n');
    },
  };
}
