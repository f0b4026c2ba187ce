package hookwatch.streams;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * A state store, with the rows that were met last kept decoded in front of it: a store decodes its bytes at every look,
 * and goes down to RocksDB for what is not there. A task owns its stores alone, so nothing changes behind its back.
 *
 * <p>Rows that came from here may be changed, but only right before they are put.
 */
final class Table<V> {
  private static final int RECENT_MAX = 20_000;
  private static final Object ABSENT = new Object();
  private static final StringSerializer PREFIXES = new StringSerializer();

  private final KeyValueStore<String, V> store;
  private final Map<String, Object> recent = new LinkedHashMap<>(1024, 0.75f, true) {
    @Override
    protected boolean removeEldestEntry(Map.Entry<String, Object> eldest) {
      return size() > RECENT_MAX;
    }
  };

  Table(KeyValueStore<String, V> store) {
    this.store = store;
  }

  /** The row, or null. */
  @SuppressWarnings("unchecked")
  V get(String key) {
    var known = recent.get(key);
    if (known != null) return known == ABSENT ? null : (V) known;
    var row = store.get(key);
    recent.put(key, row == null ? ABSENT : row);
    return row;
  }

  void put(String key, V row) {
    store.put(key, row);
    recent.put(key, row);
  }

  void delete(String key) {
    store.delete(key);
    recent.put(key, ABSENT);
  }

  /**
   * The rows whose keys begin with a prefix, in the order of their keys: a list, since the caller may change what it
   * iterates over.
   */
  List<KeyValue<String, V>> withPrefix(String prefix) {
    var rows = new ArrayList<KeyValue<String, V>>();
    try (var found = store.prefixScan(prefix, PREFIXES)) {
      found.forEachRemaining(rows::add);
    }
    return rows;
  }
}
