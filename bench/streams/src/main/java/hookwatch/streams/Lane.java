package hookwatch.streams;

import java.util.HashMap;
import java.util.Map;

/** What a task keeps at hand of a lane. The rows are the store's, written through at every change. */
final class Lane {
  final String tenant;
  /** The settings in force and the lane's time. */
  final LaneRow row;
  /** By boot. */
  final Map<String, ProducerRow> producers = new HashMap<>();
  /** What ends before this hour has been ended. */
  long expiredHour = Long.MIN_VALUE;

  private final Tables tables;

  Lane(String tenant, Tables tables) {
    this.tenant = tenant;
    this.tables = tables;
    var known = tables.lanes.get(tenant);
    row = known == null ? beforeGenesis() : known;
    for (var entry : tables.producers.withPrefix(Tables.prefix(tenant))) {
      producers.put(Tables.lastPart(entry.key), entry.value);
    }
  }

  /** To be called after a change of the row. */
  void save() {
    tables.lanes.put(tenant, row);
  }

  void saveProducer(String boot, ProducerRow producer) {
    producers.put(boot, producer);
    tables.producers.put(Tables.key(tenant, boot), producer);
  }

  void forgetProducer(String boot) {
    producers.remove(boot);
    tables.producers.delete(Tables.key(tenant, boot));
  }

  boolean hasSettings() {
    return !row.settings.isEmpty();
  }

  private static LaneRow beforeGenesis() {
    var row = new LaneRow();
    row.settings = "";
    row.servers = 5;
    row.withinMs = Times.HOUR_MS;
    row.pastMs = Times.HOUR_MS;
    row.futureMs = Times.MINUTE_MS;
    row.slackMs = 2_000;
    row.latenessMs = 2 * Times.DAY_MS;
    row.rolledMinute = -1;
    return row;
  }
}
