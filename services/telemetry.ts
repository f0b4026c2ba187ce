/**
 * Every Prometheus metric, declared once; those of lanes, which a worker exports, in lane-telemetry.ts. A process registers
 * the groups of the parts that it runs.
 *
 * Account labels appear nowhere here: their number is not ours to bound. Endpoint and tenant labels come from the
 * configuration, so their number is.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { laneMetrics } from './lane-telemetry.ts';

const secondsBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const verificationBuckets = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01];

/** A registry with the metrics of the process itself. */
export function createRegistry(service: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  return registry;
}

export type { Registry } from 'prom-client';

function declarations(registry: Registry) {
  const registers = [registry];
  return {
    counter: (name: string, help: string, labelNames: string[] = []) =>
      new Counter({ name, help, labelNames, registers }),
    gauge: (name: string, help: string, labelNames: string[] = []) => new Gauge({ name, help, labelNames, registers }),
    histogram: (name: string, help: string, buckets: number[]) => new Histogram({ name, help, buckets, registers }),
  };
}

/** Declares a gauge. */
export type DeclareGauge = ReturnType<typeof declarations>['gauge'];

export type EdgeMetrics = ReturnType<typeof edgeMetrics>;

/** Ledger of the edge: requests = journaled + refused + in flight, at any time. */
export function edgeMetrics(registry: Registry) {
  const { counter, gauge, histogram } = declarations(registry);
  return {
    requests: counter('hookwatch_edge_requests_total', 'Requests to /in/, counted when their head has arrived.'),
    requestsInFlight: gauge(
      'hookwatch_edge_requests_in_flight',
      'Requests to /in/ that have no outcome yet: one that never falls to 0 while idle shows a request lost on its way.',
    ),
    journaled: counter(
      'hookwatch_edge_journaled_total',
      'Requests whose delivery was on disk before they were answered.',
      ['provider', 'event', 'verdict'],
    ),
    refused: counter(
      'hookwatch_edge_refused_total',
      'Requests that were answered without a delivery on disk, by reason.',
      ['reason'],
    ),
    journaledAfterRefusal: counter(
      'hookwatch_edge_journaled_after_refusal_total',
      'Deliveries whose commit ended after their sender had been answered 503 or had gone away.',
    ),
    endpoints: gauge('hookwatch_edge_endpoints', 'Endpoints that are listened to.'),
    endpointsInfo: gauge(
      'hookwatch_edge_endpoints_info',
      '1 for the hash of the endpoints that are listened to: edges that have the same one listen to the same.',
      ['hash'],
    ),
    endpointsRefused: gauge('hookwatch_edge_endpoints_refused', '1 while what endpoints are by now cannot be read.'),
    controls: counter('hookwatch_edge_controls_total', 'Control records journaled, by kind.', ['kind']),
    recovered: counter(
      'hookwatch_edge_recovered_total',
      'Deliveries journaled that no webhook brought: comparisons with a provider have found them.',
      ['provider', 'event'],
    ),
    verificationSeconds: histogram(
      'hookwatch_edge_verification_seconds',
      'Time to verify the raw bytes of one delivery.',
      verificationBuckets,
    ),
    commitSeconds: histogram(
      'hookwatch_edge_commit_seconds',
      'Time from handing a group to the journal to its being on disk.',
      secondsBuckets,
    ),
    requestSeconds: histogram(
      'hookwatch_edge_request_seconds',
      'Time from the head of a request to its answer.',
      secondsBuckets,
    ),
    journalBytes: gauge('hookwatch_edge_journal_bytes', 'Size of the journal on disk.'),
    journalBytesMax: gauge('hookwatch_edge_journal_bytes_max', 'High-water mark at which the edge answers 503.'),
    pendingBytes: gauge('hookwatch_edge_pending_bytes', 'Bytes of deliveries taken in and not yet on disk.'),
    journalPosition: gauge('hookwatch_edge_journal_position', 'Position that the next record of the journal will get.'),
    ready: gauge('hookwatch_edge_ready', '1 while deliveries are taken in.'),
    clockSuspect: gauge(
      'hookwatch_edge_clock_suspect',
      '1 while the wall clock is more than 5 s away from the monotonic clock: no ticks are written.',
    ),
  };
}

export type EdgeTlsMetrics = ReturnType<typeof edgeTlsMetrics>;

/** Of an edge that speaks TLS itself. */
export function edgeTlsMetrics(registry: Registry) {
  const { gauge } = declarations(registry);
  return {
    certificateNotAfter: gauge(
      'hookwatch_edge_certificate_not_after_seconds',
      'When the certificate that is served runs out, in seconds since 1970.',
    ),
  };
}

export type ForwarderMetrics = ReturnType<typeof forwarderMetrics>;

/** Of an edge whose lanes are in Kafka, behind its journal. */
export function forwarderMetrics(registry: Registry) {
  const { counter, gauge } = declarations(registry);
  return {
    forwarding: gauge(
      'hookwatch_edge_forwarding',
      '1 while what is journaled comes into the lanes; /readyz says why it does not.',
    ),
    unreadable: counter(
      'hookwatch_edge_unreadable_records_total',
      'Records of the journal that could not be read and were passed over.',
    ),
    letGo: counter(
      'hookwatch_edge_let_go_records_total',
      'Records that Kafka had acknowledged and no checkpoint covered, when a full journal let go of them.',
    ),
    forwarded: counter('hookwatch_edge_forwarded_records_total', 'Records that were acknowledged by their lanes.'),
    resent: counter(
      'hookwatch_edge_resent_records_total',
      'Records that were sent again, since their lane lacked one that it had acknowledged.',
    ),
    errors: counter(
      'hookwatch_edge_forward_errors_total',
      'Appends to lanes that had to be tried again, by error code.',
      ['code'],
    ),
    unforwardedRecords: gauge(
      'hookwatch_edge_unforwarded_records',
      'Records that no lane has acknowledged yet, whether they could be read or not: what would be lost with the disk now.',
    ),
    unforwardedBytes: gauge(
      'hookwatch_edge_unforwarded_bytes',
      'Bytes of the records that no lane has acknowledged yet; of those that were not read yet, as many as others have on average.',
    ),
    unforwardedSeconds: gauge(
      'hookwatch_edge_unforwarded_seconds',
      'Age of the oldest record that no lane has acknowledged yet; 0 where there is none.',
    ),
    uncoveredRecords: gauge(
      'hookwatch_edge_uncovered_records',
      'Records of the journal from the first one on that no checkpoint covers yet: they cannot be trimmed.',
    ),
  };
}

export type WorkerMetrics = ReturnType<typeof workerMetrics>;

export function workerMetrics(registry: Registry) {
  const { counter, gauge, histogram } = declarations(registry);
  return {
    records: counter(
      'hookwatch_worker_records_total',
      'Records taken from the lanes since this worker started, replays included.',
      ['tenant'],
    ),
    recordLag: gauge(
      'hookwatch_lane_lag_records',
      'Records of the log, or of one of its partitions, that the flow has not worked on yet.',
      ['partition'],
    ),
    stepSeconds: histogram(
      'hookwatch_worker_step_seconds',
      'Time of one step of the flow over a batch of records.',
      secondsBuckets,
    ),
    checkpointSeconds: histogram(
      'hookwatch_worker_checkpoint_seconds',
      'Time from starting a checkpoint to its being on disk.',
      secondsBuckets,
    ),
    ...laneMetrics(gauge),
  };
}

export type SinkMetrics = ReturnType<typeof sinkMetrics>;

export function sinkMetrics(registry: Registry) {
  const { counter, gauge, histogram } = declarations(registry);
  return {
    rows: counter('hookwatch_sink_rows_total', 'Rows acknowledged by ClickHouse, replays included.', ['table']),
    retries: counter('hookwatch_sink_retries_total', 'Inserts that had to be tried again, by error code.', ['code']),
    insertSeconds: histogram('hookwatch_sink_insert_seconds', 'Time of one insert.', secondsBuckets),
    endToEndSeconds: histogram(
      'hookwatch_end_to_end_seconds',
      "Time from a delivery's received_at to its row in ClickHouse, replays left out.",
      secondsBuckets,
    ),
    refused: counter(
      'hookwatch_sink_refused_total',
      'Rows that ClickHouse refused, kept in hookwatch.sink_refused, replays included; without a table where the frame cannot be read.',
      ['table'],
    ),
    lost: counter('hookwatch_sink_lost_records_total', 'Outputs that their log let go before ClickHouse had them.', [
      'source',
    ]),
    lagRecords: gauge('hookwatch_sink_lag_records', 'Outputs that are not in ClickHouse yet.', ['source']),
    position: gauge('hookwatch_sink_position', 'Position in the outputs up to which everything is in ClickHouse.', [
      'source',
    ]),
    blocked: gauge('hookwatch_sink_blocked', '1 while ClickHouse cannot be reached or refuses what it is given.'),
  };
}

/** Of the embedded engine; a ClickHouse server has its own. */
export function clickhouseMetrics(registry: Registry) {
  const { counter, histogram } = declarations(registry);
  return {
    queries: counter(
      'hookwatch_clickhouse_queries_total',
      "Queries and inserts that were answered, by ClickHouse's exception code; 0 where all went well.",
      ['code'],
    ),
    querySeconds: histogram('hookwatch_clickhouse_query_seconds', 'Time of one query or insert.', secondsBuckets),
  };
}

export type ConsoleMetrics = ReturnType<typeof consoleMetrics>;

export function consoleMetrics(registry: Registry) {
  const { gauge } = declarations(registry);
  return {
    viewers: gauge('hookwatch_console_viewers', 'Open live streams.'),
    entries: gauge('hookwatch_console_entries', 'Entries held for the live page.'),
    resets: gauge(
      'hookwatch_console_resets',
      'Times since the start that a viewer fell behind and was given the whole picture again.',
    ),
  };
}

export type ReconcileMetrics = ReturnType<typeof reconcileMetrics>;

/** Of comparisons with what providers' APIs show. */
export function reconcileMetrics(registry: Registry) {
  const { counter, gauge, histogram } = declarations(registry);
  return {
    runs: counter(
      'hookwatch_reconcile_runs_total',
      'Comparisons since the start: complete, incomplete where accounts were not walked whole, failed where they could not go on.',
      ['tenant', 'outcome'],
    ),
    lastSeconds: gauge(
      'hookwatch_reconcile_last_seconds',
      'When the last comparison ended, whole or not, in seconds since 1970.',
      ['tenant'],
    ),
    lastCompleteSeconds: gauge(
      'hookwatch_reconcile_last_complete_seconds',
      'When the last whole comparison began, in seconds since 1970; 0 where there was none.',
      ['tenant'],
    ),
    differences: counter(
      'hookwatch_reconcile_differences_total',
      'What comparisons found: creation, change, deletion that were missed; seen, contradiction, unsettled, withheld.',
      ['tenant', 'provider', 'difference'],
    ),
    accounts: gauge(
      'hookwatch_reconcile_accounts',
      'Accounts of the last comparison, by whether they were walked whole.',
      ['tenant', 'provider', 'outcome'],
    ),
    servers: gauge('hookwatch_reconcile_servers', 'Servers that the last comparison met.', ['tenant', 'provider']),
    calls: counter(
      'hookwatch_reconcile_calls_total',
      "Calls of a provider's API, every try, by what came of it: ok, or the code of its error.",
      ['provider', 'call', 'outcome'],
    ),
    callSeconds: histogram(
      'hookwatch_reconcile_call_seconds',
      "Time of one try of a call of a provider's API.",
      secondsBuckets,
    ),
  };
}
