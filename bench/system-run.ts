/** The whole system as `npm start` runs it, under a steady load: what `latency`, `memory` and `kafka` look at. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Item } from '../services/simulator/item.ts';
import { generateScenario } from '../services/simulator/scenario.ts';
import { hookwatch, startChild, temporaryFolder } from './child.ts';
import { postAll, type Sent, signAll } from './deliveries.ts';
import { type Resident, readResident } from './resident.ts';

/** What became of a steady load. */
export interface Load {
  sent: Sent[];
  /** When each was first seen to be a row in ClickHouse, by performance.now(). */
  visibleMs: (number | undefined)[];
}

export interface SystemRun {
  load: Load;
  idle: Resident;
  loaded: Resident;
}

/** An installation that runs: its edge and its ClickHouse by their URLs. */
export interface System extends AsyncDisposable {
  readonly pid: number;
  readonly edge: string;
  readonly clickhouse: string;
  /** Signs what is sent to it. */
  readonly privateKeyPem: string;
}

export const steady = { rate: 500, seconds: 24 };
const pollIntervalMs = 20;
const idleMs = 4_000;
/** How long the last rows are waited for. */
const visibleMsMax = 15_000;
const config = fileURLToPath(new URL('../hookwatch.yaml', import.meta.url));

let done: Promise<SystemRun> | undefined;

/** Runs it on one machine's disk, once, however often it is asked. */
export function runSystem(say: (line: string) => void): Promise<SystemRun> {
  done ??= run(say);
  return done;
}

async function run(say: (line: string) => void): Promise<SystemRun> {
  await using system = await startSystem();
  const idle = readResident(system.pid);
  const load = await sendSteadily(system, say);
  return { load, idle, loaded: readResident(system.pid) };
}

/** Starts everything in a folder of its own; resolves when it works and has come to rest. */
export async function startSystem(settings: Record<string, string> = {}): Promise<System> {
  const folder = temporaryFolder();
  const parts = ['EDGE', 'EDGE_INTERNAL', 'CONSOLE', 'CLICKHOUSE', 'WORKER', 'SINK'];
  const ports = Object.fromEntries(parts.map((part) => [`HOOKWATCH_${part}_PORT`, '0']));
  const files = { HOOKWATCH_DATA: folder.path, HOOKWATCH_CONFIG: config };
  // Warnings that are given while ClickHouse still starts are no news here.
  const env = { ...ports, ...files, HOOKWATCH_LOG_LEVEL: 'error', ...settings };
  const child = startChild([hookwatch, 'start'], { env });
  try {
    const edge = await child.printed(/Webhooks +(\S+)\/in\//);
    const clickhouse = await child.printed(/ClickHouse +(http\S+)/);
    await wait(idleMs);
    const privateKeyPem = readFileSync(join(folder.path, 'demo', 'private.pem'), 'utf8');
    return { pid: child.process.pid!, edge, clickhouse, privateKeyPem, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }

  async function end(): Promise<void> {
    await child[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  }
}

/** Posts 500 a second for a while, and looks when they become rows. */
export async function sendSteadily(system: System, say: (line: string) => void): Promise<Load> {
  say(`signing ${steady.rate * steady.seconds} deliveries`);
  const items = [...generateScenario({ seed: 1, startMs: Date.now(), ...steady, root: 'NWND' })];
  const signed = await signAll(items, system.privateKeyPem);
  say(`sending ${steady.rate} a second for ${steady.seconds} s`);
  const watch = watchPositions(system.clickhouse);
  const sent = await postAll(system.edge, signed, demoTokenOf);
  const positions = await findPositions(system.clickhouse, sent);
  const seen = await watch.upTo(Math.max(...positions.values()));
  const visibleMs = sent.map(({ id }) => {
    const position = positions.get(id ?? '');
    return position === undefined ? undefined : seen.find((mark) => mark.position >= position)?.atMs;
  });
  return { sent, visibleMs };
}

/** The token of an event's endpoint in the example settings. */
export function demoTokenOf({ event }: Item): string {
  return `demo-${event.toLowerCase().replace('.', '-')}`;
}

interface Mark {
  atMs: number;
  position: number;
}

/**
 * Looks every 20 ms how far the table of events has come. Rows come in the order of their positions, so one cheap query
 * tells of all of them; a row is taken to be visible when the answer is here, so it may have been a little earlier.
 */
function watchPositions(clickhouse: string) {
  const marks: Mark[] = [];
  let goal = Number.POSITIVE_INFINITY;
  let deadlineMs = Number.POSITIVE_INFINITY;
  const watching = (async () => {
    while ((marks.at(-1)?.position ?? -1) < goal && performance.now() < deadlineMs) {
      const [row] = await ask<[number | null]>(clickhouse, 'SELECT toInt32(max(position)) FROM hookwatch.events_rows');
      const position = row?.[0] ?? -1;
      if (position > (marks.at(-1)?.position ?? -1)) marks.push({ atMs: performance.now(), position });
      await wait(pollIntervalMs);
    }
  })();
  return {
    /** The marks, once a position has been seen or too much time has passed. */
    async upTo(position: number): Promise<Mark[]> {
      goal = position;
      deadlineMs = performance.now() + visibleMsMax;
      await watching;
      return marks;
    },
  };
}

/** Positions in the lane by the ids of deliveries; waits for the last of them. */
async function findPositions(clickhouse: string, sent: readonly Sent[]): Promise<Map<string, number>> {
  const accepted = sent.filter(({ id }) => id !== undefined).length;
  const deadlineMs = performance.now() + visibleMsMax;
  for (;;) {
    const sql = 'SELECT id, toInt32(position) FROM hookwatch.deliveries';
    const rows = await ask<[string, number]>(clickhouse, sql);
    if (rows.length >= accepted || performance.now() > deadlineMs) return new Map(rows);
    await wait(200);
  }
}

/** Rows of a query. */
export async function ask<Row>(clickhouse: string, sql: string): Promise<Row[]> {
  const answer = await fetch(`${clickhouse}/?query=${encodeURIComponent(`${sql} FORMAT JSONCompactEachRow`)}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${sql}: ${text}`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);
}
