package weir.peer;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A model package of one part, on one CPU thread. Safe to be used by many threads. */
final class Model {
  final String part;

  private final OrtEnvironment environment =
      OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR);
  private final OrtSession session;
  private final String input;
  private final String output;
  private final int width;
  private final int column;
  private final Knots calibration;
  private final Knots scoreMap;

  /** @param graph of the package; model.json lies beside it. */
  Model(Path graph) throws IOException, OrtException {
    JsonNode manifest = new ObjectMapper().readTree(graph.resolveSibling("model.json").toFile());
    if (!columns(manifest).equals(Features.NAMES)) {
      throw new IllegalArgumentException(graph + ": the model has other columns than this program");
    }
    JsonNode only = manifest.get("parts").get(0);
    if (manifest.get("parts").size() != 1 || !only.get("rows_at_once").isNull()) {
      throw new IllegalArgumentException(graph + ": only models of one part that take any number of rows");
    }
    part = only.get("name").asText();
    input = only.get("input").get("name").asText();
    output = only.get("output").get("name").asText();
    width = only.get("output").get("shape").get(1).asInt();
    column = only.get("output").get("column").asInt();
    calibration = Knots.of(only.get("calibration"));
    scoreMap = Knots.of(manifest.get("score_map"));
    OrtSession.SessionOptions options = new OrtSession.SessionOptions();
    options.setIntraOpNumThreads(1);
    options.setInterOpNumThreads(1);
    session = environment.createSession(graph.toString(), options);
  }

  private static List<String> columns(JsonNode manifest) {
    List<String> names = new ArrayList<>();
    manifest.get("columns").forEach((name) -> names.add(name.asText()));
    return names;
  }

  /**
   * Calibrated probabilities of fraud.
   *
   * @param cells row-major, direct; from its position to its limit.
   */
  double[] score(FloatBuffer cells, int rows) {
    double[] probabilities = new double[rows];
    if (rows == 0) return probabilities;
    long[] shape = {rows, Features.NAMES.size()};
    try (OnnxTensor tensor = OnnxTensor.createTensor(environment, cells, shape);
        OrtSession.Result result = session.run(Map.of(input, tensor), Set.of(output))) {
      FloatBuffer scores = ((OnnxTensor) result.get(0)).getFloatBuffer();
      for (int row = 0; row < rows; row++) {
        probabilities[row] = calibration.at(scores.get(row * width + column));
      }
      return probabilities;
    } catch (OrtException error) {
      throw new IllegalStateException("the model did not run", error);
    }
  }

  /** 0 to 999. */
  int riskScore(double probability) {
    return (int) Math.floor(scoreMap.at(probability) + 0.5);
  }
}
