import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import pino from 'pino';
import { expect, onTestFinished, vi } from 'vitest';
import { type LaneRecord, step } from '../../../services/core/flow/flow.ts';
import { producersOf } from '../../../services/core/flow/producers.ts';
import { createState, type FlowState, metaOf, restoreState } from '../../../services/core/flow/state.ts';
import { summarize } from '../../../services/core/flow/summary.ts';
import { decode, encode } from '../../../services/core/records/codec.ts';
import type { Control, Delivery } from '../../../services/core/records/generated.ts';
import { placeOf } from '../../../services/core/records/place.ts';
import {
  type Forwarder,
  type ForwarderLimits,
  type ForwarderOptions,
  startForwarder,
} from '../../../services/edge/forwarder/forwarder.ts';
import { keepForwarding } from '../../../services/edge/forwarder/keep.ts';
import { controlRecord, createProducer } from '../../../services/edge/producer.ts';
import { type Log, type LogRecord, LogUnavailableError, type NewRecord } from '../../../services/ports/log/log.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import { createMemoryProgress } from '../../../services/ports/progress/memory.ts';
import type { Progress } from '../../../services/ports/progress/progress.ts';
import { createRegistry, type ForwarderMetrics, forwarderMetrics } from '../../../services/telemetry.ts';
import { deliveryOf, serverBody, startMs } from '../../core/flow/lane.ts';
import { textOf } from '../../faults/recomputation.ts';
import { temporaryFolder, tenant as tenantConfig } from '../fixture.ts';

const ample = { records: 1e6, bytes: 1e9 };

/** Waits for a condition, however busy the machine is. */
export function eventually(condition: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(condition, { timeout: 15_000, interval: 2 });
}

export async function recordsOf(log: Pick<Log, 'read' | 'bounds'>, tenant?: string): Promise<readonly LogRecord[]> {
  const all: LogRecord[] = [];
  for (let { first } = await log.bounds(); ; first = all.at(-1)!.position + 1) {
    const records = await log.read(first, ample);
    if (records.length === 0) return all.filter(({ key }) => tenant === undefined || key === tenant);
    all.push(...records);
  }
}

/** What an edge leaves in its journal: a second passes with every record. */
export interface TestJournal {
  readonly log: Log;
  /** Opens a boot in every lane and returns its id. */
  boot(): Promise<string>;
  /** Writes deliveries, each in a batch of its own. */
  deliver(count?: number, tenant?: string, parts?: Partial<Delivery>): Promise<void>;
  control(kind: Control['kind'], fields?: Partial<Control>, tenant?: string): Promise<void>;
  /** Ids of everything that was written into a lane. */
  ids(tenant?: string): Promise<string[]>;
}

export function createTestJournal({ edge = 'edge-1', tenants = ['acme'], atMs = startMs } = {}): TestJournal {
  const log = createMemoryLog();
  const producer = createProducer({
    edge,
    tenants: tenants.map((name) => tenantConfig({ name, roots: ['centurylink:ACME'] })),
    state: { lanes: {} },
    randomId: () => randomUUID().replaceAll('-', '').slice(0, 16),
    save: async () => {},
  });
  let nowMs = atMs;
  let servers = 0;
  const pass = () => {
    nowMs += 1000;
    return nowMs;
  };
  return {
    log,
    async boot() {
      const records = await producer.begin((await log.bounds()).next, pass());
      await log.append(records);
      return placeOf(records[0]!.frame).boot;
    },
    async deliver(count = 1, tenant = tenants[0]!, parts = {}) {
      for (let n = 0; n < count; n++) {
        const receivedAt = pass();
        const place = producer.number(tenant, receivedAt);
        const body = Buffer.from(JSON.stringify(serverBody('ACME', `${edge}S${servers++}`, nowMs - startMs)));
        const value = deliveryOf({ tenant, ...place, received_at: receivedAt, body, ...parts });
        await log.append([{ key: tenant, frame: encode('delivery', value) }]);
      }
    },
    async control(kind, fields = {}, tenant = tenants[0]!) {
      const receivedAt = pass();
      const place = producer.number(tenant, receivedAt);
      const record = controlRecord(tenant, place, receivedAt, kind, { time: receivedAt, ...fields });
      await log.append([{ key: tenant, frame: encode('control', record) }]);
    },
    ids: async (tenant = tenants[0]!) => (await recordsOf(log, tenant)).map(({ frame }) => placeOf(frame).id),
  };
}

/** A journal of which the parts named by their first and next position cannot be read, as with SQLite. */
export function damagedLog(log: Log, damages: readonly (readonly [first: number, next: number])[]): Log {
  return {
    ...log,
    async read(from, limits) {
      if (damages.some(([first, next]) => first <= from && from < next))
        throw new Error('database disk image is malformed');
      const records = await log.read(from, limits);
      const first = Math.min(...damages.map(([start]) => start).filter((start) => start > from));
      return records.filter(({ position }) => position < first);
    },
  };
}

/** A journal with another frame at a position. */
export function alteredLog(log: Log, frames: Readonly<Record<number, Uint8Array>>): Log {
  return {
    ...log,
    async read(from, limits) {
      const records = await log.read(from, limits);
      return records.map((record) => ({ ...record, frame: frames[record.position] ?? record.frame }));
    },
  };
}

/**
 * What may become of an append: `refused`: rejects, and is not there; `landed`: rejects, and is there all the same;
 * `late`: rejects, and arrives behind the next one; `lost`: resolves, and is not there.
 */
export type Fate = 'kept' | 'refused' | 'landed' | 'late' | 'lost';

/** A partition over a memory log, as unreliable as told. */
export interface TestPartition extends Log {
  /** The next appends meet these, in this order; then all go well. */
  meet(...fates: Fate[]): void;
  /** From here on all go well. */
  calm(): void;
  /** Rejects every append while true. */
  away: boolean;
  /** From now on appends wait for release(). */
  hold(): void;
  release(): void;
  /** It has these records from now on, at the positions from 0 on, and no others. */
  restore(records: readonly NewRecord[]): Promise<void>;
  /** Batches handed in, whatever became of them. */
  readonly batches: (readonly NewRecord[])[];
}

export function createTestPartition(): TestPartition {
  let log = createMemoryLog();
  const fates: Fate[] = [];
  const delayed: (readonly NewRecord[])[] = [];
  let gate = Promise.resolve();
  let release = () => {};

  async function place(batch: readonly NewRecord[]): Promise<number> {
    const position = await log.append(batch);
    for (const late of delayed.splice(0)) await log.append(late);
    return position;
  }

  const partition: TestPartition = {
    ...log,
    read: (from, limits) => log.read(from, limits),
    bounds: () => log.bounds(),
    async restore(records) {
      delayed.splice(0);
      log = createMemoryLog();
      if (records.length > 0) await log.append(records);
    },
    away: false,
    batches: [],
    meet: (...next) => void fates.push(...next),
    calm: () => void fates.splice(0),
    hold() {
      gate = new Promise((resolve) => {
        release = resolve;
      });
    },
    release: () => release(),
    async append(batch) {
      partition.batches.push(batch);
      await gate;
      if (partition.away) throw new LogUnavailableError('the log is away');
      const fate = fates.shift() ?? 'kept';
      if (fate === 'lost') return (await log.bounds()).next;
      if (fate === 'late') delayed.push(batch);
      if (fate === 'kept' || fate === 'landed') {
        const position = await place(batch);
        if (fate === 'kept') return position;
      }
      throw new LogUnavailableError(`the append was ${fate}`);
    },
  };
  return partition;
}

/** Progress in memory that counts how often it was asked. */
export interface TestProgress extends Progress {
  asked(): number;
  /** It knows nothing any more, as a topic that was made anew. */
  forget(): void;
}

export function createTestProgress(): TestProgress {
  let progress = createMemoryProgress();
  let asked = 0;
  return {
    publish: (said) => progress.publish(said),
    asked: () => asked,
    forget() {
      progress = createMemoryProgress();
    },
    latest(tenant) {
      asked++;
      return progress.latest(tenant);
    },
  };
}

/** Waits until the forwarder has looked at the progress as it is now, and has acted on it. */
export async function looked(progress: TestProgress, times = 4): Promise<void> {
  const before = progress.asked();
  await eventually(() => expect(progress.asked()).toBeGreaterThanOrEqual(before + times));
}

export interface TestSnapshot {
  chunks: readonly Uint8Array[];
  /** Where it reads on. */
  position: number;
  taken: readonly string[];
  rows: ReadonlyMap<string, string>;
}

/** The worker of one lane: the flow itself, asked to work when a test says so. */
export interface TestWorker {
  /** Works on what is new and says how far it has come; `save`: and that this is saved. */
  work(save?: boolean): Promise<void>;
  /** Its two newest snapshots, older first; fewer where it has not saved as often. */
  saved(): readonly TestSnapshot[];
  /** Goes back to what `saved` gave, and says so. */
  restore(saved: readonly TestSnapshot[]): Promise<void>;
  summary(): ReturnType<typeof summarize>;
  /** Lane, boot and number of everything that was worked on, in order. */
  taken(): string[];
  /** Everything made so far but coverage, without the positions, which differ from log to log. */
  rows(): Map<string, string>;
}

const snapshot = { id: 's', first: 0, pieces: 0, bytes: 0, sha256: '' };

export function createTestWorker(lane: Pick<Log, 'read'>, progress: Progress, tenant = 'acme'): TestWorker {
  let state = createState();
  let position = 0;
  let rows = new Map<string, string>();
  let taken: string[] = [];
  let saved: readonly TestSnapshot[] = [];

  async function publish(of: FlowState, save: boolean): Promise<void> {
    const { position: at, recordId } = metaOf(of);
    const said = { tenant, position: at, record_id: recordId, flow: '', final: false, producers: producersOf(of) };
    await progress.publish({ ...said, snapshot: save ? snapshot : null });
  }

  return {
    async work(save = false) {
      const records = await lane.read(position, ample);
      position = (records.at(-1)?.position ?? position - 1) + 1;
      const before = metaOf(state).position;
      for (const record of records.filter(({ key }) => key === tenant).map(laneRecord)) {
        const result = step(state, [record]);
        state = result.state;
        for (const { kind, value } of result.outputs) {
          if (kind === 'delivery' || kind === 'control') taken.push(value.id);
          // That a producer was behind for a while is what coverage is for: it tells of the way, and not of what came.
          if (kind !== 'coverage') rows.set(`${kind} ${value.id}`, textOf({ ...value, position: 0 }));
        }
      }
      if (metaOf(state).position === before && !save) return;
      if (save) {
        const chunks = [...state.tables.snapshot()];
        saved = [...saved, { chunks, position, taken: [...taken], rows: new Map(rows) }].slice(-2);
      }
      await publish(state, save);
    },
    saved: () => saved,
    async restore(from) {
      saved = from;
      const newest = saved.at(-1)!;
      state = restoreState(newest.chunks);
      position = newest.position;
      taken = [...newest.taken];
      rows = new Map(newest.rows);
      for (const { chunks } of saved) await publish(restoreState(chunks), true);
    },
    summary: () => summarize(state),
    taken: () => taken,
    rows: () => rows,
  };
}

function laneRecord({ position, frame }: LogRecord): LaneRecord {
  return { position, record: decode(frame) };
}

/** What a journal alone leads to. */
export async function rowsOf(journal: TestJournal, tenant = 'acme'): Promise<Map<string, string>> {
  const worker = createTestWorker(journal.log, createMemoryProgress(), tenant);
  await worker.work();
  return worker.rows();
}

export interface TestForwarder extends Forwarder {
  metric(name: keyof ForwarderMetrics): Promise<number>;
  lines: { level: number; msg: string; position?: number }[];
  hintFile: string;
}

export type ForwarderFields = Partial<Omit<ForwarderOptions, 'journal' | 'limits'>> & {
  journal: Pick<TestJournal, 'log'>;
  partition?: TestPartition;
  limits?: Partial<ForwarderLimits>;
  /** It is begun anew where it fails. */
  kept?: boolean;
};

/** A forwarder without pauses; it stops when the test ends. */
export async function startTestForwarder(fields: ForwarderFields): Promise<TestForwarder> {
  const { journal, partition = createTestPartition(), limits, kept = false, ...others } = fields;
  const metrics = forwarderMetrics(createRegistry('edge'));
  const lines: TestForwarder['lines'] = [];
  const hintFile = fields.hintFile ?? join(temporaryFolder(), 'edge', 'forwarded.json');
  const options: ForwarderOptions = {
    lane: () => partition,
    progress: createMemoryProgress(),
    tenants: ['acme'],
    metrics,
    logger: pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
    now: () => startMs,
    ...others,
    hintFile,
    journal: journal.log,
    limits: { pollIntervalMs: 1, pauseMsMin: 1, pauseMsMax: 4, lookIntervalMs: 2, noteIntervalMs: 2, ...limits },
  };
  const forwarder = kept
    ? { ...(await keepForwarding(options, 1)), failed: new Promise<never>(() => {}) }
    : await startForwarder(options);
  onTestFinished(async () => {
    partition.release();
    await forwarder.stop(0);
  });
  return {
    ...forwarder,
    lines,
    hintFile,
    async metric(name) {
      const { values } = await metrics[name].get();
      return values.reduce((total, { value }) => total + value, 0);
    },
  };
}

/** Waits until the worker has taken all of a journal's lane, each record once. */
export async function expectTaken(worker: TestWorker, journal: TestJournal, tenant?: string): Promise<void> {
  const ids = await journal.ids(tenant);
  await eventually(async () => {
    await worker.work();
    expect(worker.taken()).toEqual(expect.arrayContaining(ids));
  });
  expect(new Set(worker.taken()).size).toBe(worker.taken().length);
}
