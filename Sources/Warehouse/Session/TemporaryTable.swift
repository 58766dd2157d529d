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
    style = try Connectors.style(of: table.connector)
  }

  var isAppendOnly: Bool {
    if case .inserts = style { return true }
    return false
  }

  func read(_ source: Plan.Source) throws(TerraceError) -> any SessionRead {
    if case .upserts = style {
      throw TerraceError(.unsupported, "reading a change stream without old rows as a batch")
        .with("table", table.connector.name)
    }
    let opened = try Connectors.source(table.connector, session.warehouse.environment)
    do throws(TerraceError) { try opened.stopAtPresent() } catch {
      opened.close()
      throw error
    }
    opened.endInput()
    return ConnectorRead(opened, source.columns, table.connector.name)
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
    while true {
      guard let batch = try source.poll(rows: 16384, bytes: 4 << 20) else {
        if source.isDrained { return nil }
        throw TerraceError(
          .unsupported, "reading a source without an end as a batch"
        ).with("table", name)
      }
      if let letter = batch.deadLetters.first {
        throw TerraceError(.invalid, letter.reason).with("table", name)
          .with("place", letter.place)
      }
      if batch.rows.count == 0 { continue }
      let rows = batch.rows.project(columns)
      guard let kinds = batch.kinds else { return DeltaBatch(inserting: rows) }
      return DeltaBatch(rows, kinds: kinds.pointer(UInt8.self))
    }
  }

  func close() { source.close() }
}
