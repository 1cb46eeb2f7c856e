package com.github.cjrelay.interop;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.Encoder;
import org.apache.avro.io.EncoderFactory;

/**
 * Turns lines on standard input into lines on standard output.
 *
 * <pre>
 * encode SCHEMA ID [BLOCK]  JSON to base64 of Confluent's wire format. The first line printed is the schema
 *                           as Java writes it, which is what a Java serializer registers. BLOCK writes lists
 *                           in blocks of at most so many bytes, with their sizes.
 * decode SCHEMA             the other way
 * </pre>
 */
public final class Main {
  private static final byte MAGIC = 0;

  private Main() {}

  public static void main(String[] args) throws IOException {
    Schema schema = new Schema.Parser().parse(Files.readString(Path.of(args[1])));
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    switch (args[0]) {
      case "encode" -> {
        out.println(schema);
        EncoderFactory encoders = new EncoderFactory();
        if (args.length > 3) {
          encoders.configureBlockSize(Integer.parseInt(args[3]));
        }
        for (String line; (line = in.readLine()) != null; ) {
          byte[] value = encode(line, schema, Integer.parseInt(args[2]), encoders, args.length > 3);
          out.println(Base64.getEncoder().encodeToString(value));
        }
      }
      case "decode" -> {
        for (String line; (line = in.readLine()) != null; ) {
          out.println(decode(Base64.getDecoder().decode(line), schema));
        }
      }
      default -> throw new IllegalArgumentException(args[0]);
    }
    out.flush();
  }

  private static byte[] encode(String json, Schema schema, int id, EncoderFactory encoders, boolean blocking)
      throws IOException {
    ByteArrayOutputStream value = new ByteArrayOutputStream();
    DataOutputStream header = new DataOutputStream(value);
    header.writeByte(MAGIC);
    header.writeInt(id);
    Encoder encoder = blocking ? encoders.blockingBinaryEncoder(value, null) : encoders.binaryEncoder(value, null);
    new GenericDatumWriter<>(schema, Values.DATA).write(Values.fromJson(json, schema), encoder);
    encoder.flush();
    return value.toByteArray();
  }

  private static String decode(byte[] value, Schema schema) throws IOException {
    int header = Byte.BYTES + Integer.BYTES;
    if (ByteBuffer.wrap(value).get() != MAGIC) {
      throw new IOException("not in Confluent's wire format");
    }
    BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(value, header, value.length - header, null);
    Object datum = new GenericDatumReader<>(schema, schema, Values.DATA).read(null, decoder);
    if (!decoder.isEnd()) {
      throw new IOException("bytes are left after the datum");
    }
    return Values.toJson(datum);
  }
}
