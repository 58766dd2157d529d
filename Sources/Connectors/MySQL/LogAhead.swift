import Columns
import Store

/// What a subscription may ask while its log is read.
protocol LogQuestions: AnyObject {
  /// The tables as they are by now.
  func schema() throws(TerraceError) -> MySQLSchema
  /// Whether columns of a table may have changed between the place in the log and now.
  func movesAhead(_ name: MySQLTableName) throws(TerraceError) -> Bool
}

/// Statements that change tables and stand in the binary log ahead of where it is read.
///
/// A log without column names is only right to read by what a table is now when none of them lies in between.
/// They are looked for on a connection of its own, up to the end of the log, which passes over rows unseen.
struct LogAhead {
  private var found: [(database: String, text: String)] = []
  private var end: (file: String, offset: UInt64)?

  /// One of them was met.
  mutating func pass(_ database: String, _ text: String) {
    if let i = found.firstIndex(where: { $0.database == database && $0.text == text }) {
      found.removeFirst(i + 1)
    }
  }

  /// - Parameter place: where the log is read.
  mutating func movesColumns(
    of name: MySQLTableName, behind place: (file: String, offset: UInt64), server: UInt32,
    _ settings: MySQLConnection.Settings
  ) throws(TerraceError) -> Bool {
    try read(from: end ?? place, server, settings)
    return found.contains {
      MySQLStatement.concerns($0.text, $0.database, name) && MySQLStatement.movesColumns($0.text)
    }
  }

  /// Reads on to the end of the log.
  private mutating func read(
    from place: (file: String, offset: UInt64), _ server: UInt32,
    _ settings: MySQLConnection.Settings
  ) throws(TerraceError) {
    let pass = try LogPass(settings, server: server, from: place)
    let wanted: Set<UInt8> = [
      BinlogType.query, BinlogType.queryCompressed, BinlogType.executeLoad,
    ]
    while let (_, event) = try pass.nextEvent(wanted) {
      if case .query(let database, let text) = event, MySQLStatement.isDefinition(text) {
        found.append((database, text))
      }
    }
    end = pass.place
  }
}
