import Columns

/// Values of one type as Flink's rows print them: `2024-01-01T12:00`, `[1, 2]`, `{a=1}`, `+I[…]`, `null`.
final class RowText {
  private let type: DataType
  private let plain: ValueFormat
  private let inner: [RowText]

  init(_ type: DataType) {
    self.type = type
    plain = ValueFormat(type)
    switch type.kind {
    case .array(let element): inner = [RowText(element)]
    case .map(let key, let value): inner = [RowText(key), RowText(value)]
    case .multiset(let element): inner = [RowText(element), RowText(.int)]
    case .row(let fields): inner = fields.map { RowText($0.type) }
    default: inner = []
    }
  }

  func append(_ column: Column, _ row: Int, to out: ByteWriter) {
    if column.isNull(row) { return out.append("null" as StaticString) }
    switch type.kind {
    case .double: ValueText.appendJava(column.pointer(Double.self)[row], to: out)
    case .float: ValueText.appendJava(column.pointer(Float.self)[row], to: out)
    case .timestamp(let precision), .timestampLTZ(let precision):
      moment(column, row, precision, to: out)
    case .binary, .varbinary: bytes(column.bytes(row), to: out)
    case .array: items(column, row, ("[", "]"), to: out)
    case .map, .multiset: items(column, row, ("{", "}"), to: out)
    case .row:
      out.append("+I[" as StaticString)
      for (index, field) in inner.enumerated() {
        if index > 0 { out.append(", " as StaticString) }
        field.append(column.children[index], row, to: out)
      }
      out.append(UInt8(ascii: "]"))
    default: plain.append(column, row, to: out)
    }
  }

  private func moment(_ column: Column, _ row: Int, _ precision: Int, to out: ByteWriter) {
    let moment = ValueText.moment(column, row, precision: precision)
    let start = out.count
    ValueText.appendLocalDateTime(
      second: moment.second, nanosecond: moment.nanosecond, to: out)
    guard case .timestampLTZ = type.kind else { return }
    // An instant always has its seconds.
    let colons = out.bytes[start...].count { $0 == UInt8(ascii: ":") }
    if colons == 1 { out.append(":00" as StaticString) }
    out.append(UInt8(ascii: "Z"))
  }

  /// Signed, as Java's bytes are.
  private func bytes(_ bytes: UnsafeRawBufferPointer, to out: ByteWriter) {
    out.append(UInt8(ascii: "["))
    for (index, byte) in bytes.enumerated() {
      if index > 0 { out.append(", " as StaticString) }
      ValueText.append(Int64(Int8(bitPattern: byte)), to: out)
    }
    out.append(UInt8(ascii: "]"))
  }

  private func items(
    _ column: Column, _ row: Int, _ brackets: (StaticString, StaticString), to out: ByteWriter
  ) {
    out.append(brackets.0)
    let first = Int(column.offsets[row])
    for item in first..<Int(column.offsets[row + 1]) {
      if item > first { out.append(", " as StaticString) }
      inner[0].append(column.children[0], item, to: out)
      if inner.count == 2 {
        out.append(UInt8(ascii: "="))
        inner[1].append(column.children[1], item, to: out)
      }
    }
    out.append(brackets.1)
  }
}
