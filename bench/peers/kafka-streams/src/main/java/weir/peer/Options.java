package weir.peer;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The only argument, as JSON: PeerOptions of bench/peer-options.ts.
 *
 * @param group application.id: of the consumer group, and what internal topics begin with.
 * @param input topic of payments; `output`, `alerts` and `entityUpdates` are those that are written.
 * @param partitions of every topic.
 * @param batch payments in one call of the model, and in one transaction, at most.
 * @param concurrency threads.
 * @param commitMs how long a transaction is left open for more, milliseconds.
 * @param graph the ONNX file; model.json lies beside it.
 * @param schemas folder of the Avro schemas and their ids.
 * @param factors hundredths of the reference currency per minor unit, by currency.
 * @param alertOn outcomes that become alerts.
 * @param decision fields that every decision has.
 */
@JsonIgnoreProperties(ignoreUnknown = true)
record Options(
    List<String> brokers,
    String group,
    String input,
    String output,
    String alerts,
    String entityUpdates,
    int partitions,
    int batch,
    int concurrency,
    long commitMs,
    Fetch fetch,
    Path graph,
    Path schemas,
    Map<String, Double> factors,
    String referenceCurrency,
    Thresholds thresholds,
    Set<String> alertOn,
    Map<String, String> decision) {

  /** Settings of the consumer. */
  record Fetch(int minBytes, int maxWaitTimeInMs, int maxBytesPerPartition, int maxBytes) {}

  /** Least risk score of each outcome but approve. */
  record Thresholds(int challenge, int review, int decline) {
    String outcome(int riskScore) {
      if (riskScore >= decline) return "decline";
      if (riskScore >= review) return "review";
      if (riskScore >= challenge) return "challenge";
      return "approve";
    }
  }

  double factor(String currency) {
    Double factor = factors.get(currency);
    if (factor == null) throw new IllegalArgumentException("there is no rate for " + currency);
    return factor;
  }
}
