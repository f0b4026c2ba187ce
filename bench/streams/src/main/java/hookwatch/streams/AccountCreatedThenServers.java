package hookwatch.streams;

import hookwatch.Detection;
import hookwatch.Severity;
import hookwatch.streams.Deliveries.Occurrence;
import java.util.ArrayList;
import java.util.Comparator;

/** Rule: an account is created, and then N distinct servers within T. */
final class AccountCreatedThenServers {
  static final String RULE = "account-created-then-servers";
  private static final Severity SEVERITY = Severity.high;
  /** Evidence beyond this is counted, not listed. */
  private static final int EVIDENCE_MAX = 1000;

  private final Tables tables;
  private final Expiries expiries;

  AccountCreatedThenServers(Tables tables, Expiries expiries) {
    this.tables = tables;
    this.expiries = expiries;
  }

  /** The account's creation: the window opens. Servers that were heard of before it count too. */
  void accountCreated(Step step, Occurrence occurrence) {
    var account = occurrence.fact().account();
    var burst = new BurstRow(
        occurrence.event(), occurrence.delivery().received_at, occurrence.time(), new ArrayList<>(), new ArrayList<>(), 0L, null);
    save(step, account, burst);
    record Earlier(String server, Creation creation) {}
    var earlier = new ArrayList<Earlier>();
    for (var entry : tables.creations.withPrefix(Tables.prefix(step.tenant, account))) {
      for (var creation : entry.value.creations) {
        if (!isWithin(step, burst, creation.time)) continue;
        earlier.add(new Earlier(Tables.lastPart(entry.key), creation));
        break;
      }
    }
    earlier.sort(Comparator.comparingLong(one -> one.creation.position));
    for (var one : earlier) countServer(step, account, one.server, one.creation, occurrence.time());
  }

  /** The account's deletion: its servers were of that life, and count towards no other. */
  void accountDeleted(Step step, String account) {
    tables.bursts.delete(Tables.key(step.tenant, account));
    for (var entry : tables.creations.withPrefix(Tables.prefix(step.tenant, account))) tables.creations.delete(entry.key);
  }

  /** A server's creation: counts when it is the server's first one within the window. */
  void serverCreated(Step step, Occurrence occurrence) {
    var account = occurrence.fact().account();
    var server = occurrence.fact().key();
    var key = Tables.key(step.tenant, account, server);
    var row = tables.creations.get(key);
    if (row == null) row = new CreationsRow(new ArrayList<>());
    var burst = tables.bursts.get(Tables.key(step.tenant, account));
    boolean counts = burst != null && isWithin(step, burst, occurrence.time());
    for (var earlier : row.creations) counts &= !isWithin(step, burst, earlier.time);
    var creation = new Creation(occurrence.time(), occurrence.event(), occurrence.delivery().received_at, step.position);
    row.creations.add(creation);
    tables.creations.put(key, row);
    expiries.plan(step.lane, Tables.CREATIONS, key);
    if (counts) countServer(step, account, server, creation, creation.time);
  }

  /** Account bodies carry no time, so a server's own time may lie before the account's by what the provider was late. */
  private static boolean isWithin(Step step, BurstRow burst, long time) {
    var settings = step.lane.row;
    return burst != null && time >= burst.startedAt - settings.pastMs && time <= burst.startedAt + settings.withinMs;
  }

  private void save(Step step, String account, BurstRow burst) {
    var key = Tables.key(step.tenant, account);
    tables.bursts.put(key, burst);
    expiries.plan(step.lane, Tables.BURSTS, key);
  }

  /** Adds a server to the burst, and fires or amends. `at`: time of the event that is being worked on. */
  private void countServer(Step step, String account, String server, Creation creation, long at) {
    var burst = tables.bursts.get(Tables.key(step.tenant, account));
    var settings = step.lane.row;
    burst.count++;
    if (burst.servers.size() < EVIDENCE_MAX) {
      burst.servers.add(server);
      burst.events.add(creation.event);
    }
    burst.firstReceivedAt = Math.min(burst.firstReceivedAt, creation.receivedAt);
    boolean fires = burst.detection == null && burst.count >= settings.servers;
    if (fires) {
      var id = step.ids.of(burst.firstReceivedAt, "detection", step.tenant, RULE, burst.accountEvent);
      burst.detection = new DetectionRow(id, at, burst.firstReceivedAt, (long) settings.servers, settings.withinMs, 0L);
      tables.count(Tables.key(step.tenant, "detections", RULE + "|" + SEVERITY), 1);
    }
    if (burst.detection != null) burst.detection.revision++;
    save(step, account, burst);
    if (burst.detection != null) emit(step, account, burst);
  }

  private static void emit(Step step, String account, BurstRow burst) {
    var detection = burst.detection;
    var output = new Detection();
    output.account = account;
    output.rule = RULE;
    output.title =
        "Account " + account + " was created, then " + burst.count + " servers within " + describe(detection.windowMs);
    output.severity = SEVERITY;
    output.started_at = burst.startedAt;
    output.fired_at = detection.firedAt;
    output.threshold = detection.threshold;
    output.window_ms = detection.windowMs;
    output.count = burst.count;
    output.subjects = burst.servers;
    output.events = new ArrayList<>(burst.events);
    output.events.add(0, burst.accountEvent);
    step.emit(output, detection.id, detection.revision, detection.firstReceivedAt);
  }

  private static String describe(long windowMs) {
    if (windowMs % Times.HOUR_MS == 0) return windowMs / Times.HOUR_MS + " h";
    return windowMs % Times.MINUTE_MS == 0 ? windowMs / Times.MINUTE_MS + " min" : windowMs / 1000 + " s";
  }
}
