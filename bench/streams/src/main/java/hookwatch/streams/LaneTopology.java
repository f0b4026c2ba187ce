package hookwatch.streams;

import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.AutoOffsetReset;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * One processor between the lanes and the topics of the outputs. Everything about a tenant is in one lane, so nothing is
 * repartitioned.
 */
final class LaneTopology {
  /** Prefixes, for example `hookwatch.` and `streams.`. */
  record Topics(String read, String written) {}

  static final String PROCESSOR = "lane";

  static Topology create(Topics topics) {
    var topology = new Topology();
    topology.addSource(
        AutoOffsetReset.earliest(), "records", new StringDeserializer(), Frames.deserializer(), topics.read() + "records");
    topology.addProcessor(PROCESSOR, LaneProcessor::new, "records");
    topology.addStateStore(store(Tables.LANES, Rows.of(LaneRow.class)), PROCESSOR);
    topology.addStateStore(store(Tables.PRODUCERS, Rows.of(ProducerRow.class)), PROCESSOR);
    topology.addStateStore(store(Tables.REQUESTS, Serdes.Long()), PROCESSOR);
    topology.addStateStore(store(Tables.ENTITIES, Rows.of(EntityRow.class)), PROCESSOR);
    topology.addStateStore(store(Tables.CREATIONS, Rows.of(CreationsRow.class)), PROCESSOR);
    topology.addStateStore(store(Tables.PANES, Rows.of(PaneRow.class)), PROCESSOR);
    topology.addStateStore(store(Tables.DIRTY, Serdes.ByteArray()), PROCESSOR);
    topology.addStateStore(store(Tables.ROLLING, Serdes.Long()), PROCESSOR);
    topology.addStateStore(store(Tables.EPISODES, Rows.of(EpisodesRow.class)), PROCESSOR);
    topology.addStateStore(store(Tables.BURSTS, Rows.of(BurstRow.class)), PROCESSOR);
    topology.addStateStore(store(Tables.EXPIRIES, Serdes.ByteArray()), PROCESSOR);
    topology.addStateStore(store(Tables.COUNTS, Serdes.Long()), PROCESSOR);
    for (var output : Output.values()) {
      topology.addSink(
          output.sink, topics.written() + output.topic, new StringSerializer(), Frames.<SpecificRecord>serializer(), PROCESSOR);
    }
    return topology;
  }

  private static <V> StoreBuilder<KeyValueStore<String, V>> store(String name, Serde<V> values) {
    return Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(name), Serdes.String(), values).withCachingEnabled();
  }
}
