import type { Rejection } from '../core/errors.ts'

/** What mends a record, by what is wrong with it; docs/reference/errors.md says it at length. */
const cures: Readonly<Record<Rejection['code'], string>> = {
  WEIR_RECORD_TOO_LARGE:
    'have the producer send less; if such records are right, raise limits.record_bytes and redrive it as it is',
  WEIR_RECORD_EMPTY: 'stop the producer from sending records without a value; redrive it --with the payment',
  WEIR_RECORD_NOT_AVRO:
    "set the producer's serializer to Avro in Confluent wire format; redrive it --with the payment",
  WEIR_RECORD_UNKNOWN_SCHEMA: 'register the schema, or correct schema_registry.url; then redrive it as it is',
  WEIR_RECORD_UNDECODABLE:
    'find what damaged the bytes or wrote another schema than it named; redrive it --with the payment',
  WEIR_RECORD_OUT_OF_RANGE: 'mend the producer; correct the field and redrive it --with the file',
  WEIR_RECORD_UNKNOWN_CURRENCY:
    'correct the currency and redrive it --with the file; or, where the feature file lacked its rate, add it and redrive it as it is',
  WEIR_RECORD_EVENT_TIME:
    "look at the producer's clock; redrive it --with the file, stamped with its event time",
  WEIR_RECORD_PAN:
    'have the producer send a token; redrive it --with a file that has no card number, and delete the record',
  WEIR_RECORD_KEY:
    'have the producer use customer_id as key; redrive it --with the file, and the key is right',
}

/** Of a code that this version does not know, the place where to look. */
export const cureOf = (code: string): string =>
  cures[code as Rejection['code']] ?? 'see docs/reference/errors.md of the version that wrote it'
