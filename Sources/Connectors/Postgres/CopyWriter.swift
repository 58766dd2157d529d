import Columns

/// Values as COPY … FROM STDIN reads them: text, a tab between fields, `\N` for null.
final class CopyWriter {
  private let formats: [ValueFormat]
  private let types: [DataType]
  private let scratch = ByteWriter()
  let out = ByteWriter(capacity: 1 << 16)

  init(_ types: [DataType]) {
    self.types = types
    formats = types.map { ValueFormat($0) }
  }

  /// Appends a row without its line end, so that fields may follow.
  func append(_ rows: Batch, _ row: Int) {
    for (c, column) in rows.columns.enumerated() {
      if c > 0 { out.append(UInt8(ascii: "\t")) }
      if column.isNull(row) {
        out.append("\\N" as StaticString)
      } else if case .varchar = types[c].kind {
        escaped(column.bytes(row))
      } else {
        scratch.removeAll()
        value(column, row, c)
        escaped(scratch.bytes)
      }
    }
  }

  private func value(_ column: Column, _ row: Int, _ c: Int) {
    switch types[c].kind {
    case .binary, .varbinary: bytes(column.bytes(row), to: scratch)
    case .array(let element): array(column, row, element)
    default: formats[c].append(column, row, to: scratch)
    }
  }

  /// `\x` and digits, as bytea is written.
  private func bytes(_ bytes: UnsafeRawBufferPointer, to out: ByteWriter) {
    out.append("\\x" as StaticString)
    for byte in bytes {
      out.append(Self.digits[Int(byte >> 4)])
      out.append(Self.digits[Int(byte & 15)])
    }
  }

  private static let digits = Array("0123456789abcdef".utf8)

  /// `{"…",NULL}`
  private func array(_ column: Column, _ row: Int, _ element: DataType) {
    let inner = column.children[0]
    let format = ValueFormat(element)
    let piece = ByteWriter()
    scratch.append(UInt8(ascii: "{"))
    for item in Int(column.offsets[row])..<Int(column.offsets[row + 1]) {
      if item > Int(column.offsets[row]) { scratch.append(UInt8(ascii: ",")) }
      if inner.isNull(item) {
        scratch.append("NULL" as StaticString)
        continue
      }
      piece.removeAll()
      switch element.kind {
      case .binary, .varbinary: bytes(inner.bytes(item), to: piece)
      default: format.append(inner, item, to: piece)
      }
      scratch.append(UInt8(ascii: "\""))
      for byte in piece.bytes {
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
          scratch.append(UInt8(ascii: "\\"))
        }
        scratch.append(byte)
      }
      scratch.append(UInt8(ascii: "\""))
    }
    scratch.append(UInt8(ascii: "}"))
  }

  private func escaped(_ text: UnsafeRawBufferPointer) {
    out.reserve(text.count)
    for byte in text {
      switch byte {
      case 0x5c: out.append("\\\\" as StaticString)
      case 0x09: out.append("\\t" as StaticString)
      case 0x0a: out.append("\\n" as StaticString)
      case 0x0d: out.append("\\r" as StaticString)
      default: out.append(byte)
      }
    }
  }
}
