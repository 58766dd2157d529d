import Columns
import Formats
import Foundation
import XCTest

@testable import Store

/// Tables that real Paimon wrote, and what its own reader saw in them.
struct PaimonFixture {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Fixtures")

  let name: String
  let root: String
  let expected: JSONValue

  /// - Parameter name: such as `java09/pk_dedup`.
  init(_ name: String, file: String = "expected.json") throws {
    self.name = name
    let home = Self.folder.appendingPathComponent(name)
    root = home.appendingPathComponent("wh/fx.db/t").path
    let data = try Data(contentsOf: home.appendingPathComponent(file))
    expected = try data.withUnsafeBytes { try JSONValue.parse($0) }
  }

  func open(branch: String? = nil, threads: Int = 0) throws -> Table {
    try Table.open(Environment(workers: Workers(count: threads)), root, branch: branch)
  }
}

/// Rows as text that is the same for the same values, whoever wrote them.
enum RowText {
  static func rows(_ batch: Batch, kinds: Buffer? = nil) -> [String] {
    (0..<batch.count).map { row in
      let kind = kinds.map { RowKind(rawValue: $0.pointer(UInt8.self)[row])?.text ?? "?" } ?? ""
      return kind
        + zip(batch.type.fields, batch.columns).map { "\($0.name)=\(value($1, row))" }
        .joined(separator: " ")
    }
  }

  static func rows(_ expected: JSONValue, _ type: RowType) -> [String] {
    (expected.asArray ?? []).map { row(kind: "", $0, type) }
  }

  static func row(kind: String, _ json: JSONValue, _ type: RowType) -> String {
    kind
      + type.fields.map { "\($0.name)=\(value(json[$0.name] ?? .null, $0.type))" }
      .joined(separator: " ")
  }

  private static func value(_ json: JSONValue, _ type: DataType) -> String {
    if json.isNull { return "NULL" }
    switch type.kind {
    case .array(let element):
      return "[" + (json.asArray ?? []).map { value($0, element) }.joined(separator: ",") + "]"
    case .map(let key, let item):
      return pairs(json, key, item)
    case .multiset(let key):
      return pairs(json, key, .int)
    case .row(let fields):
      return row(fields.map { value(json[$0.name] ?? .null, $0.type) })
    case .time:
      let text = json.asString ?? "?"
      return text.hasSuffix(".000") ? String(text.dropLast(4)) : text
    case .float, .double:
      let text = json.asString ?? json.numberText ?? "?"
      let number = Double(text == "Infinity" ? "inf" : text == "-Infinity" ? "-inf" : text)
      guard let number else { return text }
      if case .float = type.kind { return "\(Float(number))" }
      return "\(number)"
    default:
      return json.asString ?? json.numberText ?? json.asBool.map { "\($0)" } ?? "?"
    }
  }

  /// Java Paimon's reader does not tell a ROW of nulls from a null.
  private static func row(_ members: [String]) -> String {
    members.allSatisfy { $0 == "NULL" } ? "NULL" : "(" + members.joined(separator: ",") + ")"
  }

  private static func pairs(_ json: JSONValue, _ key: DataType, _ item: DataType) -> String {
    let texts = (json.asArray ?? []).map { pair -> String in
      let sides = pair.asArray ?? []
      return value(sides[0], key) + ":" + value(sides[1], item)
    }
    return "{" + texts.sorted().joined(separator: ",") + "}"
  }

  static func value(_ column: Column, _ row: Int) -> String {
    if column.isNull(row) { return "NULL" }
    switch column.type.kind {
    case .array:
      let range = Int(column.offsets[row])..<Int(column.offsets[row + 1])
      return "[" + range.map { value(column.children[0], $0) }.joined(separator: ",") + "]"
    case .map, .multiset:
      let range = Int(column.offsets[row])..<Int(column.offsets[row + 1])
      let texts = range.map { value(column.children[0], $0) + ":" + value(column.children[1], $0) }
      return "{" + texts.sorted().joined(separator: ",") + "}"
    case .row:
      return Self.row(column.children.map { value($0, row) })
    case .float: return "\(column.pointer(Float.self)[row])"
    case .double: return "\(column.pointer(Double.self)[row])"
    case .binary, .varbinary:
      return column.bytes(row).map { String(format: "%02x", $0) }.joined()
    case .timestamp, .timestampLTZ:
      let isLocal: Bool
      if case .timestampLTZ = column.type.kind { isLocal = true } else { isLocal = false }
      let fine = try? Cast.apply(column.slice(row..<row + 1), to: .timestamp(9))
      let text = fine.map { Cast.formatText($0) }.map {
        String(decoding: $0.bytes(0), as: UTF8.self)
      }
      return (text ?? "?").replacingOccurrences(of: " ", with: "T") + (isLocal ? "Z" : "")
    case .time:
      let fine = Cast.formatText(column.slice(row..<row + 1).retyped(DataType(.time(3))))
      let text = String(decoding: fine.bytes(0), as: UTF8.self)
      return text.hasSuffix(".000") ? String(text.dropLast(4)) : text
    default:
      let text = Cast.formatText(column.slice(row..<row + 1))
      return String(decoding: text.bytes(0), as: UTF8.self)
    }
  }
}

extension JSONValue {
  var numberText: String? {
    switch self {
    case .int(let value): "\(value)"
    case .number(let text): text
    default: nil
    }
  }
}

extension TableRead {
  func allRows() throws -> [String] {
    var rows: [String] = []
    while let batch = try next() { rows += RowText.rows(batch) }
    return rows
  }
}
