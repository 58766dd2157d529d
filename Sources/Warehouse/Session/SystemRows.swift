import Columns
import Formats
import Store

/// Rows of a system table, cell by cell: there are few of them.
final class SystemRows {
  /// A wall clock.
  struct Time { let millis: Int64 }

  private let type: RowType
  private let builders: [ColumnBuilder]
  private var count = 0

  init(_ type: RowType) {
    self.type = type
    builders = type.fields.map { ColumnBuilder($0.type) }
  }

  /// Text, whole numbers and ``Time``; nil is NULL. As many as there are columns.
  func add(_ cells: Any?...) {
    precondition(cells.count == builders.count, "\(cells.count) cells of \(builders.count)")
    for (builder, cell) in zip(builders, cells) {
      switch cell {
      case let text as String: builder.append(text)
      case let time as Time: builder.append(time.millis)
      case let number as Int64: append(number, builder)
      case let number as Int: append(Int64(number), builder)
      default: builder.appendNull()
      }
    }
    count += 1
  }

  private func append(_ number: Int64, _ builder: ColumnBuilder) {
    builder.append(Scalar.int(number))
  }

  func finish() -> Batch {
    let batch = Batch(type, builders.map { $0.finish() }, count: count)
    count = 0
    return batch
  }

  /// A BinaryRow as Paimon shows it: `{2026-11-20, 7}`.
  static func row(_ bytes: [UInt8], _ type: RowType) -> String? {
    if type.count == 0 { return "{}" }
    // Statistics that cannot be read are no reason to hide the file.
    guard let values = try? decodeRow(bytes, type.fields.map(\.type)) else { return nil }
    let texts = zip(values, type.fields).map { ValueText.text($0, $1.type) }
    return "{" + texts.joined(separator: ", ") + "}"
  }

  /// `PT24H`, as Java writes a duration.
  static func duration(millis: Int64) -> String {
    if millis == 0 { return "PT0S" }
    let (hours, rest) = (millis / 3_600_000, millis % 3_600_000)
    let (minutes, left) = (rest / 60_000, rest % 60_000)
    var text = "PT"
    if hours != 0 { text += "\(hours)H" }
    if minutes != 0 { text += "\(minutes)M" }
    if left != 0 {
      let fraction = left % 1000 == 0 ? "" : "." + String(String(1000 + left % 1000).dropFirst())
      text += "\(left / 1000)\(fraction)S"
    }
    return text
  }
}

extension JSONText {
  static func array(_ items: [String]) -> String { "[" + items.joined(separator: ",") + "]" }

  static func quoted(_ text: String) -> String { JSONValue.string(text).text() }

  static func object(_ members: [String: String]) -> String {
    "{"
      + members.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
      .joined(separator: ",") + "}"
  }
}
