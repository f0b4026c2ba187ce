package hookwatch.streams;

import hookwatch.Control;
import hookwatch.Delivery;
import hookwatch.Detection;
import hookwatch.Episode;
import hookwatch.Event;
import hookwatch.Pane;
import hookwatch.Reject;
import java.nio.ByteBuffer;
import java.util.Map;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;

/** Confluent framing: a zero byte, the schema's id as int32, the Avro body. Ids as in schemas/avro/lock.json. */
final class Frames {
  private static final int HEADER_BYTES = 5;
  private static final Map<Class<?>, Integer> IDS = Map.of(
      Delivery.class, 1, Control.class, 2, Event.class, 3, Episode.class, 4, Pane.class, 5, Detection.class, 6, Reject.class, 7);

  /** Of the records in a lane: deliveries and controls. */
  static Deserializer<SpecificRecord> deserializer() {
    var deliveries = new Rows<>(Delivery.class);
    var controls = new Rows<>(Control.class);
    return (topic, frame) -> {
      int id = frame.length < HEADER_BYTES || frame[0] != 0 ? -1 : ByteBuffer.wrap(frame).getInt(1);
      return switch (id) {
        case 1 -> deliveries.decode(frame, HEADER_BYTES);
        case 2 -> controls.decode(frame, HEADER_BYTES);
        default -> throw new SerializationException("A lane holds no records of schema " + id);
      };
    };
  }

  /** Of one output: a serializer serves one topic, whose records are all of one class. */
  static <V extends SpecificRecord> Serializer<V> serializer() {
    return new Serializer<>() {
      private Rows<V> rows;
      private byte[] header;

      @Override
      @SuppressWarnings("unchecked")
      public byte[] serialize(String topic, V value) {
        if (rows == null) {
          rows = new Rows<>((Class<V>) value.getClass());
          header = ByteBuffer.allocate(HEADER_BYTES).putInt(1, IDS.get(value.getClass())).array();
        }
        return rows.encode(header, value);
      }
    };
  }

  private Frames() {}
}
