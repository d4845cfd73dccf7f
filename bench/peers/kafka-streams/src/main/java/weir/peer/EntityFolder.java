package weir.peer;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Folds updates into the global store of merchants, terminals and devices. A value is the offset of the last update in
 * it and the packed state: a global store is not part of a transaction, and so an update that comes again is told by
 * its offset.
 */
final class EntityFolder implements Processor<byte[], byte[], Void, Void> {
  static final String STORE = "entities";

  private ProcessorContext<Void, Void> context;
  private KeyValueStore<String, byte[]> store;

  @Override
  public void init(ProcessorContext<Void, Void> context) {
    this.context = context;
    store = context.getStateStore(STORE);
  }

  @Override
  public void process(Record<byte[], byte[]> update) {
    long offset = context.recordMetadata().orElseThrow().offset();
    ByteBuffer from = ByteBuffer.wrap(update.value());
    while (from.hasRemaining()) {
      byte[] name = new byte[from.getInt()];
      from.get(name);
      String key = new String(name, StandardCharsets.UTF_8);
      byte[] stored = store.get(key);
      boolean isKnown = stored != null && ByteBuffer.wrap(stored).getLong() >= offset;
      EntityState state = new EntityState();
      if (stored != null) state.open(stateIn(stored));
      for (int left = from.getInt(); left > 0; left--) Entities.Delta.fold(from, state);
      if (isKnown) continue;
      ByteBuffer to = ByteBuffer.allocate(8 + state.packedBytes()).putLong(offset);
      state.pack(to);
      store.put(key, to.array());
    }
  }

  /** The packed state in a stored value. */
  static ByteBuffer stateIn(byte[] stored) {
    return ByteBuffer.wrap(stored, 8, stored.length - 8);
  }
}
