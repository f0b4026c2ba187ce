package hookwatch.streams;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import hookwatch.Control;
import hookwatch.ControlKind;

/** Settings, boots and ticks. Of the other kinds this program knows nothing. */
final class Controls {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private final Tables tables;
  private final Expiries expiries;
  private final Panes panes;

  Controls(Tables tables, Expiries expiries, Panes panes) {
    this.tables = tables;
    this.expiries = expiries;
    this.panes = panes;
  }

  void work(Step step, Control control) {
    step.emit(control, isAskedAgain(step, control) ? "ignored: it was asked for before" : apply(step, control));
    if (control.kind == ControlKind.tick) tick(step, control);
  }

  /** Returns why it did not take effect, or an empty string. */
  private String apply(Step step, Control control) {
    switch (control.kind) {
      case tick:
        return "";
      case boot:
        Producers.open(step, expiries, control);
        return "";
      case settings:
        return applySettings(step.lane, control);
      default:
        return "ignored: this version does not know " + control.kind + " records";
    }
  }

  private void tick(Step step, Control control) {
    Producers.tick(step, control.boot, control.time == null ? control.received_at : control.time, control.catching_up);
    long watermark = Producers.advanceWatermark(step.lane);
    panes.emit(step, watermark);
    expiries.expire(step.lane, watermark);
  }

  private boolean isAskedAgain(Step step, Control control) {
    if (control.idempotency_id.isEmpty()) return false;
    var key = Tables.key(step.tenant, control.idempotency_id);
    if (tables.requests.get(key) != null) return true;
    tables.requests.put(key, control.received_at);
    expiries.plan(step.lane, Tables.REQUESTS, key);
    return false;
  }

  /** Each names the settings that it replaces; the first of a lane replaces none. */
  private static String applySettings(Lane lane, Control control) {
    var row = lane.row;
    if (!control.predecessor.equals(row.settings)) {
      return "ignored: it replaces settings " + (control.predecessor.isEmpty() ? "of an empty lane" : control.predecessor)
          + ", but " + (row.settings.isEmpty() ? "none" : row.settings) + " are in force";
    }
    JsonNode document;
    try {
      document = MAPPER.readTree(control.document);
    } catch (JsonProcessingException error) {
      return "ignored: " + error.getOriginalMessage();
    }
    var rule = document.path("rules").path(AccountCreatedThenServers.RULE);
    row.settings = control.id;
    row.servers = rule.path("servers").intValue();
    row.withinMs = rule.path("within_ms").longValue();
    row.pastMs = document.path("time").path("past_ms").longValue();
    row.futureMs = document.path("time").path("future_ms").longValue();
    row.slackMs = document.path("slack_ms").longValue();
    row.latenessMs = document.path("lateness_ms").longValue();
    lane.save();
    return "";
  }
}
