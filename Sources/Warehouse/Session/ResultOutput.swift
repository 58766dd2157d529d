package import Columns

/// Where a statement's answer goes: rows in batches, or one sentence about what was done.
package protocol ResultOutput: AnyObject {
  /// A statement that returns rows begins; comes once for each, also when there will be no row.
  func begin(_ type: RowType) throws(TerraceError)
  func rows(_ batch: Batch) throws(TerraceError)
  func end() throws(TerraceError)
  /// One text of several lines as a result of one row.
  func text(_ column: String, _ text: String) throws(TerraceError)
  /// What a statement without rows did: `3 rows written to default.t`.
  func done(_ text: String) throws(TerraceError)
  /// Something that the user should know and that is no error.
  func warn(_ text: String)
}

extension ResultOutput {
  package func text(_ column: String, _ text: String) throws(TerraceError) {
    try show([column], [[text]])
  }

  /// A small answer of text columns; nil is NULL.
  func show(_ columns: [String], _ rows: [[String?]]) throws(TerraceError) {
    let type = RowType(columns.map { ($0, DataType.string) })
    let builders = columns.map { _ in ColumnBuilder(.string) }
    for row in rows {
      for (builder, cell) in zip(builders, row) {
        if let cell { builder.append(cell) } else { builder.appendNull() }
      }
    }
    try begin(type)
    if !rows.isEmpty {
      try self.rows(Batch(type, builders.map { $0.finish() }, count: rows.count))
    }
    try end()
  }
}
