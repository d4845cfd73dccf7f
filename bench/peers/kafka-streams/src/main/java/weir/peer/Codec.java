package weir.peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/** Values of one schema in Confluent wire format: byte 0, schema id, Avro. Of one thread. */
final class Codec {
  private static final int HEADER_BYTES = 5;

  final Schema schema;
  private final int id;
  private final GenericDatumReader<GenericRecord> reader;
  private final GenericDatumWriter<GenericRecord> writer;
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(1024);
  private BinaryDecoder decoder;
  private BinaryEncoder encoder;

  private Codec(Schema schema, int id) {
    this.schema = schema;
    this.id = id;
    reader = new GenericDatumReader<>(schema);
    writer = new GenericDatumWriter<>(schema);
  }

  /**
   * @param folder of schemas, with their ids in ids.json.
   * @param file such as decision.avsc.
   */
  static Codec of(Path folder, String file) {
    try {
      Schema schema = withStrings(new Schema.Parser().parse(folder.resolve(file).toFile()));
      JsonNode ids = new ObjectMapper().readTree(folder.resolve("ids.json").toFile());
      for (Map.Entry<String, JsonNode> entry : ids.properties()) {
        if (entry.getValue().asText().equals(file)) {
          return new Codec(schema, Integer.parseInt(entry.getKey()));
        }
      }
      throw new IllegalArgumentException("ids.json has no id for " + file);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /** With java.lang.String for all that is text. */
  private static Schema withStrings(Schema schema) {
    switch (schema.getType()) {
      case STRING -> GenericData.setStringType(schema, GenericData.StringType.String);
      case RECORD -> schema.getFields().forEach((field) -> withStrings(field.schema()));
      case UNION -> schema.getTypes().forEach(Codec::withStrings);
      case ARRAY -> withStrings(schema.getElementType());
      default -> {}
    }
    return schema;
  }

  GenericRecord decode(byte[] value) {
    int found = ByteBuffer.wrap(value, 1, 4).getInt();
    if (value[0] != 0 || found != id) {
      throw new IllegalArgumentException("a record of schema " + found + " where " + id + " is read");
    }
    decoder = DecoderFactory.get().binaryDecoder(value, HEADER_BYTES, value.length - HEADER_BYTES, decoder);
    try {
      return reader.read(null, decoder);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  byte[] encode(GenericRecord record) {
    bytes.reset();
    bytes.writeBytes(ByteBuffer.allocate(HEADER_BYTES).put((byte) 0).putInt(id).array());
    encoder = EncoderFactory.get().binaryEncoder(bytes, encoder);
    try {
      writer.write(record, encoder);
      encoder.flush();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return bytes.toByteArray();
  }
}
