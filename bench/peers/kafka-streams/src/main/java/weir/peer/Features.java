package weir.peer;

import java.util.List;
import org.apache.avro.generic.GenericRecord;

/** The 62 columns of features.yaml in its order; amounts in major units, NaN is missing. Line by line: docs/features.md. */
final class Features {
  static final List<String> NAMES =
      List.of(
          "amount", "log_amount", "round_amount", "hour", "night", "weekend", "mcc", "card_present",
          "foreign_currency", "is_ecommerce", "is_atm", "is_transfer", "is_recurring", "is_refund",
          "customer_count_1m", "customer_count_10m", "customer_count_1h", "customer_count_24h",
          "customer_count_7d", "customer_count_30d", "customer_sum_10m", "customer_sum_1h",
          "customer_sum_24h", "customer_sum_7d", "customer_mean_24h", "customer_mean_30d",
          "customer_std_30d", "customer_max_24h", "customer_max_30d", "customer_min_1h",
          "customer_ratio_7d", "customer_ratio_30d", "customer_zscore_30d",
          "customer_ecommerce_count_1h", "customer_ecommerce_sum_24h", "customer_transfer_sum_24h",
          "customer_refund_count_24h", "customer_same_merchant_count_24h", "customer_merchants_1h",
          "customer_merchants_24h", "customer_merchants_30d", "customer_countries_24h",
          "customer_countries_30d", "customer_time_since_last", "customer_age",
          "customer_total_count", "first_merchant", "first_device", "first_country", "first_mcc",
          "geo_distance", "geo_speed", "merchant_count_1h", "merchant_count_24h",
          "merchant_mean_7d", "merchant_ratio_7d", "merchant_fraud_rate_7d",
          "merchant_fraud_rate_30d", "terminal_count_24h", "terminal_fraud_rate_30d",
          "device_count_1h", "device_customers");

  static final int MERCHANT = NAMES.indexOf("merchant_count_1h");
  static final int TERMINAL = NAMES.indexOf("terminal_count_24h");
  static final int DEVICE = NAMES.indexOf("device_count_1h");

  private static final double MISSING = Double.NaN;
  private static final long HOUR_MS = 3_600_000;
  private static final long DAY_MS = CustomerState.DAY_MS;
  /** Of fraud rates: src/core/features/columns.ts. */
  private static final int PRIOR_COUNT = 10;

  private final String referenceCurrency;
  private final RecentEvents recent = new RecentEvents();
  private final float[] row;
  private int at;

  /** @param row the columns are written into it. */
  Features(String referenceCurrency, float[] row) {
    this.referenceCurrency = referenceCurrency;
    this.row = row;
  }

  private void put(double value) {
    row[at++] = Double.isNaN(value) ? Float.NaN : (float) value;
  }

  private void put(boolean value) {
    row[at++] = value ? 1 : 0;
  }

  /** Columns of the payment and its customer, from the state as it was before. */
  void ofPaymentAndCustomer(GenericRecord payment, Event event, CustomerState state) {
    at = 0;
    ofPayment(payment, event);
    recent.scan(state, event);
    ofWindows(event, state);
    ofCustomer(event, state);
    travel(payment, event, state);
  }

  private void ofPayment(GenericRecord payment, Event event) {
    Integer offsetMinutes = (Integer) payment.get("utc_offset_minutes");
    long local = event.time() + (offsetMinutes == null ? 0 : offsetMinutes) * 60_000L;
    long hour = Math.floorDiv(local, HOUR_MS) % 24;
    put(event.amount() / 100);
    put(Math.log1p(event.amount() / 100));
    put((Long) payment.get("amount_minor") % 1000 == 0);
    put(hour);
    put(hour < 6);
    put((Math.floorDiv(local, DAY_MS) + 5) % 7 < 2);
    put(event.mcc() == 0 ? MISSING : event.mcc());
    put(event.isCardPresent());
    put(!referenceCurrency.equals(payment.get("currency")));
    put(event.isRemote());
    put(event.channel() == Event.ATM);
    put(event.channel() == Event.TRANSFER);
    put(event.channel() == Event.RECURRING);
    put(event.type() == Event.REFUND);
  }

  private void ofWindows(Event event, CustomerState state) {
    RecentEvents r = recent;
    TileSums week = TileSums.of(state.days, event.time(), 7);
    TileSums month = TileSums.of(state.fiveDays, event.time(), 6);
    double deviation = month.deviation();
    put(r.count1m);
    put(r.count10m);
    put(r.count1h);
    put(r.count24h);
    put(week.count());
    put(month.count());
    put(r.sum10m / 100);
    put(r.sum1h / 100);
    put(r.sum24h / 100);
    put(week.sum() / 100);
    put(r.count24h == 0 ? MISSING : r.sum24h / r.count24h / 100);
    put(month.count() == 0 ? MISSING : month.sum() / month.count() / 100);
    put(month.count() < 2 ? MISSING : deviation / 100);
    put(r.count24h == 0 ? MISSING : r.max24h / 100);
    put(month.count() == 0 ? MISSING : month.max() / 100);
    put(r.count1h == 0 ? MISSING : r.min1h / 100);
    put(ratio(event, week.count(), week.sum()));
    put(ratio(event, month.count(), month.sum()));
    put(
        month.count() < 2
            ? MISSING
            : (event.amount() - month.sum() / month.count()) / Math.max(100, deviation));
    put(r.remoteCount1h);
    put(r.remoteSum24h / 100);
    put(r.transferSum24h / 100);
    put(r.refundCount24h);
    put(r.sameMerchantCount24h);
  }

  private void ofCustomer(Event event, CustomerState state) {
    long monthAgo = event.time() - 30 * DAY_MS;
    put(recent.merchants1h.count);
    put(recent.merchants24h.count);
    put(state.merchants.countAfter(monthAgo));
    put(recent.countries24h.count);
    put(state.countries.countAfter(monthAgo));
    put(state.total == 0 ? MISSING : Math.max(0, event.time() - state.lastTime) / 1000);
    put(state.total == 0 ? MISSING : Math.max(0, event.time() - state.firstTime) / 1000);
    put(state.total);
    put(first(state.merchants, event.merchant()));
    put(first(state.devices, event.device()));
    put(first(state.countries, event.country()));
    put(first(state.mccs, event.mcc()));
  }

  private static double first(Seen seen, int value) {
    return value == 0 ? MISSING : seen.has(value) ? 0 : 1;
  }

  private void travel(GenericRecord payment, Event event, CustomerState state) {
    Double latitude = (Double) payment.get("latitude");
    Double longitude = (Double) payment.get("longitude");
    if (latitude == null || longitude == null || Double.isNaN(state.geoTime)) {
      put(MISSING);
      put(MISSING);
      return;
    }
    double km = Geo.distanceKm(state.latitude, state.longitude, latitude, longitude);
    put(km);
    put(km / (Math.max(60_000, Math.abs(event.time() - state.geoTime)) / HOUR_MS));
  }

  /** @param state null where the payment has no merchant: all is missing then, as for the other two. */
  void ofMerchant(Event event, EntityState state) {
    at = MERCHANT;
    if (state == null) {
      for (int i = 0; i < 6; i++) put(MISSING);
      return;
    }
    TileSums week = TileSums.of(state.days, event.time(), 7);
    put(TileSums.of(state.tenMinutes, event.time(), 6).count());
    put(TileSums.of(state.threeHours, event.time(), 8).count());
    put(week.count() == 0 ? MISSING : week.sum() / week.count() / 100);
    put(ratio(event, week.count(), week.sum()));
    put(fraudRate(event, state, 7));
    put(fraudRate(event, state, 30));
  }

  void ofTerminal(Event event, EntityState state) {
    at = TERMINAL;
    put(state == null ? MISSING : TileSums.of(state.threeHours, event.time(), 8).count());
    put(state == null ? MISSING : fraudRate(event, state, 30));
  }

  void ofDevice(Event event, EntityState state) {
    at = DEVICE;
    put(state == null ? MISSING : TileSums.of(state.tenMinutes, event.time(), 6).count());
    put(state == null ? MISSING : state.customerCount);
  }

  private static double ratio(Event event, int count, double sum) {
    return sum == 0 ? MISSING : event.amount() * count / sum;
  }

  /** Per payment of the whole days that had ended a day ago; the bench has no labels, so no frauds. */
  private static double fraudRate(Event event, EntityState state, int days) {
    int frauds = 0;
    int payments = TileSums.of(state.days, event.time() - 2 * DAY_MS, days).count();
    return (double) frauds / (payments + PRIOR_COUNT);
  }
}
