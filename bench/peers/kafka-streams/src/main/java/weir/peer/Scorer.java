package weir.peer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.internals.InternalProcessorContext;
import org.apache.kafka.streams.processor.internals.ProcessorNode;
import org.apache.kafka.streams.processor.internals.ProcessorRecordContext;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Payments of one partition to decisions. The states are read and written payment by payment; the model runs, and the
 * answers are sent, once for many, at the latest before the commit.
 */
final class Scorer implements Processor<byte[], byte[], byte[], byte[]> {
  static final String CUSTOMERS = "customers";
  static final String HOOK = "answers";

  private static final int COLUMNS = Features.NAMES.size();

  private final Options options;
  private final Model model;
  private final Codec payments;
  private final Answers answers;
  private final float[] row = new float[COLUMNS];
  private final Features features;
  private final CustomerState customer = new CustomerState();
  private final ByteBuffer cells;
  private final FloatBuffer cellsAsFloats;
  private final List<Arrival> waiting = new ArrayList<>();
  private int rows = 0;

  private InternalProcessorContext<byte[], byte[]> context;
  private ProcessorNode<?, ?, ?, ?> node;
  private ProcessorRecordContext lastRecord;
  private KeyValueStore<String, byte[]> customers;
  private Entities entities;

  Scorer(Options options, Model model) {
    this.options = options;
    this.model = model;
    payments = Codec.of(options.schemas(), "transaction.avsc");
    answers = new Answers(options, model.part);
    features = new Features(options.referenceCurrency(), row);
    cells = ByteBuffer.allocateDirect(options.batch() * COLUMNS * 4).order(ByteOrder.LITTLE_ENDIAN);
    cellsAsFloats = cells.asFloatBuffer();
  }

  @Override
  public void init(ProcessorContext<byte[], byte[]> context) {
    this.context = (InternalProcessorContext<byte[], byte[]>) context;
    node = this.context.currentNode();
    customers = context.getStateStore(CUSTOMERS);
    entities = new Entities(context.getStateStore(EntityFolder.STORE), options.partitions());
    clear();
    context.<CommitHook>getStateStore(HOOK).beforeCommit(this::answerBeforeCommit);
  }

  @Override
  public void process(Record<byte[], byte[]> record) {
    lastRecord = context.recordContext();
    GenericRecord payment = payments.decode(record.value());
    double factor = options.factor((String) payment.get("currency"));
    Event event = Event.of(payment, lastRecord.offset(), factor);
    String id = (String) payment.get("customer_id");
    customer.open(customers.get(id));
    boolean late = customer.lastTime > event.time();
    long duplicateOf = customer.offsetOf(event.id());
    if (duplicateOf < 0) {
      features.ofPaymentAndCustomer(payment, event, customer);
      customer.add(event, (Double) payment.get("latitude"), (Double) payment.get("longitude"));
      customers.put(id, customer.pack());
      readEntities(payment, event);
      cellsAsFloats.put(rows++ * COLUMNS, row);
    }
    double amount = (Long) payment.get("amount_minor") * factor / 100;
    waiting.add(
        new Arrival(
            record.key(), record.timestamp(), lastRecord.partition(), payment, event, amount, duplicateOf, late));
    if (waiting.size() < options.batch()) return;
    answer();
    context.commit();
  }

  private void readEntities(GenericRecord payment, Event event) {
    Entities.Open merchant = entity("merchant", payment.get("merchant_id"));
    Entities.Open terminal = entity("terminal", payment.get("terminal_id"));
    Entities.Open device = entity("device", payment.get("device_id"));
    features.ofMerchant(event, merchant == null ? null : merchant.state);
    features.ofTerminal(event, terminal == null ? null : terminal.state);
    features.ofDevice(event, device == null ? null : device.state);
    if (merchant != null) merchant.add(event);
    if (terminal != null) terminal.add(event);
    if (device != null) device.add(event);
  }

  private Entities.Open entity(String kind, Object id) {
    return id == null ? null : entities.get(kind + ":" + id);
  }

  /** Outside of `process` there is no current node to send from; the caches of Kafka Streams do the same. */
  private void answerBeforeCommit() {
    if (waiting.isEmpty()) return;
    ProcessorNode<?, ?, ?, ?> before = context.currentNode();
    ProcessorRecordContext recordBefore = context.recordContext();
    context.setRecordContext(lastRecord);
    context.setCurrentNode(node);
    try {
      answer();
    } finally {
      context.setCurrentNode(before);
      context.setRecordContext(recordBefore);
    }
  }

  private void answer() {
    double[] scores = model.score(cellsAsFloats.slice(0, rows * COLUMNS), rows);
    int at = 0;
    for (Arrival arrival : waiting) {
      if (arrival.duplicateOf() >= 0) {
        send(arrival, answers.duplicate(arrival), Main.DECISIONS);
        continue;
      }
      byte[] vector = new byte[COLUMNS * 4];
      cells.get(at * vector.length, vector);
      double score = scores[at++];
      int riskScore = model.riskScore(score);
      String outcome = options.thresholds().outcome(riskScore);
      send(arrival, answers.scored(arrival, vector, score, riskScore, outcome), Main.DECISIONS);
      if (!options.alertOn().contains(outcome)) continue;
      send(arrival, answers.alert(arrival, score, riskScore, outcome), Main.ALERTS);
    }
    sendUpdates(waiting.get(waiting.size() - 1).timestamp());
    clear();
  }

  private void send(Arrival arrival, byte[] value, String sink) {
    context.forward(new Record<>(arrival.key(), value, arrival.timestamp()), sink);
  }

  /** The key says the partition: see Main. */
  private void sendUpdates(long timestamp) {
    byte[][] updates = entities.updates();
    for (int home = 0; home < updates.length; home++) {
      if (updates[home] == null) continue;
      byte[] key = ByteBuffer.allocate(4).putInt(home).array();
      context.forward(new Record<>(key, updates[home], timestamp), Main.UPDATES);
    }
  }

  private void clear() {
    waiting.clear();
    entities.clear();
    rows = 0;
  }
}
