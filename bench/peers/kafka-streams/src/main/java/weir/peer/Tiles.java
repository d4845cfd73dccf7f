package weir.peer;

import java.nio.ByteBuffer;

/**
 * The tiles of one length in ascending order, empty ones left out: src/core/features/tiles.ts. A tile is kept while it
 * is among the last `capacity` up to the newest ever seen.
 */
final class Tiles {
  final long tileMs;
  final int capacity;
  int size = 0;
  final int[] index;
  final int[] count;
  /** Sums first, then what else the owner keeps. */
  final double[][] columns;

  Tiles(long tileMs, int capacity, int columns) {
    this.tileMs = tileMs;
    this.capacity = capacity;
    index = new int[capacity];
    count = new int[capacity];
    this.columns = new double[columns][capacity];
  }

  /** Place of the tile that `time` falls into, made if need be; -1 when it is too old to be kept. */
  int at(long time) {
    int tile = (int) (time / tileMs);
    if (size > 0 && tile <= index[size - 1] - capacity) return -1;
    int place = size;
    while (place > 0 && index[place - 1] > tile) place--;
    if (place > 0 && index[place - 1] == tile) return place - 1;
    return insert(place, tile);
  }

  /** First place that a window of `tiles` tiles ending with the tile of `time` covers. */
  int from(long time, int tiles) {
    return after((int) (time / tileMs) - tiles);
  }

  /** Place after the last tile that is not newer than the tile of `time`. */
  int to(long time) {
    return after((int) (time / tileMs));
  }

  private int after(int tile) {
    int place = size;
    while (place > 0 && index[place - 1] > tile) place--;
    return place;
  }

  private int insert(int place, int tile) {
    int newest = size > 0 ? Math.max(tile, index[size - 1]) : tile;
    int dropped = 0;
    while (dropped < size && index[dropped] <= newest - capacity) dropped++;
    if (dropped > 0) move(dropped, 0);
    int target = place - dropped;
    move(target, target + 1);
    index[target] = tile;
    count[target] = 0;
    for (double[] column : columns) column[target] = 0;
    return target;
  }

  private void move(int source, int target) {
    int moved = size - source;
    System.arraycopy(index, source, index, target, moved);
    System.arraycopy(count, source, count, target, moved);
    for (double[] column : columns) System.arraycopy(column, source, column, target, moved);
    size += target - source;
  }

  int packedBytes() {
    return 4 + size * (8 + 8 * columns.length);
  }

  void pack(ByteBuffer to) {
    to.putInt(size);
    for (int i = 0; i < size; i++) {
      to.putInt(index[i]).putInt(count[i]);
      for (double[] column : columns) to.putDouble(column[i]);
    }
  }

  void open(ByteBuffer from) {
    size = from.getInt();
    for (int i = 0; i < size; i++) {
      index[i] = from.getInt();
      count[i] = from.getInt();
      for (double[] column : columns) column[i] = from.getDouble();
    }
  }
}
