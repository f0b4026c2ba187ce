package hookwatch.streams;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import org.apache.avro.Schema;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificData;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** Avro's binary form of one generated class, by the coders that were generated with it. Serves one thread. */
final class Rows<V extends SpecificRecord> {
  private static final byte[] NO_HEADER = {};

  private final SpecificDatumWriter<V> writer;
  private final SpecificDatumReader<V> reader;
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(16 * 1024);
  private BinaryEncoder encoder;
  private BinaryDecoder decoder;

  Rows(Class<V> type) {
    Schema schema = SpecificData.get().getSchema(type);
    var data = new SpecificData(type.getClassLoader());
    data.setCustomCoders(true);
    writer = new SpecificDatumWriter<>(schema, data);
    reader = new SpecificDatumReader<>(schema, schema, data);
  }

  /** For a state store, whose rows stand without a header. */
  static <V extends SpecificRecord> Serde<V> of(Class<V> type) {
    var rows = new Rows<>(type);
    return Serdes.serdeFrom(
        (topic, value) -> value == null ? null : rows.encode(NO_HEADER, value),
        (topic, bytes) -> bytes == null ? null : rows.decode(bytes, 0));
  }

  byte[] encode(byte[] header, V value) {
    bytes.reset();
    bytes.writeBytes(header);
    try {
      encoder = EncoderFactory.get().binaryEncoder(bytes, encoder);
      writer.write(value, encoder);
      encoder.flush();
    } catch (IOException error) {
      throw new SerializationException(error);
    }
    return bytes.toByteArray();
  }

  V decode(byte[] source, int from) {
    decoder = DecoderFactory.get().binaryDecoder(source, from, source.length - from, decoder);
    try {
      return reader.read(null, decoder);
    } catch (IOException error) {
      throw new SerializationException(error);
    }
  }
}
