package hookwatch.streams;

import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/** A state store that is a set of keys: written one by one, read in the order of the keys. */
final class Marks {
  private static final byte[] PRESENT = {1};
  private static final StringSerializer PREFIXES = new StringSerializer();

  private final KeyValueStore<String, byte[]> store;

  Marks(KeyValueStore<String, byte[]> store) {
    this.store = store;
  }

  void add(String key) {
    store.put(key, PRESENT);
  }

  void remove(String key) {
    store.delete(key);
  }

  /** A list, since the caller may change what it iterates over. */
  List<String> withPrefix(String prefix) {
    return collect(store.prefixScan(prefix, PREFIXES));
  }

  /** From `from` up to and with `to`. */
  List<String> between(String from, String to) {
    return collect(store.range(from, to));
  }

  private static List<String> collect(KeyValueIterator<String, byte[]> found) {
    var keys = new ArrayList<String>();
    try (found) {
      found.forEachRemaining(entry -> keys.add(entry.key));
    }
    return keys;
  }
}
