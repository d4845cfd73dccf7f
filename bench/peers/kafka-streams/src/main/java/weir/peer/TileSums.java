package weir.peer;

/** The tiles of one window, reduced. Squares and maximum are 0 where the tiles have only sums. */
record TileSums(int count, double sum, double squares, double max) {

  /** @param tiles of the window, the current one included. */
  static TileSums of(Tiles of, long time, int tiles) {
    int count = 0;
    double sum = 0;
    double squares = 0;
    double max = 0;
    boolean hasAll = of.columns.length > 1;
    for (int i = of.from(time, tiles), end = of.to(time); i < end; i++) {
      count += of.count[i];
      sum += of.columns[0][i];
      if (!hasAll) continue;
      squares += of.columns[1][i];
      max = Math.max(max, of.columns[2][i]);
    }
    return new TileSums(count, sum, squares, max);
  }

  /** Population standard deviation; 0 where rounding would make the variance negative. */
  double deviation() {
    double mean = sum / count;
    return Math.sqrt(Math.max(0, squares / count - mean * mean));
  }
}
