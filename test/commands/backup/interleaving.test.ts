/**
 * The argument of docs/decisions/0019, attacked: whatever an installation does between any two steps of a backup, what is
 * restored from it and worked on leads to the rows of a flow that was never disturbed. BACKUP_SEED reruns one run.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { BackupSource } from '../../../services/commands/backup/backup.ts';
import { hourMs } from '../../../services/commands/replay/slices.ts';
import { step } from '../../../services/core/flow/flow.ts';
import { producersOf } from '../../../services/core/flow/producers.ts';
import { createState, type FlowState, metaOf } from '../../../services/core/flow/state.ts';
import { decode, encode, type OutputKind } from '../../../services/core/records/codec.ts';
import type { Checkpoints } from '../../../services/ports/checkpoints/checkpoints.ts';
import { createMemoryCheckpoints } from '../../../services/ports/checkpoints/memory.ts';
import { restoreNewest } from '../../../services/ports/checkpoints/restore.ts';
import type { LogRecord } from '../../../services/ports/log/log.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import { viewOf } from '../../../services/ports/warehouse/tables.ts';
import type { SqlWarehouse } from '../../../services/ports/warehouse/warehouse.ts';
import { createRandom, type Random } from '../../../services/simulator/random.ts';
import { livesOf } from '../replay/installation.ts';
import { backUp, flow, memoryTarget, restoreTo, temporaryFolder } from './fixture.ts';

const tenants = ['acme', 'bolt'];
const lives = livesOf(tenants, { seconds: 20 });
const pages = 3;

/** Rows as ClickHouse keeps them: of each id the highest version. */
type Rows = Map<string, { version: number; page: number; frame: string }>;

/** Outputs come as frames in base64. A row's page follows from its id. */
function store(rows: Rows, frames: readonly string[]): void {
  for (const frame of frames) {
    const { kind, value } = decode(Buffer.from(frame, 'base64')) as {
      kind: OutputKind;
      value: { id: string; tenant: string; version: number };
    };
    const key = `${kind} ${value.tenant} ${value.id}`;
    if (value.version < (rows.get(key)?.version ?? 0)) continue;
    const page = [...value.id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % pages;
    rows.set(key, { version: value.version, page, frame });
  }
}

function work(state: FlowState, records: readonly LogRecord[], tenant: string): { state: FlowState; frames: string[] } {
  const lane = records
    .filter(({ key, position }) => key === tenant && position > metaOf(state).position)
    .map(({ position, frame }) => ({ position, record: decode(frame) }));
  const result = step(state, lane);
  const frames = result.outputs.map(({ kind, value }) => encode(kind, value as never).toString('base64'));
  return { state: result.state, frames };
}

async function restoreLane(checkpoints: Checkpoints, tenant: string): Promise<FlowState> {
  return (await restoreNewest(checkpoints, tenant))?.state ?? createState();
}

/** An installation that does something of its own accord whenever it is asked for anything. */
function restless(random: Random) {
  const log = createMemoryLog();
  const checkpoints = createMemoryCheckpoints();
  const rows: Rows = new Map();
  const states = new Map(tenants.map((tenant) => [tenant, createState()]));
  /** Put out and not stored yet. */
  let outputs: string[] = [];
  let fed = 0;

  const acts: Record<string, () => Promise<void>> = {
    async feed() {
      const next = lives.slice(fed, fed + random.between(1, 15));
      fed += next.length;
      if (next.length > 0) await log.append(next);
    },
    async work() {
      const tenant = random.pick(tenants);
      const { first } = await log.bounds();
      const from = Math.max(first, metaOf(states.get(tenant)!).position + 1);
      const records = await log.read(from, { records: random.between(1, 60), bytes: 1e9 });
      const { state, frames } = work(states.get(tenant)!, records, tenant);
      states.set(tenant, state);
      outputs.push(...frames);
    },
    async store() {
      store(rows, outputs.splice(0, random.between(1, 80)));
    },
    async save() {
      const tenant = random.pick(tenants);
      const state = states.get(tenant)!;
      const { position, recordId } = metaOf(state);
      if (position < 0) return;
      const head = { position, recordId, flow, final: false, producers: producersOf(state) };
      const snapshot = state.tables.snapshot();
      await checkpoints.save(
        tenant,
        head,
        (async function* () {
          yield* snapshot;
        })(),
      );
    },
    /** A worker that dies goes on from its newest checkpoint, and puts out once more. */
    async die() {
      const tenant = random.pick(tenants);
      states.set(tenant, await restoreLane(checkpoints, tenant));
    },
    async trim() {
      const saved = await Promise.all(tenants.map(async (tenant) => (await checkpoints.list(tenant)).at(-2) ?? -1));
      await log.trim(Math.max(0, Math.min(...saved) + 1 - random.between(0, 20)));
      for (const tenant of tenants) await checkpoints.prune(tenant, (await log.bounds()).first);
    },
  };
  /** How often each happens; some sinks store nothing before they are waited for. */
  const weights = { feed: 3, work: 4, store: random.chance(0.5) ? 3 : 0, save: 1, die: 1, trim: 1 };
  const likely = Object.entries(weights).flatMap(([act, weight]) => Array<string>(weight).fill(act));
  async function stir(most = 4): Promise<void> {
    for (let count = random.between(0, most); count > 0; count--) await acts[random.pick(likely)]!();
  }
  const stirred =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A) => {
      await stir();
      return call(...args);
    };

  const query = async (sql: string) => {
    if (sql.includes('system.columns')) return [{ name: 'id' }];
    // So many rows that no two hours are read together.
    if (sql.includes('GROUP BY unit')) return Array.from({ length: pages }, (_, unit) => ({ unit, rows: 50_000 }));
    return [];
  };
  const read = async (sql: string, { from }: Record<string, unknown>) => {
    const table = /FROM (hookwatch\.\w+)_rows/.exec(sql)![1];
    const found = [...rows].filter(([key, { page }]) => {
      return viewOf[key.split(' ')[0] as OutputKind] === table && page === (from as number) / hourMs;
    });
    return Buffer.from(found.map(([, { frame }]) => frame).join('\n'));
  };
  const source = {
    logs: [
      {
        partition: 0,
        records: { read: stirred(log.read), bounds: stirred(log.bounds) },
        checkpoints: { ...checkpoints, newest: stirred(checkpoints.newest), list: stirred(checkpoints.list) },
      },
    ],
    warehouse: { query: stirred(query), native: { read: stirred(read) } } as unknown as SqlWarehouse,
    async stored() {
      const due = outputs.length;
      await stir();
      store(rows, outputs);
      outputs = outputs.slice(Math.max(due, outputs.length));
    },
  } satisfies Partial<BackupSource>;
  return { source, stir, rows };
}

/** What is restored, the rows with what workers make of it; and where each lane was saved. */
async function restoreAndWork(path: string) {
  const stored: Rows = new Map();
  const native = {
    write: async (_: string, __: readonly string[], page: Buffer) => store(stored, page.toString().split('\n')),
  };
  const warehouse = { migrate: async () => {}, native } as unknown as SqlWarehouse;
  const target = memoryTarget({}, { warehouse, written: [] });
  expect(await restoreTo(path, target)).toMatchObject({ code: 0 });
  const rows: Rows = new Map(stored);
  const records = await target.logs[0]!.read(0, { records: 1e6, bytes: 1e9 });
  const savedAt = new Map<string, number>();
  for (const tenant of tenants) {
    const state = await restoreLane(target.checkpoints, tenant);
    savedAt.set(tenant, metaOf(state).position);
    store(rows, work(state, records, tenant).frames);
  }
  const first = records.find(({ key }) => key !== '')?.position ?? records.length;
  return { rows, stored, savedAt, positions: { first, next: records.length } };
}

/** Everything in the lanes before a position, in one go. */
function undisturbed(nextOf: (tenant: string) => number): Rows {
  const rows: Rows = new Map();
  const records = lives.map((record, position) => ({ ...record, position }));
  for (const tenant of tenants) store(rows, work(createState(), records.slice(0, nextOf(tenant)), tenant).frames);
  return rows;
}

const textsOf = (rows: Rows) => [...rows].map(([key, { version, frame }]) => `${key} ${version} ${frame}`).sort();

/** Until it comes through: a log may let go of what was not copied, and then no backup is left. */
async function backUpAt(random: Random, source: Partial<BackupSource>): Promise<string> {
  const folder = temporaryFolder();
  for (let attempt = 0; ; attempt++) {
    const path = join(folder, `${attempt}`);
    const { code, text } = await backUp(path, { ...source, keepUpMs: random.pick([0, 60_000]) });
    if (code === 0) return path;
    expect(text).toContain('let go of records');
    expect(existsSync(path)).toBe(false);
  }
}

/** `ahead`: rows were copied that no state led to; `behind`: not all were. */
async function attack(seed: number): Promise<{ trimmed: boolean; ahead: boolean; behind: boolean }> {
  const random = createRandom(seed);
  const { source, stir } = restless(random);
  for (let rounds = random.between(0, 30); rounds > 0; rounds--) await stir();
  const path = await backUpAt(random, source);
  const { rows, stored, positions, savedAt } = await restoreAndWork(path);
  const wanted = textsOf(undisturbed(() => positions.next));
  expect({ seed, rows: textsOf(rows) }).toEqual({ seed, rows: wanted });
  const saved = new Set(textsOf(undisturbed((tenant) => (savedAt.get(tenant) ?? -1) + 1)));
  const copied = textsOf(stored);
  return {
    trimmed: positions.first > 0,
    ahead: copied.some((row) => !saved.has(row)),
    behind: copied.length < wanted.length,
  };
}

describe('whatever happens meanwhile', () => {
  test('the rows are those of an undisturbed flow', { timeout: 60_000 }, async () => {
    const only = process.env.BACKUP_SEED;
    const seeds = only ? [Number(only)] : Array.from({ length: 24 }, (_, seed) => seed);
    const runs: Awaited<ReturnType<typeof attack>>[] = [];
    for (const seed of seeds) runs.push(await attack(seed));
    if (only) return;
    // Runs in which nothing happened would prove nothing.
    for (const what of ['trimmed', 'ahead', 'behind'] as const) {
      expect({ what, often: runs.filter((run) => run[what]).length > 3 }).toEqual({ what, often: true });
    }
  });
});
