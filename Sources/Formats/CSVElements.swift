import Columns

/// An array or a row in one field of CSV: the texts of its values with a delimiter between them, without
/// quotes of their own, as Flink's format has them.
final class CSVElements {
  private let formats: [ValueFormat]
  private let isBase64: [Bool]
  private let isList: Bool
  private let delimiter: [UInt8]
  private let null: [UInt8]

  /// Nil for a type that is neither.
  init?(_ type: DataType, _ flink: CSVOptions.Flink, _ null: String) {
    let types: [DataType]
    switch type.kind {
    case .array(let element): types = [element]
    case .row(let fields): types = fields.map(\.type)
    default: return nil
    }
    formats = types.map { ValueFormat($0) }
    isBase64 = types.map(\.isBinary)
    isList = types.count == 1 && type.isArray
    delimiter = Array(flink.elementDelimiter.utf8)
    self.null = Array(null.utf8)
  }

  /// Appends a value that is not null.
  func append(_ column: Column, _ row: Int, to out: ByteWriter) {
    if isList {
      let element = column.children[0]
      let (from, to) = (Int(column.offsets[row]), Int(column.offsets[row + 1]))
      for item in from..<max(from, to) { append(0, element, item, isFirst: item == from, to: out) }
    } else {
      for (place, member) in column.children.enumerated() {
        append(place, member, row, isFirst: place == 0, to: out)
      }
    }
  }

  private func append(
    _ place: Int, _ column: Column, _ row: Int, isFirst: Bool, to out: ByteWriter
  ) {
    if !isFirst { delimiter.withUnsafeBytes { out.append($0) } }
    if column.isNull(row) {
      null.withUnsafeBytes { out.append($0) }
    } else if isBase64[place] {
      Base64Text.append(column.bytes(row), to: out)
    } else {
      formats[place].append(column, row, to: out)
    }
  }
}

extension DataType {
  var isBinary: Bool {
    switch kind {
    case .binary, .varbinary: true
    default: false
    }
  }

  var isArray: Bool {
    if case .array = kind { return true }
    return false
  }
}
