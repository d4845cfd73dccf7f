package weir.peer;

/** One pass over the customer's events of the last day for all windows of up to a day: (time - window, time]. */
final class RecentEvents {
  private static final long MINUTE_MS = 60_000;

  int count1m, count10m, count1h, count24h;
  double sum10m, sum1h, sum24h, max24h, min1h;
  int remoteCount1h, refundCount24h, sameMerchantCount24h;
  double remoteSum24h, transferSum24h;
  final Distinct merchants1h = new Distinct();
  final Distinct merchants24h = new Distinct();
  final Distinct countries24h = new Distinct();

  void scan(CustomerState state, Event event) {
    clear();
    long now = event.time();
    if (state.lastTime <= now - CustomerState.DAY_MS) return;
    for (int i = state.size - 1; i >= 0; i--) {
      long age = now - state.time[i];
      if (age < 0 || age >= CustomerState.DAY_MS) continue;
      inLastDay(state, i, event);
      if (age >= 60 * MINUTE_MS) continue;
      inLastHour(state, i);
      if (age >= 10 * MINUTE_MS) continue;
      count10m++;
      sum10m += state.amount[i];
      if (age < MINUTE_MS) count1m++;
    }
  }

  private void inLastDay(CustomerState state, int i, Event event) {
    double amount = state.amount[i];
    int channel = state.kind[i] >>> 8;
    count24h++;
    sum24h += amount;
    max24h = Math.max(max24h, amount);
    if (channel == Event.ECOMMERCE || channel == Event.MOTO) remoteSum24h += amount;
    if (channel == Event.TRANSFER) transferSum24h += amount;
    if ((state.kind[i] & 0xff) == Event.REFUND) refundCount24h++;
    if (state.merchant[i] == event.merchant()) sameMerchantCount24h++;
    merchants24h.add(state.merchant[i]);
    countries24h.add(state.place[i] >>> 16);
  }

  private void inLastHour(CustomerState state, int i) {
    double amount = state.amount[i];
    int channel = state.kind[i] >>> 8;
    count1h++;
    sum1h += amount;
    min1h = Math.min(min1h, amount);
    if (channel == Event.ECOMMERCE || channel == Event.MOTO) remoteCount1h++;
    merchants1h.add(state.merchant[i]);
  }

  private void clear() {
    count1m = count10m = count1h = count24h = 0;
    sum10m = sum1h = sum24h = max24h = 0;
    min1h = Double.POSITIVE_INFINITY;
    remoteCount1h = refundCount24h = sameMerchantCount24h = 0;
    remoteSum24h = transferSum24h = 0;
    merchants1h.count = merchants24h.count = countries24h.count = 0;
  }

  /** Values of a few, 0 left out. */
  static final class Distinct {
    int count = 0;
    private final int[] values = new int[64];

    void add(int value) {
      if (value == 0) return;
      for (int i = 0; i < count; i++) if (values[i] == value) return;
      values[count++] = value;
    }
  }
}
