package weir.peer;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;

/**
 * Merchants, terminals and devices as one batch of payments sees them: read once from the global store, then brought
 * on by the batch's own payments; what these add leaves as updates when the batch ends.
 */
final class Entities {
  private final ReadOnlyKeyValueStore<String, byte[]> store;
  private final int partitions;
  private final Map<String, Open> open = new HashMap<>();

  /** @param partitions of the topic of updates. */
  Entities(ReadOnlyKeyValueStore<String, byte[]> store, int partitions) {
    this.store = store;
    this.partitions = partitions;
  }

  /** @param key such as merchant:m-17. */
  Open get(String key) {
    Open found = open.get(key);
    if (found != null) return found;
    byte[] stored = store.get(key);
    EntityState state = new EntityState();
    if (stored != null) state.open(EntityFolder.stateIn(stored));
    Open opened = new Open(state);
    open.put(key, opened);
    return opened;
  }

  void clear() {
    open.clear();
  }

  /** The updates by partition, null where there is none; all updates of one entity go to one partition, in order. */
  byte[][] updates() {
    int[] sizes = new int[partitions];
    List<List<Map.Entry<byte[], Open>>> homes = new ArrayList<>();
    for (int i = 0; i < partitions; i++) homes.add(new ArrayList<>());
    open.forEach(
        (key, entity) -> {
          int home = (int) (Hash.hash53(key) % partitions);
          byte[] name = key.getBytes(StandardCharsets.UTF_8);
          homes.get(home).add(Map.entry(name, entity));
          sizes[home] += 8 + name.length;
          for (Delta delta : entity.deltas) sizes[home] += delta.bytes();
        });
    byte[][] updates = new byte[partitions][];
    for (int home = 0; home < partitions; home++) {
      if (homes.get(home).isEmpty()) continue;
      ByteBuffer to = ByteBuffer.allocate(sizes[home]);
      for (var entity : homes.get(home)) {
        to.putInt(entity.getKey().length).put(entity.getKey());
        to.putInt(entity.getValue().deltas.size());
        for (Delta delta : entity.getValue().deltas) delta.write(to);
      }
      updates[home] = to.array();
    }
    return updates;
  }

  /** An entity while the batch reads it and adds to it. */
  static final class Open {
    final EntityState state;
    private final List<Delta> deltas = new ArrayList<>(1);

    Open(EntityState state) {
      this.state = state;
    }

    void add(Event event) {
      state.add(event.time(), 1, event.amount());
      boolean isNew = state.addCustomer(event.customer());
      long time = event.time() / EntityState.TILE_MS * EntityState.TILE_MS;
      Delta last = deltas.isEmpty() ? null : deltas.get(deltas.size() - 1);
      if (last == null || last.time != time) deltas.add(last = new Delta(time));
      last.count++;
      last.sum += event.amount();
      if (isNew) last.customers.add(event.customer());
    }
  }

  /** What the batch adds in one of the entity's finest tiles. */
  static final class Delta {
    private final long time;
    private int count;
    private double sum;
    private final List<Long> customers = new ArrayList<>(1);

    Delta(long time) {
      this.time = time;
    }

    int bytes() {
      return 24 + 8 * customers.size();
    }

    void write(ByteBuffer to) {
      to.putLong(time).putInt(count).putDouble(sum).putInt(customers.size());
      for (long customer : customers) to.putLong(customer);
    }

    static void fold(ByteBuffer from, EntityState into) {
      into.add(from.getLong(), from.getInt(), from.getDouble());
      for (int left = from.getInt(); left > 0; left--) into.addCustomer(from.getLong());
    }
  }
}
