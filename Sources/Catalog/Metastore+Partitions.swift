package import Columns
package import Store

/// A tag that batch readers see as a partition.
package struct TagPartition: Hashable, Sendable {
  /// `ads.totals`
  package var table: String
  /// The column of `metastore.tag-to-partition`.
  package var column: String
  package var value: String
  package var tag: String
  package var snapshotID: Int64
  /// Records of the files, as Paimon counts them: more than rows where keys are not merged yet.
  package var rows: Int64
  package var bytes: Int64
  package var files: Int
  package var createdMillis: Int64

  package init(
    table: String, column: String, value: String, tag: String, snapshotID: Int64, rows: Int64,
    bytes: Int64, files: Int, createdMillis: Int64
  ) {
    self.table = table
    self.column = column
    self.value = value
    self.tag = tag
    self.snapshotID = snapshotID
    self.rows = rows
    self.bytes = bytes
    self.files = files
    self.createdMillis = createdMillis
  }
}

/// Partitions by tag.
extension Metastore {
  /// Makes a tag and its partition together: the row, then the tag's file, then the commit of the row.
  ///
  /// When `create` throws there is neither. After a crash between file and commit there is a tag without
  /// a row, which ``reconcile(table:with:)`` puts right.
  package func publish(
    _ partition: TagPartition, creating create: () throws(TerraceError) -> Tag
  ) throws(TerraceError) -> Tag {
    try transaction { () throws(TerraceError) -> Tag in
      try put(partition)
      let tag = try create()
      if tag.snapshot.id != partition.snapshotID {
        throw TerraceError(.conflict, "the tag names another snapshot than its partition")
          .with("tag", partition.tag).with("snapshot", tag.snapshot.id)
      }
      return tag
    }
  }

  /// Removes partitions and their tags together: the rows, then what `remove` does, then the commit.
  package func unpublish(
    table: String, tags: [String], removing remove: () throws(TerraceError) -> Void
  ) throws(TerraceError) {
    try transaction { () throws(TerraceError) in
      for tag in tags {
        try run(
          "DELETE FROM terrace_tag_partitions WHERE table_name = ? AND tag = ?",
          [.text(table), .text(tag)])
      }
      try remove()
    }
  }

  /// By value.
  package func partitions(of table: String) throws(TerraceError) -> [TagPartition] {
    try partitions("WHERE table_name = ?", [.text(table)])
  }

  package func partition(of table: String, value: String) throws(TerraceError) -> TagPartition? {
    try partitions("WHERE table_name = ? AND value = ?", [.text(table), .text(value)]).first
  }

  /// All tables' partitions.
  package func partitions() throws(TerraceError) -> [TagPartition] { try partitions("", []) }

  /// Makes the rows of a table what its tags say: the files decide.
  ///
  /// - Returns: the values that were added or changed, and those that were removed.
  package func reconcile(
    table: String, with wanted: [TagPartition]
  ) throws(TerraceError) -> (added: [String], removed: [String]) {
    try transaction { () throws(TerraceError) -> (added: [String], removed: [String]) in
      let known = Dictionary(try partitions(of: table).map { ($0.value, $0) }) { $1 }
      let values = Set(wanted.map(\.value))
      var (added, removed): ([String], [String]) = ([], [])
      for partition in wanted {
        if let old = known[partition.value], old.agrees(with: partition) { continue }
        try put(partition)
        added.append(partition.value)
      }
      for value in known.keys.sorted() where !values.contains(value) {
        try run(
          "DELETE FROM terrace_tag_partitions WHERE table_name = ? AND value = ?",
          [.text(table), .text(value)])
        removed.append(value)
      }
      return (added, removed)
    }
  }

  private func put(_ partition: TagPartition) throws(TerraceError) {
    try run(
      """
      INSERT OR REPLACE INTO terrace_tag_partitions
      (table_name, column_name, value, tag, snapshot_id, row_count, byte_count, file_count, created)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      [
        .text(partition.table), .text(partition.column), .text(partition.value),
        .text(partition.tag), .int(partition.snapshotID), .int(partition.rows),
        .int(partition.bytes), .int(Int64(partition.files)), .int(partition.createdMillis),
      ])
  }

  private func partitions(
    _ condition: String, _ values: [SQLiteValue]
  ) throws(TerraceError) -> [TagPartition] {
    try rows(
      """
      SELECT table_name, column_name, value, tag, snapshot_id, row_count, byte_count, file_count, created
      FROM terrace_tag_partitions \(condition) ORDER BY table_name, value
      """, values
    ).map {
      TagPartition(
        table: $0.text(0), column: $0.text(1), value: $0.text(2), tag: $0.text(3),
        snapshotID: $0.int(4), rows: $0.int(5), bytes: $0.int(6), files: Int($0.int(7)),
        createdMillis: $0.int(8))
    }
  }
}

extension TagPartition {
  /// The same partition; when it was made does not count.
  fileprivate func agrees(with other: TagPartition) -> Bool {
    var copy = other
    copy.createdMillis = createdMillis
    return self == copy
  }
}
