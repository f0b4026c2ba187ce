package hookwatch.streams;

import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;

/** What a record says of itself in its headers: CloudEvents in Kafka's binary mode, and a trace context. */
final class CloudEvents {
  private static final byte[] AVRO = bytes("application/avro");
  private static final byte[] SPECIFICATION = bytes("1.0");
  private static final int SUBJECT_LENGTH_MAX = 256;
  private static final Pattern FORBIDDEN = Pattern.compile("[\\p{Cc}\\p{IsNoncharacter_Code_Point}\\p{Cs}]");

  private final Ids ids;

  CloudEvents(Ids ids) {
    this.ids = ids;
  }

  /** @param event id of the event at the root of it, else its own */
  Headers of(String type, String source, String subject, long time, String id, long version, String event) {
    var headers = new RecordHeaders();
    headers.add("content-type", AVRO);
    headers.add("ce_specversion", SPECIFICATION);
    headers.add("ce_id", bytes(id));
    headers.add("ce_type", bytes(type));
    headers.add("ce_source", bytes(source));
    headers.add("ce_time", bytes(Times.format(time)));
    if (!subject.isEmpty() && subject.length() <= SUBJECT_LENGTH_MAX) headers.add("ce_subject", bytes(withoutForbidden(subject)));
    headers.add("ce_version", bytes(Long.toString(version)));
    headers.add("traceparent", bytes("00-" + trace(event) + "-" + ids.hash(id, 8) + "-01"));
    return headers;
  }

  /** An event's id without its dash; of other ids their hash. */
  private String trace(String id) {
    return id.length() == 33 && id.indexOf('-', 13) < 0 ? id.substring(0, 12) + id.substring(13) : ids.hash(id, 16);
  }

  private static String withoutForbidden(String subject) {
    for (int index = 0; index < subject.length(); index++) {
      char found = subject.charAt(index);
      if (found < ' ' || found > '~') return FORBIDDEN.matcher(subject).replaceAll("\uFFFD");
    }
    return subject;
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
