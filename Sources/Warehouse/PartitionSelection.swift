package import Columns
package import Store

/// Partitions that somebody names as `dt=2026-11-20,hh=07`.
package struct PartitionSelection: Sendable {
  /// Over the partition columns, by their index among the partition keys.
  package let filter: ManifestFilter

  /// - Parameter texts: one a partition; columns that one leaves out may have any value.
  /// - Throws: kind `invalid`, naming the column or the value that does not fit.
  package init(
    _ texts: [String], of name: TableName, _ schema: TableSchema
  ) throws(TerraceError) {
    let type = schema.partitionType
    guard type.count > 0 else {
      throw TerraceError(.invalid, "table \(name) has no partitions")
    }
    var choices: [Predicate] = []
    for text in texts {
      choices.append(try PartitionSelection.predicate(text, type, schema, name))
    }
    filter = ManifestFilter(
      partitionType: type, partition: choices.count == 1 ? choices[0] : .or(choices))
  }

  private static func predicate(
    _ text: String, _ type: RowType, _ schema: TableSchema, _ name: TableName
  ) throws(TerraceError) -> Predicate {
    var parts: [Predicate] = []
    var seen: Set<String> = []
    let path = text.split(separator: ",").flatMap { $0.split(separator: "/") }
    for pair in path {
      guard let sign = pair.firstIndex(of: "=") else {
        throw TerraceError(
          .invalid, "a partition is named COLUMN=VALUE, not “\(pair)”",
          hint: "for example \(type.fields[0].name)=2026-11-20")
      }
      let column = pair[..<sign].trimmed
      let value = pair[pair.index(after: sign)...].trimmed
      guard let index = type.index(of: column) else {
        throw TerraceError(
          .invalid, "\(name) has no partition column \(column)",
          hint: NearestName.hint(column, among: type.fields.map(\.name), else: "it has "))
      }
      if !seen.insert(column).inserted {
        throw TerraceError(.invalid, "the partition column \(column) is named twice")
      }
      if value == schema.options.partitionDefaultName {
        parts.append(.isNull(column: index))
      } else {
        let quoted = value.replacing("'", with: "''")
        let condition = "`\(column.replacing("`", with: "``"))` = '\(quoted)'"
        parts.append(
          try WhereParser.parse(condition, type, owner: name.description, source: "--partition"))
      }
    }
    if parts.isEmpty { throw TerraceError(.invalid, "the partition is empty") }
    return parts.count == 1 ? parts[0] : .and(parts)
  }
}

extension OpenWarehouse {
  /// Live partitions that a selection names, as rows of the manifests, and their names.
  package func partitions(
    _ selection: PartitionSelection, of table: Table
  ) throws(TerraceError) -> [(row: [UInt8], name: String)] {
    guard let snapshot = try table.snapshots.latest() else { return [] }
    let state = try TableState(at: snapshot, try table.manifests(), filter: selection.filter)
    var found: [(row: [UInt8], name: String)] = []
    for row in Set(state.buckets.keys.map(\.partition)) {
      let values = try PartitionPath.values(row, table.schema)
      found.append((row, values.map { "\($0.name)=\($0.text)" }.joined(separator: "/")))
    }
    return found.sorted { $0.name < $1.name }
  }
}
