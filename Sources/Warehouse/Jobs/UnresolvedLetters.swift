import Columns
import Connectors
import Dataflow
import Formats
import Store

/// Updates that leave out values which did not change (PostgreSQL's TOAST), of rows that are not known here:
/// what they make of their row is not known either.
extension JobRun {
  func putAside(_ rows: [UnresolvedRow], _ feed: Feed) throws(TerraceError) {
    if rows.isEmpty { return }
    try letters?.write(rows.map(JobRun.letter), source: feed.name)
    counters.deadLetters += Int64(rows.count)
    hasOutput = true
    hasMoved = true
  }

  private static func letter(_ unresolved: UnresolvedRow) -> DeadLetter {
    let fields = unresolved.row.type.fields
    func shown(_ columns: [Int]) -> String {
      let type = RowType(columns.map { (fields[$0].name, fields[$0].type) })
      let out = ByteWriter()
      JSONRows(type).append(
        Batch(type, columns.map { unresolved.row.columns[$0] }, count: 1), to: out)
      return String(decoding: out.bytes, as: UTF8.self).trimmed
    }
    let known = fields.indices.filter {
      !unresolved.leftOut.contains($0) && fields[$0].name != ConnectorTable.unchangedColumn
    }
    let names = unresolved.leftOut.map { fields[$0].name }.joined(separator: ", ")
    return DeadLetter(
      row: 0, place: shown(unresolved.key), bytes: Array(shown(known).utf8),
      reason: "the update leaves out \(names), which did not change, and the row before is not "
        + "known here; with REPLICA IDENTITY FULL the server's log holds whole rows")
  }
}
