package hookwatch.streams;

import hookwatch.Control;
import hookwatch.ControlKind;
import hookwatch.Delivery;
import java.util.HashMap;
import java.util.Map;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/** Works on the lanes of a partition: admits what is next of its producer, and leads it through the flow. */
final class LaneProcessor implements Processor<String, SpecificRecord, String, SpecificRecord> {
  private final Map<String, Lane> lanes = new HashMap<>();
  private ProcessorContext<String, SpecificRecord> context;
  private Tables tables;
  private Step step;
  private Deliveries deliveries;
  private Controls controls;

  @Override
  public void init(ProcessorContext<String, SpecificRecord> context) {
    this.context = context;
    tables = new Tables(context);
    step = new Step(context, tables);
    var expiries = new Expiries(tables);
    var panes = new Panes(tables, expiries);
    deliveries = new Deliveries(tables, expiries, panes);
    controls = new Controls(tables, expiries, panes);
  }

  @Override
  public void process(Record<String, SpecificRecord> record) {
    var lane = lanes.computeIfAbsent(record.key(), tenant -> new Lane(tenant, tables));
    step.begin(lane, record, context.recordMetadata().orElseThrow().offset());
    if (!lane.hasSettings() && !(record.value() instanceof Control control && control.kind == ControlKind.settings)) {
      throw new IllegalStateException("Lane " + lane.tenant + " does not begin with settings");
    }
    if (record.value() instanceof Delivery delivery) {
      if (Producers.admit(step, delivery.boot, delivery.seq, delivery.received_at)) deliveries.work(step, delivery);
    } else if (record.value() instanceof Control control) {
      if (Producers.admit(step, control.boot, control.seq, control.received_at)) controls.work(step, control);
    }
  }
}
