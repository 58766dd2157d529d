import Columns

/// The tables that a source's patterns name.
struct MySQLNames {
  private let database: String
  private let table: String
  private let databasePattern: Regex<AnyRegexOutput>
  private let tablePattern: Regex<AnyRegexOutput>
  /// No patterns: there is one such table.
  let isOne: Bool

  init(_ options: MySQLOptions) throws(TerraceError) {
    database = options.database
    table = options.table
    databasePattern = try Self.pattern(options.database, "database-name")
    tablePattern = try Self.pattern(options.table, "table-name")
    isOne = Self.isPlain(options.database) && Self.isPlain(options.table)
  }

  private static func isPlain(_ pattern: String) -> Bool {
    var rest = Substring(pattern)
    while let c = rest.popFirst() {
      if c == "\\" {
        // A mark behind it stands for itself; a letter for a class.
        guard let next = rest.popFirst(), !next.isLetter, !next.isNumber else { return false }
      } else if ".^$*+?()[]{}|".contains(c) {
        return false
      }
    }
    return true
  }

  private static func pattern(
    _ text: String, _ option: String
  ) throws(TerraceError) -> Regex<AnyRegexOutput> {
    do { return try Regex(text) } catch {
      throw TerraceError(.invalid, "the option '\(option)' is no regular expression")
        .with("value", text)
    }
  }

  func matches(_ name: MySQLTableName) -> Bool {
    Self.matches(name.database, database, databasePattern)
      && Self.matches(name.table, table, tablePattern)
  }

  private static func matches(
    _ name: String, _ text: String, _ pattern: Regex<AnyRegexOutput>
  ) -> Bool {
    if name == text { return true }
    // A pattern that runs too long says no.
    return (try? pattern.wholeMatch(in: name)) != nil
  }
}
