package import Columns

/// `database.table`, or `database.table$branch_NAME` for a branch of it.
package struct TableName: Hashable, Sendable, CustomStringConvertible {
  package let database: String
  package let table: String
  /// Nil for the main branch.
  package let branch: String?

  package init(database: String, table: String, branch: String? = nil) {
    self.database = database
    self.table = table
    self.branch = branch == "main" ? nil : branch
  }

  /// Either name may stand in back-ticks; else the first dot divides them.
  ///
  /// - Throws: kind `invalid` when the text is no such name, `unsupported` for a system table.
  package init(_ text: String) throws(TerraceError) {
    let parts = TableName.parts(text)
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
      throw TerraceError(
        .invalid, "a table is named DATABASE.TABLE, not “\(text)”",
        hint: parts.count == 1 ? "for example ods.\(text.isEmpty ? "orders" : text)" : "")
    }
    let halves = parts[1].split(separator: "$", omittingEmptySubsequences: false).map(String.init)
    var branch: String?
    for (index, half) in halves.enumerated().dropFirst() {
      if half.hasPrefix("branch_"), index == 1, half.count > 7 {
        branch = String(half.dropFirst(7))
      } else {
        throw TerraceError(
          .unsupported, "system table \(text)",
          hint: "see “terrace snapshot list”, “tag list”, “table explain”, “schema list”")
      }
    }
    try TableName.check(halves[0], "table")
    try TableName.check(String(parts[0]), "database")
    if let branch { try TableName.check(branch, "branch") }
    self.init(database: String(parts[0]), table: halves[0], branch: branch)
  }

  private static func parts(_ text: String) -> [String] {
    var rest = Substring(text)
    guard let database = next(&rest, upToDot: true), rest.first == "." else { return [text] }
    rest = rest.dropFirst()
    guard let table = next(&rest, upToDot: false), rest.isEmpty || rest.hasPrefix("$") else {
      return [text]
    }
    return [database, table + rest]
  }

  private static func next(_ rest: inout Substring, upToDot: Bool) -> String? {
    let name: Substring
    if rest.first == "`" {
      guard let end = rest.dropFirst().firstIndex(of: "`") else { return nil }
      name = rest[..<end].dropFirst()
      rest = rest[rest.index(after: end)...]
    } else {
      name = upToDot ? rest.prefix { $0 != "." } : rest
      rest = rest[name.endIndex...]
    }
    return String(name)
  }

  package var description: String {
    database + "." + table + (branch.map { "$branch_" + $0 } ?? "")
  }

  /// Refuses a name that could not be a folder of its own inside the warehouse.
  package static func check(_ name: String, _ what: String) throws(TerraceError) {
    let isControl = name.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f }
    guard !name.isEmpty, name.utf8.count <= 200, name != ".", name != "..", !isControl,
      !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(UInt8(ascii: "\\"))
    else {
      throw TerraceError(
        .invalid, "“\(name)” cannot be the name of a \(what)",
        hint: "a name has no slashes and no control characters, and at most 200 bytes")
    }
  }
}
