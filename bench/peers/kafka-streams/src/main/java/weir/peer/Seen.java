package weir.peer;

import java.nio.ByteBuffer;

/** The values of one field seen of a customer, each with when last, in seconds: src/core/features/customer-state.ts. */
final class Seen {
  int size = 0;
  private final int[] value;
  private final int[] lastSeconds;

  Seen(int capacity) {
    value = new int[capacity];
    lastSeconds = new int[capacity];
  }

  boolean has(int wanted) {
    return placeOf(wanted) >= 0;
  }

  /** Values last seen after the second that `time` falls into. */
  int countAfter(long time) {
    long seconds = Math.floorDiv(time, 1000L);
    int count = 0;
    for (int i = 0; i < size; i++) if ((lastSeconds[i] & 0xffffffffL) > seconds) count++;
    return count;
  }

  void add(int added, long time) {
    if (added == 0) return;
    int seconds = (int) (time / 1000);
    int at = placeOf(added);
    if (at < 0) {
      at = size < value.length ? size++ : longestUnseen();
      value[at] = added;
      lastSeconds[at] = 0;
    }
    if (Integer.compareUnsigned(seconds, lastSeconds[at]) > 0) lastSeconds[at] = seconds;
  }

  private int placeOf(int wanted) {
    for (int i = 0; i < size; i++) if (value[i] == wanted) return i;
    return -1;
  }

  private int longestUnseen() {
    int oldest = 0;
    for (int i = 1; i < size; i++) {
      if (Integer.compareUnsigned(lastSeconds[i], lastSeconds[oldest]) < 0) oldest = i;
    }
    return oldest;
  }

  int packedBytes() {
    return 4 + size * 8;
  }

  void pack(ByteBuffer to) {
    to.putInt(size);
    for (int i = 0; i < size; i++) to.putInt(value[i]).putInt(lastSeconds[i]);
  }

  void open(ByteBuffer from) {
    size = from.getInt();
    for (int i = 0; i < size; i++) {
      value[i] = from.getInt();
      lastSeconds[i] = from.getInt();
    }
  }
}
