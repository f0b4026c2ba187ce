package hookwatch.streams;

import hookwatch.Control;
import hookwatch.Delivery;
import hookwatch.Detection;
import hookwatch.Episode;
import hookwatch.Event;
import hookwatch.Pane;
import hookwatch.Reject;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/** The record that is being worked on: its lane, its position, and where its outputs go. */
final class Step {
  final Tables tables;
  final Ids ids = new Ids();
  private final CloudEvents cloudEvents = new CloudEvents(ids);
  Lane lane;
  String tenant;
  long position;

  private final ProcessorContext<String, SpecificRecord> context;
  private Record<String, SpecificRecord> record;

  Step(ProcessorContext<String, SpecificRecord> context, Tables tables) {
    this.context = context;
    this.tables = tables;
  }

  void begin(Lane lane, Record<String, SpecificRecord> record, long position) {
    this.lane = lane;
    this.tenant = lane.tenant;
    this.record = record;
    this.position = position;
  }

  /** @param event id of the event that comes of it, or would */
  void emit(Delivery delivery, String event) {
    delivery.position = position;
    delivery.version = Ids.version(1);
    forward(Output.DELIVERY, delivery, describe(
        Output.DELIVERY, delivery.endpoint, delivery.received_at, delivery.id, delivery.version, event));
  }

  void emit(Control control, String remark) {
    control.position = position;
    control.version = Ids.version(1);
    control.remark = remark;
    forward(Output.CONTROL, control, describe(
        Output.CONTROL, control.kind.toString(), control.received_at, control.id, control.version, control.id));
  }

  void emit(Event event, String id, long receivedAt) {
    event.tenant = tenant;
    event.id = id;
    event.version = Ids.version(1);
    event.replaced_by = "";
    event.first_received_at = receivedAt;
    event.position = position;
    forward(Output.EVENT, event, cloudEvents.of(
        event.type, event.source, event.subject, event.time, id, event.version, id));
  }

  /** @param event id of the event that would have come of it */
  void emit(Reject reject, String id, long receivedAt, String event) {
    reject.tenant = tenant;
    reject.id = id;
    reject.version = Ids.version(1);
    reject.replaced_by = "";
    reject.first_received_at = receivedAt;
    reject.position = position;
    forward(Output.REJECT, reject, describe(Output.REJECT, reject.delivery, receivedAt, id, reject.version, event));
  }

  void emit(Episode episode, String id, long revision, long firstReceivedAt) {
    episode.tenant = tenant;
    episode.id = id;
    episode.version = Ids.version(revision);
    episode.replaced_by = "";
    episode.first_received_at = firstReceivedAt;
    episode.position = position;
    long time = episode.closed_at == null ? episode.opened_at : episode.closed_at;
    forward(Output.EPISODE, episode, describe(
        Output.EPISODE, episode.server, time, id, episode.version, episode.events.get(0)));
  }

  void emit(Pane pane, String id, long revision, long firstReceivedAt) {
    pane.tenant = tenant;
    pane.id = id;
    pane.version = Ids.version(revision);
    pane.replaced_by = "";
    pane.first_received_at = firstReceivedAt;
    pane.position = position;
    forward(Output.PANE, pane, describe(Output.PANE, pane.account, pane.minute, id, pane.version, id));
  }

  void emit(Detection detection, String id, long revision, long firstReceivedAt) {
    detection.tenant = tenant;
    detection.id = id;
    detection.version = Ids.version(revision);
    detection.replaced_by = "";
    detection.first_received_at = firstReceivedAt;
    detection.position = position;
    forward(Output.DETECTION, detection, describe(
        Output.DETECTION, detection.account, detection.fired_at, id, detection.version, detection.events.get(0)));
  }

  private Headers describe(Output output, String subject, long time, String id, long version, String event) {
    return cloudEvents.of(output.type, "/lanes/" + tenant, subject, time, id, version, event);
  }

  private void forward(Output output, SpecificRecord value, Headers headers) {
    context.forward(new Record<>(record.key(), value, record.timestamp(), headers), output.sink);
  }
}
