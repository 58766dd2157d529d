import Columns
import Dataflow
import SQL
import Store

/// A table of the warehouse, opened at the version that a query asks for.
final class StoredSessionTable: SessionTable {
  let name: TableName
  let version: TableVersion
  let definition: StoredDefinition
  private let session: SQLSession

  init(_ name: TableName, at travel: TimeTravel, _ session: SQLSession) throws(TerraceError) {
    self.name = name
    self.session = session
    version = try session.warehouse.open(name, at: travel)
    definition = try StoredDefinition(version.table.schema)
  }

  func bound(_ reference: String) throws(TerraceError) -> BoundTable {
    // A batch reads rows as they are: none is ever taken back.
    definition.shape.bound(reference: reference, isAppendOnly: true, text: definition.text)
  }

  func read(_ source: Plan.Source) throws(TerraceError) -> any SessionRead {
    try read(source, at: version.snapshot)
  }

  /// - Parameter snapshot: nil for a table without a commit.
  func read(_ source: Plan.Source, at snapshot: Snapshot?) throws(TerraceError) -> any SessionRead {
    let scan = version.table.scan(
      columns: source.columns,
      predicate: source.predicate.remapped { source.columns[$0] } ?? .always)
    let plan = try scan.plan(snapshot)
    // Few bytes come faster, and always in the same order, from one thread.
    let threads = plan.bytesRead < 8 << 20 ? 1 : session.readThreads
    return StoredRead(try scan.read(plan, threads: threads))
  }
}

private final class StoredRead: SessionRead {
  private let read: TableRead

  init(_ read: TableRead) { self.read = read }

  func next() throws(TerraceError) -> DeltaBatch? {
    try read.next().map { DeltaBatch(inserting: $0) }
  }

  func close() { read.close() }
}
