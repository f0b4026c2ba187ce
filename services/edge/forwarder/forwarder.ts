/**
 * Brings what an edge has journaled into the lanes, where those are in Kafka. Nothing that is answered depends on it:
 * while Kafka is away, records wait in the journal.
 *
 *   journal ──▶ reader ──▶ a route per partition ──▶ lanes ──▶ worker
 *      ▲           ▲                                              │ how far it has come
 *      └─ let go ──┴─ sent again ◀─────────── sight ◀─────────────┘
 *
 * 1. Every record arrives at least once; those of a lane in the order of the journal. The flow drops repeats.
 * 2. A partition that is stuck holds up no other one: each has a place of its own in the journal, and one batch in memory.
 * 3. What a lane has acknowledged and lost all the same is seen from what its worker says, and sent again.
 * 4. The journal keeps what the newest snapshot but one of a lane does not hold, and what has not been acknowledged.
 * 5. A lane that was restored from a backup has gone back: it is begun anew with, and all that the journal has is sent.
 * 6. What cannot be read of the journal is passed over, counted, said and kept aside; in the lane ticks stand in for it.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { placeOfAnyVersion } from '../../core/records/place.ts';
import type { Log, LogRecord } from '../../ports/log/log.ts';
import type { Progress } from '../../ports/progress/progress.ts';
import type { ForwarderMetrics } from '../../telemetry.ts';
import { createGauges } from './gauges.ts';
import { createHints, type Hint, readHint, type Saved } from './hint.ts';
import { createReadableJournal } from './readable.ts';
import { createJournalReader } from './reader.ts';
import { createRetry } from './retry.ts';
import { createRoute, type Partition, type Route } from './route.ts';
import { createRoutes, type Routes } from './routes.ts';
import { createSight, LaneRestoredError } from './sight.ts';
import { createTrouble } from './trouble.ts';
import { createUnreadable } from './unreadable.ts';

export interface ForwarderOptions {
  journal: Pick<Log, 'read' | 'bounds'>;
  /** The partition that holds a tenant's lane: one object for all tenants that share it. */
  lane(tenant: string): Partition;
  progress: Pick<Progress, 'latest'>;
  /** The lanes that are worked on. Whatever else is in the journal is brought into its lane too. */
  tenants: readonly string[];
  /** Remembers over restarts what was acknowledged; its folder is made if need be, and takes what cannot be read. */
  hintFile: string;
  metrics: ForwarderMetrics;
  logger: Logger;
  /** Wall clock, epoch milliseconds. */
  now?: () => number;
  limits?: Partial<ForwarderLimits>;
}

export interface ForwarderLimits {
  /** Of one append; a larger record goes alone. */
  batchRecordsMax: number;
  batchBytesMax: number;
  /** How often the journal is looked at when it has been read to its end. */
  pollIntervalMs: number;
  /** Pauses after an append that failed, from the first to the longest. */
  pauseMsMin: number;
  pauseMsMax: number;
  /** How often workers' progress is read. */
  lookIntervalMs: number;
  /** How often metrics are set and the hint is saved. */
  noteIntervalMs: number;
}

const defaultLimits: ForwarderLimits = {
  batchRecordsMax: 2_000,
  batchBytesMax: 900_000,
  pollIntervalMs: 10,
  pauseMsMin: 100,
  pauseMsMax: 5_000,
  lookIntervalMs: 2_000,
  noteIntervalMs: 1_000,
};

const failedWords = 'Forwarding has failed: deliveries stay in the journal';
/** Beside the hint. */
const unreadableName = 'unreadable.jsonl';
/** A lane whose oldest unacknowledged record is older than this is not live. */
const lagMsMax = 5_000;

export interface Forwarder {
  /** Rejects on a fault of this program: nothing is forwarded any more. What is journaled is safe all the same. */
  readonly failed: Promise<never>;
  /** True while what is new in a lane arrives there late. */
  catchingUp(tenant: string): boolean;
  /** The journal may let go of what lies before this position. */
  covered(): number;
  /** Everything before this position was acknowledged by its lane, though it may be lost there before it is covered. */
  acknowledged(): number;
  /** What is wrong now, for people. */
  troubles(): string[];
  /** Brings what is left into the lanes, for at most `deadlineMs`. The journal is the caller's to close, after this. */
  stop(deadlineMs: number): Promise<void>;
}

/** Reads the journal's bounds and the hint, and goes on by itself. Rejects where the journal cannot be read. */
export async function startForwarder(options: ForwarderOptions): Promise<Forwarder> {
  const { journal, logger, hintFile } = options;
  await mkdir(dirname(hintFile), { recursive: true });
  const { first, next } = await journal.bounds();
  const hint = await readHint(hintFile, journal);
  if (!hint && next > first) logger.warn({ hintFile }, 'It is not known what was forwarded: the journal is sent again');
  return forward(options, startOf(hint, first, next));
}

/** Where to begin in the journal. */
interface Start {
  covered: number;
  /** Lanes that were forwarded to. */
  lanes: Readonly<Record<string, number>>;
  /** All other lanes: one that was not known yet stands behind what had been read. */
  others: number;
  /**
   * Without a hint all of the journal would be sent, also of boots that the flow has forgotten: it would take them for
   * new. So below this position nothing is sent before workers were asked, and nothing that their snapshots hold.
   */
  guardedTo: number;
  saved: Saved;
}

function startOf(hint: Hint | undefined, first: number, next: number): Start {
  if (!hint) return { covered: first, lanes: {}, others: first, guardedTo: next, saved: { savedAt: {}, held: {} } };
  const lanes = Object.entries(hint.lanes).map(([tenant, position]) => [tenant, Math.max(first, position)] as const);
  const others = Math.min(...lanes.map(([, position]) => position));
  return {
    covered: Math.max(first, hint.covered),
    lanes: Object.fromEntries(lanes),
    others,
    guardedTo: first,
    saved: hint,
  };
}

function forward(options: ForwarderOptions, start: Start): Forwarder {
  const { journal, metrics, logger, now = Date.now } = options;
  const limits: ForwarderLimits = { ...defaultLimits, ...options.limits };
  const troubles = createTroubles(logger);
  const stopping = new AbortController();
  const { signal } = stopping;
  const guard = Promise.withResolvers<void>();
  const failure = createFailure(logger);
  const { keep } = failure;
  const unreadable = createUnreadable({ file: join(dirname(options.hintFile), unreadableName), metrics, logger });
  const readable = createReadableJournal({
    journal,
    retry: createRetry({ ...limits, signal, trouble: troubles.journal }),
    onUnreadable: unreadable.note,
  });
  const hints = createHints(options.hintFile, journal);
  const gauges = createGauges(metrics);
  const reader = createJournalReader({
    readJournal: readable.read,
    position: Math.min(start.covered, start.others),
    onRecords: enter,
    pollIntervalMs: limits.pollIntervalMs,
  });
  const routes = createRoutes({ partitionOf: options.lane, begin: beginRoute });
  const sight = createSight({
    tenants: options.tenants,
    progress: options.progress,
    readJournal: reader.read,
    lacksBefore: readable.lacksBefore,
    coveredTo: start.covered,
    saved: start.saved,
    routes,
    trouble: troubles.progress,
    logger,
    now,
  });

  function beginRoute(partition: Partition, position: number, owns: (tenant: string) => boolean): Route {
    const onFailure = (error: unknown) => metrics.errors.inc({ code: codeOf(error) });
    const route = createRoute({
      ...limits,
      partition,
      reader,
      position,
      owns,
      passesOver: (at, place) => at < start.guardedTo && sight.isCovered(place),
      retry: createRetry({ ...limits, signal, trouble: troubles.lanes, onFailure }),
      metrics,
    });
    keep(guard.promise.then(() => route.run(signal)));
    return route;
  }

  /** Takes records into account before any route comes upon them. */
  function enter(records: readonly LogRecord[]): void {
    gauges.add(records);
    for (const record of records) {
      const place = placeOfAnyVersion(record.frame);
      const route = routes.open(record.key, record.position);
      if (record.position >= route.positionOf(record.key)) route.backlog.add(record, place.receivedAt);
      sight.add(place, record.position);
    }
    for (const route of routes.all()) route.wake();
  }

  const acknowledged = () => Math.min(reader.position, ...Object.values(routes.positions()));
  const covered = () => Math.min(sight.coveredTo, acknowledged());
  const wrong = (...kinds: (keyof typeof troubles)[]) => [
    ...(failure.broken ? [failedWords] : []),
    ...kinds.flatMap((kind) => troubles[kind].lasting() ?? []),
  ];

  async function look(): Promise<void> {
    while (!signal.aborted) {
      await sight.look(signal).catch(async (error) => {
        // Whoever forwards next begins as with a journal of which nothing is known.
        if (error instanceof LaneRestoredError) await hints.forget();
        throw error;
      });
      if (sight.complete && reader.position >= start.guardedTo) guard.resolve();
      await wait(limits.lookIntervalMs, undefined, { signal }).catch(() => {});
    }
  }

  async function note(): Promise<void> {
    // Where even this cannot be read, what is known is told.
    const { first, next } = await journal.bounds().catch(() => ({ first: 0, next: reader.position }));
    const backlogs = [...routes.all()].map(({ backlog }) => backlog);
    gauges.set(backlogs, next, reader.position, now());
    metrics.uncoveredRecords.set(Math.max(0, reader.position - Math.max(first, covered())));
    metrics.forwarding.set(wrong('lanes', 'journal').length > 0 ? 0 : 1);
    const hint: Hint = { covered: covered(), lanes: routes.positions(), ...sight.saved() };
    try {
      await hints.write(hint);
      troubles.hint.end(routes);
    } catch (error) {
      troubles.hint.begin(routes, error);
    }
  }

  async function keepNotes(): Promise<void> {
    for (let ending = false; !ending; ) {
      await wait(limits.noteIntervalMs, undefined, { signal }).catch(() => {});
      ending = signal.aborted;
      await note();
    }
  }

  async function drain(deadlineMs: number): Promise<void> {
    const endsAt = performance.now() + deadlineMs;
    const { next } = await journal.bounds().catch(() => ({ next: reader.position }));
    const isLeft = () => [reader.position, ...Object.values(routes.positions())].some((position) => position < next);
    while (isLeft() && performance.now() < endsAt) await wait(limits.pollIntervalMs);
  }

  openRoutes(routes, options, start);
  if (start.guardedTo <= reader.position) guard.resolve();
  keep(reader.run(signal));
  keep(look());
  const notes = keepNotes();
  keep(notes);

  return {
    failed: failure.promise,
    catchingUp(tenant) {
      const since = [routes.of(tenant)?.backlog.oldestAt, gauges.standingSince];
      return failure.broken || since.some((at) => at !== undefined && now() - at > lagMsMax);
    },
    covered,
    acknowledged,
    troubles: () => wrong('lanes', 'journal', 'progress', 'hint'),
    async stop(deadlineMs) {
      try {
        await drain(deadlineMs);
      } finally {
        stopping.abort();
        await notes.catch(() => {});
        await unreadable.settled();
      }
    },
  };
}

function openRoutes(routes: Routes, { tenants, lane }: ForwarderOptions, { lanes, others }: Start): void {
  for (const sharing of Map.groupBy([...tenants, ...Object.keys(lanes)], lane).values()) {
    const position = Math.min(...sharing.map((tenant) => lanes[tenant] ?? others));
    for (const tenant of sharing) routes.open(tenant, position);
  }
}

/** Of tasks that end only by a fault of this program. */
function createFailure(logger: Logger) {
  const { promise, reject } = Promise.withResolvers<never>();
  const failure = { promise, broken: false, keep: (task: Promise<void>) => void task.catch(reject) };
  promise.catch((error) => {
    failure.broken = true;
    logger.error({ err: error }, failedWords);
  });
  return failure;
}

function createTroubles(logger: Logger) {
  return {
    lanes: createTrouble(
      logger,
      'Records cannot be brought into their lanes: they wait in the journal',
      'Records are brought into their lanes again',
    ),
    journal: createTrouble(
      logger,
      'The journal cannot be read: nothing is brought into the lanes',
      'The journal can be read again',
    ),
    progress: createTrouble(
      logger,
      'It is not known how far lanes have been worked on: the journal is not trimmed, nor is what was lost sent again',
      'It is known again how far lanes have been worked on',
    ),
    hint: createTrouble(
      logger,
      'Cannot save what was forwarded: after a restart more is sent again',
      'What was forwarded is saved again',
    ),
  };
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : 'unknown';
}
