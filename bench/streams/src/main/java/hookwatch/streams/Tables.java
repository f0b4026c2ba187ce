package hookwatch.streams;

import org.apache.kafka.streams.processor.api.ProcessorContext;

/** All state of a task. Keys begin with the tenant; their parts are joined by a zero character. */
final class Tables {
  static final String LANES = "lanes";
  static final String PRODUCERS = "producers";
  static final String REQUESTS = "requests";
  static final String ENTITIES = "entities";
  static final String CREATIONS = "creations";
  static final String PANES = "panes";
  static final String DIRTY = "dirty-panes";
  static final String ROLLING = "rolling";
  static final String EPISODES = "episodes";
  static final String BURSTS = "bursts";
  static final String EXPIRIES = "expiries";
  static final String COUNTS = "counts";

  private static final char SEPARATOR = '\0';

  /** By tenant. */
  final Table<LaneRow> lanes;
  /** By boot. */
  final Table<ProducerRow> producers;
  /** When it was asked for, by idempotency id. */
  final Table<Long> requests;
  /** By kind, account and key. */
  final Table<EntityRow> entities;
  /** By account and server. */
  final Table<CreationsRow> creations;
  /** By account and minute. */
  final Table<PaneRow> panes;
  /** Accounts and minutes whose row must be made anew at the next tick. */
  final Marks dirty;
  /** Minute of the last creation, by accounts whose rolling value is above zero. */
  final Table<Long> rolling;
  /** By account, and by server and metric. */
  final Table<EpisodesRow> episodes;
  /** By account. */
  final Table<BurstRow> bursts;
  /** By the hour in which it ends: a table and a key in it. */
  final Marks expiries;
  /** By what is counted. */
  final Table<Long> counts;

  Tables(ProcessorContext<?, ?> context) {
    lanes = new Table<>(context.getStateStore(LANES));
    producers = new Table<>(context.getStateStore(PRODUCERS));
    requests = new Table<>(context.getStateStore(REQUESTS));
    entities = new Table<>(context.getStateStore(ENTITIES));
    creations = new Table<>(context.getStateStore(CREATIONS));
    panes = new Table<>(context.getStateStore(PANES));
    dirty = new Marks(context.getStateStore(DIRTY));
    rolling = new Table<>(context.getStateStore(ROLLING));
    episodes = new Table<>(context.getStateStore(EPISODES));
    bursts = new Table<>(context.getStateStore(BURSTS));
    expiries = new Marks(context.getStateStore(EXPIRIES));
    counts = new Table<>(context.getStateStore(COUNTS));
  }

  void count(String key, long by) {
    var known = counts.get(key);
    counts.put(key, (known == null ? 0 : known) + by);
  }

  static String key(String tenant, String part) {
    return tenant + SEPARATOR + part;
  }

  static String key(String tenant, String part, String other) {
    return tenant + SEPARATOR + part + SEPARATOR + other;
  }

  static String key(String tenant, String part, String other, String third) {
    return tenant + SEPARATOR + part + SEPARATOR + other + SEPARATOR + third;
  }

  /** What keys that go on behind these parts begin with. */
  static String prefix(String tenant, String... parts) {
    return tenant + SEPARATOR + (parts.length == 0 ? "" : String.join("\0", parts) + SEPARATOR);
  }

  /** The part of a key behind its last separator. */
  static String lastPart(String key) {
    return key.substring(key.lastIndexOf(SEPARATOR) + 1);
  }
}
