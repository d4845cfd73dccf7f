package weir.peer;

import java.nio.ByteBuffer;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;

/** Decisions and alerts in weir's schemas. What this program does not know (rules, lists, reasons) has its default. */
final class Answers {
  private final Codec decisions;
  private final Codec alerts;
  private final Options options;
  private final String part;

  /** @param part the model's only one. */
  Answers(Options options, String part) {
    this.options = options;
    this.part = part;
    decisions = Codec.of(options.schemas(), "decision.avsc");
    alerts = Codec.of(options.schemas(), "alert.avsc");
  }

  byte[] duplicate(Arrival arrival) {
    GenericRecord decision = common(arrival, "duplicate");
    decision.put("duplicate_of", idOf(arrival.partition(), arrival.duplicateOf()));
    decision.put("features", ByteBuffer.allocate(0));
    return decisions.encode(decision);
  }

  byte[] scored(Arrival arrival, byte[] features, double score, int riskScore, String outcome) {
    GenericRecord decision = common(arrival, "scored");
    decision.put("outcome", outcome);
    decision.put("score", score);
    decision.put("risk_score", riskScore);
    decision.put("features", ByteBuffer.wrap(features));
    return decisions.encode(decision);
  }

  private GenericRecord common(Arrival arrival, String status) {
    GenericRecord payment = arrival.payment();
    GenericRecord decision = new GenericData.Record(decisions.schema);
    decision.put("decision_id", idOf(arrival.partition(), arrival.event().offset()));
    decision.put("transaction_id", payment.get("transaction_id"));
    decision.put("customer_id", payment.get("customer_id"));
    decision.put("event_time", payment.get("event_time"));
    decision.put("status", status);
    decision.put("reasons", List.of());
    decision.put("late", arrival.late());
    options.decision().forEach(decision::put);
    decision.put("rules_hit", List.of());
    decision.put("lists_hit", List.of());
    decision.put("adjustment", 0);
    return decision;
  }

  byte[] alert(Arrival arrival, double score, int riskScore, String outcome) {
    GenericRecord payment = arrival.payment();
    GenericRecord alert = new GenericData.Record(alerts.schema);
    for (Schema.Field field : alerts.schema.getFields()) {
      if (payment.hasField(field.name())) alert.put(field.pos(), payment.get(field.name()));
    }
    Schema partSchema = alerts.schema.getField("parts").schema().getElementType();
    GenericRecord ofPart = new GenericData.Record(partSchema);
    ofPart.put("name", part);
    ofPart.put("score", score);
    alert.put("alert_id", idOf(arrival.partition(), arrival.event().offset()));
    alert.put("outcome", outcome);
    alert.put("status", "scored");
    alert.put("score", score);
    alert.put("risk_score", riskScore);
    alert.put("loss", score * arrival.amount());
    alert.put("parts", List.of(ofPart));
    for (String none : List.of("reasons", "rules_hit", "lists_hit", "contributions")) {
      alert.put(none, List.of());
    }
    alert.put("narrative", "");
    return alerts.encode(alert);
  }

  private String idOf(int partition, long offset) {
    return options.input() + "-" + partition + "-" + offset;
  }
}
