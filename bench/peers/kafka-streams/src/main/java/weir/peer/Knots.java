package weir.peer;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.stream.StreamSupport;

/** A monotone map given by points: src/core/calibration.ts. */
record Knots(double[] x, double[] y) {

  static Knots of(JsonNode node) {
    return new Knots(numbers(node.get("x")), numbers(node.get("y")));
  }

  private static double[] numbers(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).mapToDouble(JsonNode::doubleValue).toArray();
  }

  double at(double value) {
    int last = x.length - 1;
    if (value <= x[0]) return y[0];
    if (value >= x[last]) return y[last];
    int low = 0;
    int high = last;
    while (high - low > 1) {
      int middle = low + high >> 1;
      if (x[middle] <= value) low = middle;
      else high = middle;
    }
    return y[low] + (value - x[low]) * (y[high] - y[low]) / (x[high] - x[low]);
  }
}
