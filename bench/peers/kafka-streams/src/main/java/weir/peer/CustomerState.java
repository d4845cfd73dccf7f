package weir.peer;

import java.nio.ByteBuffer;

/**
 * A customer's past as features.yaml asks for it: src/core/features/customer-state.ts. Reusable: `open` starts it anew.
 */
final class CustomerState {
  static final long DAY_MS = 86_400_000;
  private static final int KEEP_EVENTS = 10;
  private static final int MOST_EVENTS = 64;
  private static final int EVENT_BYTES = 48;
  private static final int HEAD_BYTES = 52;

  /** The latest events in log order: entries [0, size). */
  int size = 0;

  final long[] time = new long[MOST_EVENTS];
  final double[] amount = new double[MOST_EVENTS];
  private final long[] id = new long[MOST_EVENTS];
  private final long[] offset = new long[MOST_EVENTS];
  final int[] merchant = new int[MOST_EVENTS];
  final int[] device = new int[MOST_EVENTS];
  /** country << 16 | mcc. */
  final int[] place = new int[MOST_EVENTS];
  /** channel << 8 | type. */
  final int[] kind = new int[MOST_EVENTS];

  /** Sums, squares and maxima of amounts. */
  final Tiles days = new Tiles(DAY_MS, 7, 3);
  final Tiles fiveDays = new Tiles(5 * DAY_MS, 6, 3);
  final Seen merchants = new Seen(24);
  final Seen devices = new Seen(6);
  final Seen countries = new Seen(6);
  final Seen mccs = new Seen(12);

  long total;
  /** NaN while there is none. */
  double lastTime;
  double firstTime;
  double geoTime;
  double latitude;
  double longitude;

  /** Offset of the kept event with this transaction id, or -1. */
  long offsetOf(long wanted) {
    for (int i = size - 1; i >= 0; i--) if (id[i] == wanted) return offset[i];
    return -1;
  }

  /** @param lat null where the payment has no place. */
  void add(Event event, Double lat, Double lon) {
    total++;
    if (!(lastTime >= event.time())) lastTime = event.time();
    if (total == 1) firstTime = event.time();
    if (lat != null && lon != null) {
      geoTime = event.time();
      latitude = lat;
      longitude = lon;
    }
    addToEvents(event);
    addToTiles(days, event);
    addToTiles(fiveDays, event);
    merchants.add(event.merchant(), event.time());
    devices.add(event.device(), event.time());
    countries.add(event.country(), event.time());
    mccs.add(event.mcc(), event.time());
  }

  private void addToEvents(Event event) {
    if (size == MOST_EVENTS) dropOldest(1);
    int at = size++;
    time[at] = event.time();
    amount[at] = event.amount();
    id[at] = event.id();
    offset[at] = event.offset();
    merchant[at] = event.merchant();
    device[at] = event.device();
    place[at] = event.country() << 16 | event.mcc();
    kind[at] = event.channel() << 8 | event.type();
    double horizon = lastTime - DAY_MS;
    int dropped = 0;
    while (size - dropped > KEEP_EVENTS && time[dropped] <= horizon) dropped++;
    if (dropped > 0) dropOldest(dropped);
  }

  private void dropOldest(int dropped) {
    size -= dropped;
    for (Object column : new Object[] {time, amount, id, offset, merchant, device, place, kind}) {
      System.arraycopy(column, dropped, column, 0, size);
    }
  }

  private static void addToTiles(Tiles tiles, Event event) {
    int at = tiles.at(event.time());
    if (at < 0) return;
    double amount = event.amount();
    tiles.count[at]++;
    tiles.columns[0][at] += amount;
    tiles.columns[1][at] += amount * amount;
    tiles.columns[2][at] = Math.max(tiles.columns[2][at], amount);
  }

  /** @param packed null: a new customer. */
  void open(byte[] packed) {
    if (packed == null) {
      clear();
      return;
    }
    ByteBuffer from = ByteBuffer.wrap(packed);
    total = from.getLong();
    lastTime = from.getDouble();
    firstTime = from.getDouble();
    geoTime = from.getDouble();
    latitude = from.getDouble();
    longitude = from.getDouble();
    size = from.getInt();
    for (int i = 0; i < size; i++) {
      time[i] = from.getLong();
      amount[i] = from.getDouble();
      id[i] = from.getLong();
      offset[i] = from.getLong();
      merchant[i] = from.getInt();
      device[i] = from.getInt();
      place[i] = from.getInt();
      kind[i] = from.getInt();
    }
    days.open(from);
    fiveDays.open(from);
    for (Seen seen : memories()) seen.open(from);
  }

  byte[] pack() {
    int bytes = HEAD_BYTES + size * EVENT_BYTES + days.packedBytes() + fiveDays.packedBytes();
    for (Seen seen : memories()) bytes += seen.packedBytes();
    ByteBuffer to = ByteBuffer.allocate(bytes);
    to.putLong(total).putDouble(lastTime).putDouble(firstTime);
    to.putDouble(geoTime).putDouble(latitude).putDouble(longitude).putInt(size);
    for (int i = 0; i < size; i++) {
      to.putLong(time[i]).putDouble(amount[i]).putLong(id[i]).putLong(offset[i]);
      to.putInt(merchant[i]).putInt(device[i]).putInt(place[i]).putInt(kind[i]);
    }
    days.pack(to);
    fiveDays.pack(to);
    for (Seen seen : memories()) seen.pack(to);
    return to.array();
  }

  private Seen[] memories() {
    return new Seen[] {merchants, devices, countries, mccs};
  }

  private void clear() {
    size = days.size = fiveDays.size = 0;
    for (Seen seen : memories()) seen.size = 0;
    total = 0;
    lastTime = firstTime = geoTime = latitude = longitude = Double.NaN;
  }
}
