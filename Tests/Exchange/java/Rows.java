import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.paimon.data.DataGetters;
import org.apache.paimon.data.InternalArray;
import org.apache.paimon.data.InternalMap;
import org.apache.paimon.data.InternalRow;
import org.apache.paimon.data.Timestamp;
import org.apache.paimon.types.ArrayType;
import org.apache.paimon.types.DataField;
import org.apache.paimon.types.DataType;
import org.apache.paimon.types.DecimalType;
import org.apache.paimon.types.IntType;
import org.apache.paimon.types.LocalZonedTimestampType;
import org.apache.paimon.types.MapType;
import org.apache.paimon.types.MultisetType;
import org.apache.paimon.types.RowType;
import org.apache.paimon.types.TimestampType;

/** Rows as one JSON object each, in the exchange's canonical spelling (see canonical.py). */
final class Rows {
  static String row(InternalRow row, RowType type) {
    List<String> members = new ArrayList<>();
    for (int i = 0; i < type.getFieldCount(); i++) {
      DataField field = type.getFields().get(i);
      members.add(quoted(field.name()) + ":" + value(row, i, field.type()));
    }
    return "{" + String.join(",", members) + "}";
  }

  private static String value(DataGetters row, int i, DataType type) {
    if (row.isNullAt(i)) return "null";
    switch (type.getTypeRoot()) {
      case BOOLEAN: return String.valueOf(row.getBoolean(i));
      case TINYINT: return String.valueOf(row.getByte(i));
      case SMALLINT: return String.valueOf(row.getShort(i));
      case INTEGER: return String.valueOf(row.getInt(i));
      case BIGINT: return String.valueOf(row.getLong(i));
      case FLOAT: return "\"f" + hex(Float.floatToIntBits(row.getFloat(i)), 8) + "\"";
      case DOUBLE: return "\"d" + hex(Double.doubleToLongBits(row.getDouble(i)), 16) + "\"";
      case CHAR: case VARCHAR: return quoted(row.getString(i).toString());
      case BINARY: case VARBINARY: return quoted(bytes(row.getBinary(i)));
      case DECIMAL: {
        DecimalType decimal = (DecimalType) type;
        return quoted(row.getDecimal(i, decimal.getPrecision(), decimal.getScale()).toBigDecimal().toPlainString());
      }
      case DATE: return quoted(LocalDate.ofEpochDay(row.getInt(i)).toString());
      case TIME_WITHOUT_TIME_ZONE: {
        LocalTime time = LocalTime.ofNanoOfDay(row.getInt(i) * 1_000_000L);
        return quoted(String.format("%02d:%02d:%02d.%03d", time.getHour(), time.getMinute(), time.getSecond(), time.getNano() / 1_000_000));
      }
      case TIMESTAMP_WITHOUT_TIME_ZONE: return instant(row.getTimestamp(i, ((TimestampType) type).getPrecision()));
      case TIMESTAMP_WITH_LOCAL_TIME_ZONE: return instant(row.getTimestamp(i, ((LocalZonedTimestampType) type).getPrecision()));
      case ARRAY: return array(row.getArray(i), ((ArrayType) type).getElementType());
      case MAP: return map(row.getMap(i), ((MapType) type).getKeyType(), ((MapType) type).getValueType());
      case MULTISET: return map(row.getMap(i), ((MultisetType) type).getElementType(), new IntType(false));
      case ROW: return row(row.getRow(i, ((RowType) type).getFieldCount()), (RowType) type);
      default: throw new IllegalArgumentException("no spelling for " + type);
    }
  }

  private static String instant(Timestamp value) {
    LocalDateTime at = value.toLocalDateTime();
    return String.format("\"%04d-%02d-%02d %02d:%02d:%02d.%09d\"", at.getYear(), at.getMonthValue(), at.getDayOfMonth(),
        at.getHour(), at.getMinute(), at.getSecond(), at.getNano());
  }

  private static String array(InternalArray array, DataType element) {
    List<String> values = new ArrayList<>();
    for (int i = 0; i < array.size(); i++) values.add(value(array, i, element));
    return "[" + String.join(",", values) + "]";
  }

  /** A map has no order: its entries are sorted by their text. */
  private static String map(InternalMap map, DataType key, DataType element) {
    InternalArray keys = map.keyArray(), values = map.valueArray();
    List<String> entries = new ArrayList<>();
    for (int i = 0; i < map.size(); i++) entries.add("[" + value(keys, i, key) + "," + value(values, i, element) + "]");
    Collections.sort(entries);
    return "[" + String.join(",", entries) + "]";
  }

  private static String hex(long bits, int digits) {
    String text = Long.toHexString(bits);
    while (text.length() < digits) text = "0" + text;
    return text.substring(text.length() - digits);
  }

  private static String bytes(byte[] value) {
    StringBuilder out = new StringBuilder("0x");
    for (byte b : value) out.append(Character.forDigit((b >> 4) & 15, 16)).append(Character.forDigit(b & 15, 16));
    return out.toString();
  }

  static String quoted(String text) {
    StringBuilder out = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') out.append('\\').append(c);
      else if (c < 0x20) out.append(String.format("\\u%04x", (int) c));
      else out.append(c);
    }
    return out.append('"').toString();
  }
}
