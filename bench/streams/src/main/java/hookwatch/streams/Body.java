package hookwatch.streams;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A delivery's body: one JSON object, bounded in depth. It is checked to its end, but only what a fact is made of is kept:
 * a tree of all of it takes several times as long.
 */
record Body(String text, Fields fields) {
  private static final int DEPTH_MAX = 32;
  private static final char REPLACEMENT = '\uFFFD';
  private static final char BYTE_ORDER_MARK = '\uFEFF';
  private static final Set<String> TEXTS = Set.of(
      "accountAlias", "accountUri", "createdDate", "duration", "href", "id", "locationId", "metric", "modifiedDate", "name",
      "parentAlias", "primaryDataCenter", "rel", "serverName", "state", "stateEndTime", "stateStartTime", "uri", "userName");
  private static final Set<String> OBJECTS = Set.of("changeInfo", "links", "triggers");
  private static final JsonFactory FACTORY = JsonFactory.builder()
      .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(DEPTH_MAX).build())
      .build();

  /** Of one object: its texts, and its objects, of which an array may have several. */
  record Fields(Map<String, String> texts, Map<String, List<Fields>> objects) {
    /** A text, or a number as text; null for all else and for blanks. */
    String text(String name) {
      return texts.get(name);
    }

    List<Fields> objects(String name) {
      return objects.getOrDefault(name, List.of());
    }
  }

  static Body parse(ByteBuffer bytes) throws Rejection {
    var text = textOf(bytes);
    try (var parser = FACTORY.createParser(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining())) {
      if (parser.nextToken() != JsonToken.START_OBJECT) throw new Rejection("not an object", "the body is no object");
      var fields = fieldsOf(parser);
      if (parser.nextToken() != null) throw new Rejection("not JSON", "not valid JSON");
      return new Body(text, fields);
    } catch (StreamConstraintsException error) {
      throw new Rejection("too deep", "the body is nested deeper than " + DEPTH_MAX + " levels");
    } catch (JsonProcessingException error) {
      throw new Rejection("not JSON", "not valid JSON");
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private static Fields fieldsOf(JsonParser parser) throws IOException {
    var fields = new Fields(new HashMap<>(), new HashMap<>(4));
    for (var name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
      var token = parser.nextToken();
      if (token.isStructStart()) {
        if (OBJECTS.contains(name)) fields.objects.put(name, objectsOf(parser));
        else parser.skipChildren();
      } else if (token == JsonToken.VALUE_STRING || token.isNumeric()) {
        if (!TEXTS.contains(name)) continue;
        var text = parser.getText();
        if (!text.isBlank()) fields.texts.put(name, text);
      }
    }
    return fields;
  }

  private static List<Fields> objectsOf(JsonParser parser) throws IOException {
    if (parser.currentToken() == JsonToken.START_OBJECT) return List.of(fieldsOf(parser));
    var objects = new ArrayList<Fields>();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      if (parser.currentToken() == JsonToken.START_OBJECT) objects.add(fieldsOf(parser));
      else parser.skipChildren();
    }
    return objects;
  }

  private static String textOf(ByteBuffer bytes) throws Rejection {
    var text = new String(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining(), StandardCharsets.UTF_8);
    if (text.indexOf(REPLACEMENT) >= 0) requireUtf8(bytes);
    return text.isEmpty() || text.charAt(0) != BYTE_ORDER_MARK ? text : text.substring(1);
  }

  private static void requireUtf8(ByteBuffer bytes) throws Rejection {
    try {
      StandardCharsets.UTF_8.newDecoder().decode(bytes.duplicate());
    } catch (CharacterCodingException error) {
      throw new Rejection("not UTF-8", "the body is not valid UTF-8");
    }
  }

  /** Why a body did not become a fact. Without a stack: bodies that are no good are no surprise. */
  static final class Rejection extends Exception {
    final String reason;

    Rejection(String reason, String detail) {
      super(detail, null, false, false);
      this.reason = reason;
    }
  }
}
