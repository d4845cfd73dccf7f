package weir.peer;

import java.nio.ByteBuffer;

/**
 * Everybody's past at one merchant, terminal or device: src/core/features/entity-state.ts. The days reach as far as the
 * fraud rates look; the frauds themselves are not kept, since the bench has no labels.
 */
final class EntityState {
  private static final int MOST_CUSTOMERS = 8;
  private static final long MINUTE_MS = 60_000;
  /** Length of the finest tile. */
  static final long TILE_MS = 10 * MINUTE_MS;

  final Tiles tenMinutes = new Tiles(TILE_MS, 6, 1);
  final Tiles threeHours = new Tiles(180 * MINUTE_MS, 8, 1);
  final Tiles days = new Tiles(CustomerState.DAY_MS, 32, 1);
  /** The smallest hashes of customers seen, ascending: [0, customerCount). */
  private final long[] customers = new long[MOST_CUSTOMERS];
  int customerCount = 0;

  /** @param sum hundredths of the reference currency. */
  void add(long time, int count, double sum) {
    add(tenMinutes, time, count, sum);
    add(threeHours, time, count, sum);
    add(days, time, count, sum);
  }

  private static void add(Tiles tiles, long time, int count, double sum) {
    int at = tiles.at(time);
    if (at < 0) return;
    tiles.count[at] += count;
    tiles.columns[0][at] += sum;
  }

  /** @return whether anything changed. */
  boolean addCustomer(long customer) {
    int at = customerCount;
    while (at > 0 && customers[at - 1] > customer) at--;
    if (at > 0 && customers[at - 1] == customer) return false;
    if (at >= MOST_CUSTOMERS) return false;
    if (customerCount < MOST_CUSTOMERS) customerCount++;
    System.arraycopy(customers, at, customers, at + 1, customerCount - at - 1);
    customers[at] = customer;
    return true;
  }

  /** Continues from what `pack` wrote. */
  EntityState open(ByteBuffer from) {
    tenMinutes.open(from);
    threeHours.open(from);
    days.open(from);
    customerCount = from.getInt();
    for (int i = 0; i < customerCount; i++) customers[i] = from.getLong();
    return this;
  }

  int packedBytes() {
    return tenMinutes.packedBytes()
        + threeHours.packedBytes()
        + days.packedBytes()
        + 4
        + customerCount * 8;
  }

  void pack(ByteBuffer to) {
    tenMinutes.pack(to);
    threeHours.pack(to);
    days.pack(to);
    to.putInt(customerCount);
    for (int i = 0; i < customerCount; i++) to.putLong(customers[i]);
  }
}
