import Columns
import Formats
import Store

/// Values of one type as JSON, as Flink's formats write them: decimals and numbers bare, bytes in base64,
/// times with as many digits of a second as they need, MAP and MULTISET as objects.
final class JSONCell {
  /// What becomes of a null key of a map, which JSON has no form for.
  enum NullKeys {
    case fail, drop
    case literal(String)
  }

  /// How rows are written.
  struct Style {
    var isISO = false
    var leavesNullsOut = false
    var nullKeys = NullKeys.fail
  }

  private let type: DataType
  private let style: Style
  private let plain: ValueFormat
  private let inner: [JSONCell]
  /// Of the fields of a row, quoted and with the colon.
  private let names: [[UInt8]]

  init(_ type: DataType, _ style: Style) {
    self.type = type
    self.style = style
    plain = ValueFormat(type)
    var names: [[UInt8]] = []
    switch type.kind {
    case .array(let element): inner = [JSONCell(element, style)]
    case .map(let key, let value): inner = [JSONCell(key, style), JSONCell(value, style)]
    case .multiset(let element): inner = [JSONCell(element, style), JSONCell(.int, style)]
    case .row(let fields):
      inner = fields.map { JSONCell($0.type, style) }
      names = fields.map { ValueFormat.jsonName($0.name) }
    default: inner = []
    }
    self.names = names
  }

  func append(_ column: Column, _ row: Int, to out: ByteWriter) throws(TerraceError) {
    if column.isNull(row) { return out.append("null" as StaticString) }
    switch type.kind {
    case .boolean, .tinyint, .smallint, .int, .bigint, .decimal: plain.append(column, row, to: out)
    case .char, .varchar: JSONText.appendQuoted(column.bytes(row), to: out)
    case .float, .double: plain.appendJSON(column, row, to: out)
    case .binary, .varbinary:
      out.append(UInt8(ascii: "\""))
      Base64Text.append(column.bytes(row), to: out)
      out.append(UInt8(ascii: "\""))
    case .date, .time, .timestamp, .timestampLTZ:
      out.append(UInt8(ascii: "\""))
      time(column, row, to: out)
      out.append(UInt8(ascii: "\""))
    case .array:
      out.append(UInt8(ascii: "["))
      let items = Int(column.offsets[row])..<Int(column.offsets[row + 1])
      for item in items {
        if item > items.lowerBound { out.append(UInt8(ascii: ",")) }
        try inner[0].append(column.children[0], item, to: out)
      }
      out.append(UInt8(ascii: "]"))
    case .map, .multiset: try object(column, row, to: out)
    case .row: try members(column.children, row, to: out)
    }
  }

  /// The members of a row from its columns.
  func members(_ columns: [Column], _ row: Int, to out: ByteWriter) throws(TerraceError) {
    out.append(UInt8(ascii: "{"))
    var isFirst = true
    for index in 0..<inner.count {
      if style.leavesNullsOut, columns[index].isNull(row) { continue }
      if !isFirst { out.append(UInt8(ascii: ",")) }
      isFirst = false
      names[index].withUnsafeBytes { out.append($0) }
      try inner[index].append(columns[index], row, to: out)
    }
    out.append(UInt8(ascii: "}"))
  }

  private func object(_ column: Column, _ row: Int, to out: ByteWriter) throws(TerraceError) {
    let text = ByteWriter()
    out.append(UInt8(ascii: "{"))
    var isFirst = true
    for item in Int(column.offsets[row])..<Int(column.offsets[row + 1]) {
      text.removeAll()
      if column.children[0].isNull(item) {
        switch style.nullKeys {
        case .fail:
          throw TerraceError(
            .invalid, "a map with a null key, which JSON has no form for",
            hint: "'json.map-null-key.mode' = 'DROP' or 'LITERAL'")
        case .drop: continue
        case .literal(let key): text.append(key)
        }
      } else {
        inner[0].plain.append(column.children[0], item, to: text)
      }
      if !isFirst { out.append(UInt8(ascii: ",")) }
      isFirst = false
      JSONText.appendQuoted(text.bytes, to: out)
      out.append(UInt8(ascii: ":"))
      try inner[1].append(column.children[1], item, to: out)
    }
    out.append(UInt8(ascii: "}"))
  }

  private func time(_ column: Column, _ row: Int, to out: ByteWriter) {
    var precision = 0
    var isZoned = false
    switch type.kind {
    case .time:
      let millis = Int64(column.pointer(Int32.self)[row])
      let digits = Self.digits(millis % 1000 * 1_000_000)
      return ValueText.appendTime(milliseconds: millis, precision: digits, to: out)
    case .timestamp(let p): precision = p
    case .timestampLTZ(let p):
      precision = p
      isZoned = true
    default: return plain.append(column, row, to: out)
    }
    let moment = ValueText.moment(column, row, precision: precision)
    let start = out.count
    ValueText.appendTimestamp(
      second: moment.second, nanosecond: moment.nanosecond,
      precision: Self.digits(moment.nanosecond), isZoned: isZoned, to: out)
    guard style.isISO else { return }
    for i in start..<out.count where out.base.load(fromByteOffset: i, as: UInt8.self) == 0x20 {
      out.base.storeBytes(of: UInt8(ascii: "T"), toByteOffset: i, as: UInt8.self)
      break
    }
  }

  /// Digits of a second that are not zeros at the end.
  private static func digits(_ nanosecond: Int64) -> Int {
    if nanosecond == 0 { return 0 }
    var (left, digits) = (nanosecond, 9)
    while left % 10 == 0 {
      left /= 10
      digits -= 1
    }
    return digits
  }
}
