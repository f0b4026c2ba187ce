package hookwatch.streams;

import hookwatch.Control;

/** Gapless input per producer, and the watermark that follows from it. */
final class Producers {
  /** A producer this far behind another one's live ticks holds the watermark no longer. */
  private static final long HOLD_MS_MAX = 60_000;

  /** Whether a record is next of its producer: not one that was seen before, nor one behind a gap. */
  static boolean admit(Step step, String boot, long seq, long receivedAt) {
    var producer = step.lane.producers.get(boot);
    if (producer == null) producer = new ProducerRow("", -1L, -1L, receivedAt, true, false);
    if (seq <= producer.lastSeq) {
      step.tables.count(Tables.key(step.tenant, "repeats"), 1);
      return false;
    }
    boolean next = seq == producer.lastSeq + 1;
    producer.seenSeq = Math.max(producer.seenSeq, seq);
    if (next) {
      producer.lastSeq = seq;
      producer.progress = Math.max(producer.progress, receivedAt);
    }
    step.lane.saveProducer(boot, producer);
    return next;
  }

  /** A boot record: names its edge and closes that edge's earlier boots. */
  static void open(Step step, Expiries expiries, Control control) {
    for (var entry : step.lane.producers.entrySet()) {
      var producer = entry.getValue();
      if (entry.getKey().equals(control.boot)) producer.edge = control.edge;
      else if (!producer.closed && (entry.getKey().equals(control.predecessor) || producer.edge.equals(control.edge))) {
        producer.closed = true;
      } else continue;
      step.lane.saveProducer(entry.getKey(), producer);
      if (producer.closed) expiries.plan(step.lane, Tables.PRODUCERS, Tables.key(step.tenant, entry.getKey()));
    }
  }

  /** A tick: time has reached an instant at the producer. */
  static void tick(Step step, String boot, long time, boolean catchingUp) {
    var producer = step.lane.producers.get(boot);
    producer.progress = Math.max(producer.progress, time);
    producer.live = !catchingUp;
    step.lane.saveProducer(boot, producer);
  }

  /** The lowest progress of the open producers, less the slack; what is far behind live ones does not hold it. */
  static long advanceWatermark(Lane lane) {
    long live = 0;
    for (var producer : lane.producers.values()) {
      if (!producer.closed && producer.live) live = Math.max(live, producer.progress);
    }
    long lowest = Long.MAX_VALUE;
    for (var producer : lane.producers.values()) {
      if (!producer.closed && producer.progress >= live - HOLD_MS_MAX) lowest = Math.min(lowest, producer.progress);
    }
    if (lowest != Long.MAX_VALUE && lowest - lane.row.slackMs > lane.row.watermark) {
      lane.row.watermark = lowest - lane.row.slackMs;
      lane.save();
    }
    return lane.row.watermark;
  }

  private Producers() {}
}
