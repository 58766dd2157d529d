package import Columns

/// Which columns and rows of something with columns are asked for: `-s`, `-w` and `-l`.
package struct RowQuery: Sendable {
  /// Columns to print, as indices into the type that was asked.
  package let columns: [Int]
  /// Over the columns of the type.
  package let condition: Predicate
  /// For sources that do not decide the condition themselves: the columns to print, then those that
  /// only the condition needs.
  package let scanColumns: [Int]
  /// The condition over the scan columns.
  package let scanCondition: Predicate
  /// The rows that come out.
  package let outputType: RowType
  /// Rows to let through; 0 for all.
  package let limit: Int
  private var passed = 0
  /// Set once a row more than the limit was seen.
  package private(set) var isCut = false

  /// - Parameters:
  ///   - owner: what has the columns, for errors: `ods.orders`.
  ///   - select: names between commas; nil or `*` for all.
  /// - Throws: kind `invalid`, pointing into the text of the condition or naming the column.
  package init(
    _ type: RowType, owner: String, select: String?, condition: String?, limit: Int
  ) throws(TerraceError) {
    var columns = Array(type.fields.indices)
    if let select, select != "*" {
      columns = try RowQuery.columns(select, type, owner: owner)
    }
    self.columns = columns
    outputType = RowType(columns.map { type.fields[$0] })
    var wanted = Predicate.always
    if let condition { wanted = try WhereParser.parse(condition, type, owner: owner) }
    for column in wanted.columns.sorted() where !columns.contains(column) {
      columns.append(column)
    }
    self.condition = wanted
    scanColumns = columns
    // Every column of the condition is among those read.
    scanCondition = wanted.remapped { columns.firstIndex(of: $0) } ?? .always
    self.limit = limit
  }

  private static func columns(
    _ text: String, _ type: RowType, owner: String
  ) throws(TerraceError) -> [Int] {
    var columns: [Int] = []
    for name in commaNames(text) {
      guard let index = type.index(of: name) else {
        throw TerraceError(
          .invalid, "\(owner) has no column \(name)",
          hint: NearestName.hint(name, among: type.fields.map(\.name), else: "it has "))
      }
      if columns.contains(index) {
        throw TerraceError(.invalid, "the column \(name) is selected twice")
      }
      columns.append(index)
    }
    if columns.isEmpty { throw TerraceError(.invalid, "no column is selected") }
    return columns
  }

  /// False once enough rows have passed.
  package var wantsMore: Bool { !isCut }

  /// The wanted rows of a batch of the scan columns, in the columns to print.
  package mutating func filter(_ batch: Batch) -> Batch {
    take(scanCondition.filter(batch).project(Array(columns.indices)))
  }

  /// As many of these rows as the limit still lets through.
  package mutating func take(_ batch: Batch) -> Batch {
    var rows = batch
    if limit > 0, passed + rows.count > limit {
      rows = rows.slice(0..<(limit - passed))
      isCut = true
    }
    passed += rows.count
    return rows
  }
}

/// Names between commas, without the space around them; between backticks a name may hold anything.
package func commaNames(_ text: String) -> [String] {
  var names: [String] = []
  var name = String.UnicodeScalarView()
  var isQuoted = false
  var wasQuoted = false
  func finish() {
    var rest = name[...]
    if !wasQuoted {
      while rest.first?.properties.isWhitespace ?? false { rest.removeFirst() }
      while rest.last?.properties.isWhitespace ?? false { rest.removeLast() }
    }
    if !rest.isEmpty { names.append(String(rest)) }
    name = String.UnicodeScalarView()
    wasQuoted = false
  }
  for scalar in text.unicodeScalars {
    if scalar == "`" {
      if !isQuoted { name = String.UnicodeScalarView() }
      isQuoted.toggle()
      wasQuoted = true
    } else if scalar == ",", !isQuoted {
      finish()
    } else if isQuoted || !wasQuoted {
      name.append(scalar)
    }
  }
  finish()
  return names
}
