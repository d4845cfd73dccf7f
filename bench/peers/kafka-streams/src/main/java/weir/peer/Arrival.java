package weir.peer;

import org.apache.avro.generic.GenericRecord;

/**
 * A payment that waits for its answer.
 *
 * @param key of the record.
 * @param timestamp of the record, milliseconds.
 * @param event the payment as numbers.
 * @param amount major units of the reference currency, not rounded.
 * @param duplicateOf offset of the first event with this transaction_id; -1 when this is the first.
 * @param late whether a later payment of the customer came before it.
 */
record Arrival(
    byte[] key,
    long timestamp,
    int partition,
    GenericRecord payment,
    Event event,
    double amount,
    long duplicateOf,
    boolean late) {}
