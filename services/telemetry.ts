/**
 * Every Prometheus metric, declared once. A process registers the groups of the parts that it runs.
 *
 * Account labels appear nowhere here: their number is not ours to bound. Endpoint and tenant labels come from the
 * configuration, so their number is.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const secondsBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const verificationBuckets = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01];

/** A registry with the metrics of the process itself. */
export function createRegistry(service: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  return registry;
}

export type EdgeMetrics = ReturnType<typeof edgeMetrics>;

/** Ledger of the edge: requests = journaled + refused, each request once. */
export function edgeMetrics(registry: Registry) {
  const registers = [registry];
  return {
    requests: new Counter({
      name: 'hookwatch_edge_requests_total',
      help: 'Requests to /in/ that were answered or whose sender went away.',
      registers,
    }),
    journaled: new Counter({
      name: 'hookwatch_edge_journaled_total',
      help: 'Requests whose delivery was on disk before they were answered.',
      labelNames: ['provider', 'event', 'verdict'],
      registers,
    }),
    refused: new Counter({
      name: 'hookwatch_edge_refused_total',
      help: 'Requests that were answered without a delivery on disk, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    journaledAfterRefusal: new Counter({
      name: 'hookwatch_edge_journaled_after_refusal_total',
      help: 'Deliveries whose commit ended after their sender had been answered 503 or had gone away.',
      registers,
    }),
    controls: new Counter({
      name: 'hookwatch_edge_controls_total',
      help: 'Control records journaled, by kind.',
      labelNames: ['kind'],
      registers,
    }),
    verificationSeconds: new Histogram({
      name: 'hookwatch_edge_verification_seconds',
      help: 'Time to verify the raw bytes of one delivery.',
      buckets: verificationBuckets,
      registers,
    }),
    commitSeconds: new Histogram({
      name: 'hookwatch_edge_commit_seconds',
      help: 'Time from handing a group to the journal to its being on disk.',
      buckets: secondsBuckets,
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'hookwatch_edge_request_seconds',
      help: 'Time from the head of a request to its answer.',
      buckets: secondsBuckets,
      registers,
    }),
    journalBytes: new Gauge({ name: 'hookwatch_edge_journal_bytes', help: 'Size of the journal on disk.', registers }),
    journalBytesMax: new Gauge({
      name: 'hookwatch_edge_journal_bytes_max',
      help: 'High-water mark at which the edge answers 503.',
      registers,
    }),
    pendingBytes: new Gauge({
      name: 'hookwatch_edge_pending_bytes',
      help: 'Bytes of deliveries taken in and not yet on disk.',
      registers,
    }),
    journalPosition: new Gauge({
      name: 'hookwatch_edge_journal_position',
      help: 'Position that the next record of the journal will get.',
      registers,
    }),
    ready: new Gauge({ name: 'hookwatch_edge_ready', help: '1 while deliveries are taken in.', registers }),
    clockSuspect: new Gauge({
      name: 'hookwatch_edge_clock_suspect',
      help: '1 while the wall clock is more than 5 s away from the monotonic clock: no ticks are written.',
      registers,
    }),
  };
}

export type WorkerMetrics = ReturnType<typeof workerMetrics>;

/** Ledger behind the edge: journaled = events + linked twins + rejects + pending. Read from the lane's state. */
export function workerMetrics(registry: Registry) {
  const registers = [registry];
  const labelNames = ['tenant'] as const;
  return {
    records: new Counter({
      name: 'hookwatch_worker_records_total',
      help: 'Records taken from the lanes since this worker started, replays included.',
      labelNames,
      registers,
    }),
    position: new Gauge({
      name: 'hookwatch_lane_position',
      help: 'Position of the last record that the flow has worked on.',
      labelNames,
      registers,
    }),
    recordLag: new Gauge({
      name: 'hookwatch_lane_lag_records',
      help: 'Records of the log that the flow has not worked on yet.',
      registers,
    }),
    watermarkLagSeconds: new Gauge({
      name: 'hookwatch_lane_watermark_lag_seconds',
      help: 'How far the watermark of the lane is behind the wall clock.',
      labelNames,
      registers,
    }),
    ledger: new Gauge({
      name: 'hookwatch_ledger_deliveries',
      help: 'Deliveries of the lane by what became of them, from the state: journaled = events + twins + rejects + pending.',
      labelNames: ['tenant', 'outcome'],
      registers,
    }),
    repeats: new Gauge({
      name: 'hookwatch_ledger_repeats',
      help: 'Records that came again from the same producer and were dropped, from the state.',
      labelNames,
      registers,
    }),
    producersBehind: new Gauge({
      name: 'hookwatch_lane_producers_behind',
      help: 'Producers of the lane with a gap in their numbers, from the state.',
      labelNames,
      registers,
    }),
    deliveries: new Gauge({
      name: 'hookwatch_deliveries',
      help: 'Deliveries by provider, event and verdict, from the state.',
      labelNames: ['tenant', 'provider', 'event', 'verdict'],
      registers,
    }),
    rejects: new Gauge({
      name: 'hookwatch_rejects',
      help: 'Rejects by reason, from the state.',
      labelNames: ['tenant', 'reason'],
      registers,
    }),
    detections: new Gauge({
      name: 'hookwatch_detections',
      help: 'Detections that hold, by rule and severity, from the state.',
      labelNames: ['tenant', 'rule', 'severity'],
      registers,
    }),
    openEpisodes: new Gauge({
      name: 'hookwatch_open_episodes',
      help: 'Alerts that are on, by metric, from the state.',
      labelNames: ['tenant', 'metric'],
      registers,
    }),
    stepSeconds: new Histogram({
      name: 'hookwatch_worker_step_seconds',
      help: 'Time of one step of the flow over a batch of records.',
      buckets: secondsBuckets,
      registers,
    }),
    checkpointSeconds: new Histogram({
      name: 'hookwatch_worker_checkpoint_seconds',
      help: 'Time from starting a checkpoint to its being on disk.',
      buckets: secondsBuckets,
      registers,
    }),
    checkpointPosition: new Gauge({
      name: 'hookwatch_lane_checkpoint_position',
      help: 'Position of the newest checkpoint.',
      labelNames,
      registers,
    }),
  };
}

export type SinkMetrics = ReturnType<typeof sinkMetrics>;

export function sinkMetrics(registry: Registry) {
  const registers = [registry];
  return {
    rows: new Counter({
      name: 'hookwatch_sink_rows_total',
      help: 'Rows acknowledged by ClickHouse, replays included.',
      labelNames: ['table'],
      registers,
    }),
    retries: new Counter({
      name: 'hookwatch_sink_retries_total',
      help: 'Inserts that had to be tried again, by error code.',
      labelNames: ['code'],
      registers,
    }),
    insertSeconds: new Histogram({
      name: 'hookwatch_sink_insert_seconds',
      help: 'Time of one insert.',
      buckets: secondsBuckets,
      registers,
    }),
    endToEndSeconds: new Histogram({
      name: 'hookwatch_end_to_end_seconds',
      help: "Time from a delivery's received_at to its row in ClickHouse, replays left out.",
      buckets: secondsBuckets,
      registers,
    }),
    lagRecords: new Gauge({
      name: 'hookwatch_sink_lag_records',
      help: 'Outputs that are not in ClickHouse yet.',
      registers,
    }),
    position: new Gauge({
      name: 'hookwatch_sink_position',
      help: 'Position in the outputs up to which everything is in ClickHouse.',
      registers,
    }),
    blocked: new Gauge({
      name: 'hookwatch_sink_blocked',
      help: '1 while ClickHouse cannot be reached or refuses what it is given.',
      registers,
    }),
  };
}

export type ConsoleMetrics = ReturnType<typeof consoleMetrics>;

export function consoleMetrics(registry: Registry) {
  const registers = [registry];
  return {
    viewers: new Gauge({ name: 'hookwatch_console_viewers', help: 'Open live streams.', registers }),
    entries: new Gauge({ name: 'hookwatch_console_entries', help: 'Entries held for the live page.', registers }),
    resets: new Gauge({
      name: 'hookwatch_console_resets',
      help: 'Times since the start that a viewer fell behind and was given the whole picture again.',
      registers,
    }),
  };
}
