package import Columns

/// One change of a table's definition (Paimon `SchemaChange`).
///
/// Columns are named by their path: `["name"]`, a member of a ROW by `["address", "city"]`, through
/// an ARRAY by `element`, through a MAP by `key` and `value`.
package enum SchemaChange: Hashable, Sendable {
  package enum Position: Hashable, Sendable {
    case first, last
    case after(String)
    case before(String)
  }

  case setOption(String, String)
  case removeOption(String)
  case setComment(String?)
  /// Added columns are nullable; the position counts among the neighbours.
  case addColumn([String], DataType, comment: String? = nil, Position = .last)
  case dropColumn([String])
  case renameColumn([String], to: String)
  /// The nullability stays.
  case setType([String], DataType)
  case setNullable([String], Bool)
  case setColumnComment([String], String?)
  case setDefault([String], String?)
  case moveColumn([String], Position)
}

extension SchemaDirectory {
  /// The schema that changes would give, published nowhere.
  ///
  /// - Throws: as ``change(_:)``.
  package func preview(_ changes: [SchemaChange]) throws(TerraceError) -> TableSchema {
    let hasData = try SnapshotDirectory(path, environment).latestID() != nil
    var editor = SchemaEditor(try latest(), hasData: hasData)
    for change in changes { try editor.apply(change) }
    return try editor.finish(timeMillis: environment.time.nowMillis())
  }

  /// Publishes the next schema, changed; another writer who is first is followed.
  ///
  /// - Throws: kind `invalid` when a change makes no sense, `unsupported` when Terrace could not write
  ///   the table any more.
  @discardableResult
  package func change(_ changes: [SchemaChange]) throws(TerraceError) -> TableSchema {
    for _ in 0..<1000 {
      let current = try latest()
      let hasData = try SnapshotDirectory(path, environment).latestID() != nil
      var editor = SchemaEditor(current, hasData: hasData)
      for change in changes { try editor.apply(change) }
      let schema = try editor.finish(timeMillis: environment.time.nowMillis())
      if schema == current { return current }
      if try publish(schema) { return schema }
    }
    throw TerraceError(.conflict, "others change the schema all the time").with("path", path.root)
  }
}
