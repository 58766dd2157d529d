package import Columns

/// What must hold of every schema, of those that are read, and of those that are written to.
extension TableSchema {
  /// What readers take for granted: names and ids are unique, keys name columns.
  ///
  /// - Throws: kind `corrupted`.
  package func checkStructure() throws(TerraceError) {
    var names: Set<String> = []
    var ids: Set<Int> = []
    for field in fields {
      if !names.insert(field.name).inserted {
        throw wrong("two columns have one name").with("column", shown(field.name))
      }
      try TableSchema.collect([field], &ids, depth: 0)
    }
    for (what, keys) in [("primary key", primaryKeys), ("partition", partitionKeys)] {
      if Set(keys).count != keys.count { throw wrong("the \(what) names a column twice") }
      for key in keys where !names.contains(key) {
        throw wrong("the \(what) names no column").with("column", shown(key))
      }
    }
    for key in partitionKeys + primaryKeys {
      if let field = fields.first(where: { $0.name == key }), field.type.isNested {
        throw TerraceError(.unsupported, "a key of type \(field.type.text)").with("column", key)
      }
    }
  }

  private static func collect(
    _ fields: [Field], _ ids: inout Set<Int>, depth: Int
  ) throws(TerraceError) {
    for field in fields {
      if !ids.insert(field.id).inserted {
        throw TerraceError(.corrupted, "two fields have one id").with("id", field.id)
      }
      try collect(field.type.innerFields, &ids, depth: depth + 1)
    }
  }

  private func wrong(_ message: String) -> TerraceError {
    TerraceError(.corrupted, message).with("schema", id)
  }

  /// Refuses by name what Terrace would misread.
  package func checkReadable() throws(TerraceError) {
    for name in TableSchema.unreadable where try options.flag(name, false) {
      throw TerraceError(.unsupported, name)
    }
    let kind = options.text("type", "table").lowercased()
    if kind != "table" && kind != "materialized-table" {
      throw TerraceError(.unsupported, "type \(shown(kind))")
    }
    if options["data-file.path-directory"] != nil {
      throw TerraceError(.unsupported, "data-file.path-directory")
    }
    if try bucketMode == .postpone { throw TerraceError(.unsupported, "bucket -2 (postpone)") }
    guard hasPrimaryKey else { return }
    let engine = try options.mergeEngine
    if engine != .deduplicate {
      throw TerraceError(.unsupported, "merge-engine \(engine.rawValue)")
    }
    if try bucketMode == .crossPartition {
      throw TerraceError(.unsupported, "a primary key without the partition columns")
    }
  }

  private static let unreadable = [
    "row-tracking.enabled", "data-evolution.enabled", "deletion-vectors.enabled",
    "chain-table.enabled", "sequence.snapshot-ordering", "pk-clustering-override",
    "primary-key.nullable",
  ]

  /// Refuses by name what Terrace would write wrongly; implies ``checkReadable()``.
  package func checkWritable() throws(TerraceError) {
    try checkReadable()
    let mode = try bucketMode
    if hasPrimaryKey && mode == .dynamic {
      throw TerraceError(.unsupported, "writing with bucket -1 (dynamic buckets)")
        .hint("create the table with a fixed number of buckets, such as 'bucket' = '2'")
    }
    if try options.changelogProducer == .fullCompaction {
      throw TerraceError(.unsupported, "writing with changelog-producer full-compaction")
    }
    for (name, supported) in TableSchema.writableWords {
      let value = options.text(name, supported[0]).lowercased()
      if !supported.contains(value) {
        throw TerraceError(.unsupported, "writing with \(name) \(shown(value))")
      }
    }
    for name in TableSchema.unwritable where options[name] != nil {
      throw TerraceError(.unsupported, "writing with \(name)")
    }
  }

  private static let writableWords: [(String, [String])] = [
    ("file.format", ["parquet"]), ("bucket-function.type", ["default"]),
    ("file.compression", ["zstd", "snappy", "gzip", "lz4", "none", "uncompressed"]),
  ]
  private static let unwritable = [
    "data-file.external-paths", "file.format.per.level", "record-level.expire-time",
  ]
}

extension DataType {
  package var isNested: Bool {
    switch kind {
    case .array, .map, .multiset, .row: true
    default: false
    }
  }

  /// Members of the rows in this type that have ids of their own, at the next depth.
  package var innerFields: [Field] {
    switch kind {
    case .row(let fields): fields
    case .array(let element), .multiset(let element): element.innerFields
    case .map(let key, let value): key.innerFields + value.innerFields
    default: []
    }
  }
}
