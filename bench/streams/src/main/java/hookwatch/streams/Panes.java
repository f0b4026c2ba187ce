package hookwatch.streams;

import hookwatch.Pane;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;

/**
 * Distinct servers created per account: within each minute, and over the hour that ends with it. Rows are emitted at
 * ticks only, as absolute values, and only where they differ from what was said before.
 */
final class Panes {
  private static final int WINDOW_MINUTES = 60;
  private static final String METRIC = "servers_created";

  private final Tables tables;
  private final Expiries expiries;

  Panes(Tables tables, Expiries expiries) {
    this.tables = tables;
    this.expiries = expiries;
  }

  /** Counts a server into the minute of its creation. */
  void add(Step step, String account, String server, long time) {
    long minute = Math.floorDiv(time, Times.MINUTE_MS);
    var pane = pane(step, account, minute);
    if (pane != null && pane.servers.contains(server)) return;
    if (pane == null) pane = emptyPane();
    pane.servers.add(server);
    save(step, account, minute, pane);
    long last = Math.max(minute, Math.min(minute + WINDOW_MINUTES, step.lane.row.rolledMinute));
    for (long dirty = minute; dirty <= last; dirty++) markDirty(step, account, dirty);
    var key = Tables.key(step.tenant, account);
    var known = tables.rolling.get(key);
    if (known == null || known < minute) tables.rolling.put(key, minute);
  }

  /** At a tick: rolls the windows on to the watermark and emits every row that has changed. */
  void emit(Step step, long watermark) {
    rollOn(step, Math.floorDiv(watermark, Times.MINUTE_MS));
    for (var key : tables.dirty.withPrefix(Tables.prefix(step.tenant))) {
      tables.dirty.remove(key);
      var parts = key.split("\0", 3);
      emit(step, parts[1], Long.parseLong(parts[2]));
    }
  }

  private void rollOn(Step step, long minute) {
    var lane = step.lane.row;
    if (minute <= lane.rolledMinute) return;
    for (var entry : tables.rolling.withPrefix(Tables.prefix(step.tenant))) {
      var account = Tables.lastPart(entry.key);
      long last = entry.value + WINDOW_MINUTES;
      long first = Math.max(lane.rolledMinute + 1, entry.value - WINDOW_MINUTES);
      for (long dirty = first; dirty <= Math.min(minute, last); dirty++) markDirty(step, account, dirty);
      if (minute >= last) tables.rolling.delete(entry.key);
    }
    lane.rolledMinute = minute;
    step.lane.save();
  }

  private void emit(Step step, String account, long minute) {
    var known = pane(step, account, minute);
    long value = known == null ? 0 : known.servers.size();
    long rolling = rollingAt(step, account, minute);
    boolean emitted = known != null && known.value >= 0;
    if (emitted && known.value == value && known.rolling == rolling) return;
    if (!emitted && rolling == 0 && rollingAt(step, account, minute - 1) == 0) return;
    var pane = known == null ? emptyPane() : known;
    pane.revision++;
    pane.value = value;
    pane.rolling = rolling;
    save(step, account, minute, pane);
    long startsAt = minute * Times.MINUTE_MS;
    var output = new Pane();
    output.account = account;
    output.metric = METRIC;
    output.minute = startsAt;
    output.value = value;
    output.rolling_1h = rolling;
    var id = step.ids.of(startsAt, "pane", step.tenant, METRIC, account, Long.toString(minute));
    step.emit(output, id, pane.revision, startsAt);
  }

  /** Distinct servers over the hour that ends with the minute. */
  private long rollingAt(Step step, String account, long minute) {
    List<String> only = null;
    HashSet<String> servers = null;
    for (long past = minute - WINDOW_MINUTES + 1; past <= minute; past++) {
      var pane = pane(step, account, past);
      if (pane == null || pane.servers.isEmpty()) continue;
      if (only == null) {
        only = pane.servers;
        continue;
      }
      if (servers == null) servers = new HashSet<>(only);
      servers.addAll(pane.servers);
    }
    return servers != null ? servers.size() : only != null ? only.size() : 0;
  }

  private PaneRow pane(Step step, String account, long minute) {
    return tables.panes.get(Tables.key(step.tenant, account, Long.toString(minute)));
  }

  private void save(Step step, String account, long minute, PaneRow pane) {
    var key = Tables.key(step.tenant, account, Long.toString(minute));
    boolean isNew = tables.panes.get(key) == null;
    tables.panes.put(key, pane);
    if (isNew) expiries.plan(step.lane, Tables.PANES, key);
  }

  private void markDirty(Step step, String account, long minute) {
    tables.dirty.add(Tables.key(step.tenant, account, Long.toString(minute)));
  }

  private static PaneRow emptyPane() {
    return new PaneRow(new ArrayList<>(), 0L, -1L, -1L);
  }
}
