package hookwatch.streams;

import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;

/**
 * What the worker does, as a Kafka Streams program.
 *
 * <pre>Main &lt;bootstrap&gt; &lt;prefix of topics read&gt; &lt;prefix of topics written&gt; &lt;application id&gt; &lt;state folder&gt; [key=value ...]</pre>
 *
 * Further settings of Streams and its clients may follow as key=value. Prints `running` when its lanes are assigned.
 */
public final class Main {
  public static void main(String[] args) throws InterruptedException {
    // Avro makes objects of no classes but those that it is told to trust.
    System.setProperty("org.apache.avro.SERIALIZABLE_PACKAGES", "hookwatch");
    var topics = new LaneTopology.Topics(args[1], args[2]);
    try (var streams = new KafkaStreams(LaneTopology.create(topics), settings(args))) {
      var ended = new CountDownLatch(1);
      streams.setStateListener((now, before) -> {
        if (now == KafkaStreams.State.RUNNING) System.out.println("running");
        if (now == KafkaStreams.State.ERROR) ended.countDown();
      });
      Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
      streams.start();
      ended.await();
    }
    // Not reached but by a failure: a signal ends the program in the hook.
    Runtime.getRuntime().halt(1);
  }

  private static Properties settings(String[] args) {
    var settings = new Properties();
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, args[3]);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    // As our worker: a repeat is harmless, since outputs carry an id and a version.
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
    settings.put(StreamsConfig.PROCESSING_EXCEPTION_HANDLER_GLOBAL_ENABLED_CONFIG, true);
    // The latest snapshots of some ten thousand servers; with the 10 MB that it has as shipped they would be written to
    // RocksDB and to the changelog again and again.
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 128L * 1024 * 1024);
    // As our worker.
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "zstd");
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 * 1024);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 128L * 1024 * 1024);
    for (int index = 5; index < args.length; index++) {
      var setting = args[index].split("=", 2);
      settings.put(setting[0], setting[1]);
    }
    return settings;
  }
}
