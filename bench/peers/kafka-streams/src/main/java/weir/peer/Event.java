package weir.peer;

import java.util.List;
import org.apache.avro.generic.GenericRecord;

/** A payment reduced to the numbers that states and features are made of: src/core/features/event.ts. */
record Event(
    long offset,
    long time,
    /* Hundredths of the reference currency, a whole number. */
    double amount,
    long id,
    long customer,
    /* 32-bit hashes, 0 when absent. */
    int merchant,
    int device,
    /* Two letters as a 16-bit number, 0 when absent. */
    int country,
    int mcc,
    int channel,
    int type) {

  static final List<String> CHANNELS =
      List.of("pos", "atm", "ecommerce", "moto", "recurring", "transfer");
  static final List<String> TYPES = List.of("purchase", "refund", "cash", "transfer", "payment");
  static final int POS = 0, ATM = 1, ECOMMERCE = 2, MOTO = 3, RECURRING = 4, TRANSFER = 5;
  static final int REFUND = 1;

  /** @param factor hundredths of the reference currency per minor unit of the payment's currency. */
  static Event of(GenericRecord payment, long offset, double factor) {
    String country = (String) payment.get("country");
    String mcc = (String) payment.get("mcc");
    return new Event(
        offset,
        (Long) payment.get("event_time"),
        Math.round((Long) payment.get("amount_minor") * factor),
        Hash.hash53((String) payment.get("transaction_id")),
        Hash.hash53((String) payment.get("customer_id")),
        Hash.hash32((String) payment.get("merchant_id")),
        Hash.hash32((String) payment.get("device_id")),
        country == null ? 0 : country.charAt(0) << 8 | country.charAt(1),
        mcc == null ? 0 : Integer.parseInt(mcc),
        CHANNELS.indexOf((String) payment.get("channel")),
        TYPES.indexOf((String) payment.get("type")));
  }

  boolean isRemote() {
    return channel == ECOMMERCE || channel == MOTO;
  }

  boolean isCardPresent() {
    return channel == POS || channel == ATM;
  }
}
