package com.github.cjrelay.interop;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Conversions;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.avro.data.TimeConversions;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;

/** Canonical JSON to and from Avro's generic values, with BigDecimal for decimals and Instant for timestamps. */
final class Values {
  static final GenericData DATA = new GenericData();

  static {
    DATA.addLogicalTypeConversion(new Conversions.DecimalConversion());
    DATA.addLogicalTypeConversion(new TimeConversions.TimestampMillisConversion());
    DATA.addLogicalTypeConversion(new TimeConversions.TimestampMicrosConversion());
    DATA.addLogicalTypeConversion(new TimeConversions.TimestampNanosConversion());
  }

  private static final ObjectMapper JSON =
      new ObjectMapper().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS);

  private Values() {}

  static Object fromJson(String json, Schema schema) throws IOException {
    return fromJson(JSON.readTree(json), schema);
  }

  private static Object fromJson(JsonNode json, Schema schema) {
    if (schema.getLogicalType() instanceof LogicalTypes.Decimal) {
      // An amount that does not fit the scale throws; it is never rounded.
      return new BigDecimal(json.asText()).setScale(((LogicalTypes.Decimal) schema.getLogicalType()).getScale());
    }
    return switch (schema.getType()) {
      case UNION -> json.isNull() ? null : fromJson(json, notNull(schema));
      case RECORD -> recordFromJson(json, schema);
      case ARRAY -> {
        List<Object> list = new ArrayList<>();
        json.forEach(element -> list.add(fromJson(element, schema.getElementType())));
        yield list;
      }
      case MAP -> {
        Map<String, Object> map = new LinkedHashMap<>();
        json.properties().forEach(e -> map.put(e.getKey(), fromJson(e.getValue(), schema.getValueType())));
        yield map;
      }
      case ENUM -> new GenericData.EnumSymbol(schema, json.asText());
      case INT -> json.intValue();
      case LONG -> schema.getLogicalType() == null ? (Object) json.longValue() : Instant.parse(json.asText());
      case BOOLEAN -> json.booleanValue();
      case STRING -> json.asText();
      default -> throw new IllegalArgumentException("no JSON for " + schema);
    };
  }

  private static GenericRecord recordFromJson(JsonNode json, Schema schema) {
    GenericRecord record = new GenericData.Record(schema);
    for (Schema.Field field : schema.getFields()) {
      record.put(field.pos(), fieldFromJson(json.get(field.name()), field));
    }
    return record;
  }

  private static Object fieldFromJson(JsonNode json, Schema.Field field) {
    boolean nullable = field.schema().getType() == Schema.Type.UNION;
    if (json == null || json.isNull() && !nullable) {
      return DATA.getDefaultValue(field);
    }
    return fromJson(json, field.schema());
  }

  static String toJson(Object value) throws IOException {
    return JSON.writeValueAsString(plain(value));
  }

  /** What Jackson writes as the canonical JSON of a generic value. */
  private static Object plain(Object value) {
    if (value instanceof GenericRecord record) {
      Map<String, Object> members = new LinkedHashMap<>();
      for (Schema.Field field : record.getSchema().getFields()) {
        members.put(field.name(), plain(record.get(field.pos())));
      }
      return members;
    }
    if (value instanceof Collection<?> list) {
      return list.stream().map(Values::plain).toList();
    }
    if (value instanceof Map<?, ?> map) {
      Map<String, Object> members = new LinkedHashMap<>();
      map.forEach((key, member) -> members.put(key.toString(), plain(member)));
      return members;
    }
    if (value instanceof BigDecimal amount) {
      return amount.toPlainString();
    }
    if (value instanceof CharSequence || value instanceof Instant) {
      return value.toString();
    }
    return value;
  }

  private static Schema notNull(Schema union) {
    return union.getTypes().stream().filter(type -> type.getType() != Schema.Type.NULL).findFirst().orElseThrow();
  }
}
