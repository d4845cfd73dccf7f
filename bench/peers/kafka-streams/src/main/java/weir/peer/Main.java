package weir.peer;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.AutoOffsetReset;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.StreamPartitioner;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** What weir does, written for Kafka Streams: payments to decisions, exactly once. One argument: Options as JSON. */
public final class Main {
  static final String DECISIONS = "decisions";
  static final String ALERTS = "alerts";
  static final String UPDATES = "updates";

  private static final Duration CLOSE_LIMIT = Duration.ofSeconds(10);

  private Main() {}

  public static void main(String[] args) throws Exception {
    Options options = new ObjectMapper().readValue(args[0], Options.class);
    Path states = Files.createTempDirectory("weir-kafka-streams-");
    CountDownLatch ended = new CountDownLatch(1);
    Model model = new Model(options.graph());
    KafkaStreams streams = new KafkaStreams(topology(options, model), settings(options, states));
    streams.setUncaughtExceptionHandler(
        (error) -> {
          error.printStackTrace();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    streams.setStateListener(
        (now, before) -> {
          if (now == KafkaStreams.State.ERROR) ended.countDown();
        });
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  streams.close(CLOSE_LIMIT);
                  delete(states);
                }));
    streams.start();
    // Only an error ends it; a signal ends the process.
    ended.await();
    System.exit(1);
  }

  private static Topology topology(Options options, Model model) {
    StoreBuilder<KeyValueStore<String, byte[]>> customers =
        Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(Scorer.CUSTOMERS), Serdes.String(), Serdes.ByteArray())
            .withCachingEnabled();
    StoreBuilder<KeyValueStore<String, byte[]>> entities =
        Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(EntityFolder.STORE), Serdes.String(), Serdes.ByteArray())
            .withLoggingDisabled();
    var serializer = new ByteArraySerializer();
    var deserializer = new ByteArrayDeserializer();
    StreamPartitioner<byte[], byte[]> byKey =
        (topic, key, value, partitions) -> Optional.of(Set.of(ByteBuffer.wrap(key).getInt()));
    return new Topology()
        .addGlobalStore(
            entities, "source-of-updates", deserializer, deserializer, options.entityUpdates(), "fold", EntityFolder::new)
        .addSource(AutoOffsetReset.earliest(), "payments", deserializer, deserializer, options.input())
        .addProcessor("score", () -> new Scorer(options, model), "payments")
        .addStateStore(customers, "score")
        .addStateStore(new CommitHook.Builder(Scorer.HOOK), "score")
        .addSink(DECISIONS, options.output(), serializer, serializer, "score")
        .addSink(ALERTS, options.alerts(), serializer, serializer, "score")
        .addSink(UPDATES, options.entityUpdates(), serializer, serializer, byKey, "score");
  }

  private static Properties settings(Options options, Path states) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, options.group());
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, String.join(",", options.brokers()));
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, states.toString());
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, options.commitMs());
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, options.concurrency());
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64 << 20);
    settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 2 * options.batch());
    settings.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, options.batch());
    settings.put(ConsumerConfig.FETCH_MIN_BYTES_CONFIG, options.fetch().minBytes());
    settings.put(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, options.fetch().maxWaitTimeInMs());
    settings.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, options.fetch().maxBytesPerPartition());
    settings.put(ConsumerConfig.FETCH_MAX_BYTES_CONFIG, options.fetch().maxBytes());
    return settings;
  }

  private static void delete(Path folder) {
    try (Stream<Path> paths = Files.walk(folder)) {
      paths.sorted(Comparator.reverseOrder()).forEach((path) -> path.toFile().delete());
    } catch (IOException error) {
      System.err.println(folder + " was not deleted: " + error);
    }
  }
}
