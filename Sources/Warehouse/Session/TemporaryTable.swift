import Columns
import Connectors
import Dataflow
import SQL

/// A table with a connector, known to one session only.
struct TemporaryTable {
  var shape: TableShape
  var connector: ConnectorTable
  /// The script that defines it: what the spans of computed columns refer to.
  var text: SourceText
}

extension SourceText {
  /// An error about an option of a table with a connector, at the option where this text has it: at its name when
  /// that is unknown, else at its value.
  func placed(_ error: TerraceError, _ options: [OptionSyntax]) -> TerraceError {
    // The table of LIKE may stand in another text.
    guard let name = error.fact("option"), error.fact("line") == nil,
      let option = options.last(where: { $0.key == name }), text(option.keySpan) == "'\(name)'"
    else { return error }
    let isUnknown = error.message.hasPrefix("unknown option")
    return named(placed(error, at: isUnknown ? option.keySpan : option.valueSpan))
  }
}

/// A view: its query, and the text that stands in.
struct StoredView {
  var query: QuerySyntax
  var text: SourceText
  var columns: [String]
  var comment: String?
}

/// A connector's table read as a batch: all that is there now.
final class ConnectorSessionTable: SessionTable {
  private let table: TemporaryTable
  private let session: SQLSession
  private let style: ChangeStyle

  init(_ table: TemporaryTable, _ session: SQLSession) throws(TerraceError) {
    self.table = table
    self.session = session
    do throws(TerraceError) { style = try Connectors.style(of: table.connector) } catch {
      throw table.text.placed(error, table.shape.options)
    }
  }

  /// Of upserts the last row of each key is given, and none is taken back.
  var isAppendOnly: Bool {
    if case .retractions = style { return false }
    return true
  }

  func read(_ source: Plan.Source) throws(TerraceError) -> any SessionRead {
    guard case .upserts = style else {
      return ConnectorRead(try open(), source.columns, table.connector.name)
    }
    let keys = table.connector.primaryKey.compactMap { table.connector.type.index(of: $0) }
    guard !keys.isEmpty else {
      throw TerraceError(.invalid, "a change stream without old rows needs a primary key")
        .with("table", table.connector.name)
    }
    let read = ConnectorRead(try open(), source.columns + keys, table.connector.name)
    defer { read.close() }
    let limit = try session.memoryLimit()
    var parts: [(Batch, Buffer)] = []
    var bytes = 0
    while let part = try read.nextChanges() {
      bytes += part.0.byteCount
      try session.check(held: bytes, limit)
      parts.append(part)
    }
    return ChangeRows(parts, source.columns.count, keyCount: keys.count, nil)
  }

  /// All that is there now, and no more.
  private func open() throws(TerraceError) -> any Source {
    let opened: any Source
    do throws(TerraceError) {
      opened = try Connectors.source(table.connector, session.warehouse.environment)
    } catch { throw table.text.placed(error, table.shape.options) }
    do throws(TerraceError) { try opened.stopAtPresent() } catch {
      opened.close()
      throw error
    }
    opened.endInput()
    return opened
  }
}

private final class ConnectorRead: SessionRead {
  private let source: any Source
  private let columns: [Int]
  private let name: String

  init(_ source: any Source, _ columns: [Int], _ name: String) {
    self.source = source
    self.columns = columns
    self.name = name
  }

  func next() throws(TerraceError) -> DeltaBatch? {
    guard let (rows, kinds) = try nextPart() else { return nil }
    guard let kinds else { return DeltaBatch(inserting: rows) }
    return DeltaBatch(rows, kinds: kinds.pointer(UInt8.self))
  }

  /// The next rows with their kinds.
  func nextChanges() throws(TerraceError) -> (Batch, Buffer)? {
    guard let (rows, kinds) = try nextPart() else { return nil }
    if let kinds { return (rows, kinds) }
    let inserts = Buffer(byteCount: rows.count)
    inserts.pointer(UInt8.self).update(repeating: RowKind.insert.rawValue, count: rows.count)
    return (rows, inserts)
  }

  private func nextPart() throws(TerraceError) -> (Batch, Buffer?)? {
    while true {
      guard let batch = try source.poll(rows: 16384, bytes: 4 << 20) else {
        if source.isDrained { return nil }
        throw TerraceError(.unsupported, "reading a source without an end as a batch")
          .with("table", name)
      }
      if let letter = batch.deadLetters.first {
        throw TerraceError(.invalid, letter.reason).with("table", name)
          .with("place", letter.place)
      }
      if batch.rows.count > 0 { return (batch.rows.project(columns), batch.kinds) }
    }
  }

  func close() { source.close() }
}
