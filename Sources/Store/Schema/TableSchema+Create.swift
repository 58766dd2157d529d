package import Columns

extension TableSchema {
  /// The first schema of a new table: gives the fields their ids, depth first, and checks everything.
  ///
  /// Keys may also be given as the options `primary-key` and `partition`; columns of the primary key
  /// become NOT NULL.
  /// - Throws: kind `invalid` when the definition contradicts itself, `unsupported` for tables that
  ///   Terrace cannot write.
  package static func create(
    columns: [Field], partitionKeys: [String] = [], primaryKeys: [String] = [],
    options: [String: String] = [:], comment: String? = nil, timeMillis: Int64
  ) throws(TerraceError) -> TableSchema {
    var partition = partitionKeys
    var primary = primaryKeys
    var options = options
    if let named = options.removeValue(forKey: "primary-key") {
      if !primary.isEmpty { throw invalid("the primary key is given twice") }
      primary = named.commaList
    }
    if let named = options.removeValue(forKey: "partition") {
      if !partition.isEmpty { throw invalid("the partition columns are given twice") }
      partition = named.commaList
    }
    var next = 0
    var fields: [Field] = []
    for column in columns {
      var field = column
      field.id = next
      next += 1
      field.type = field.type.numbered(&next)
      if primary.contains(field.name) { field.type.isNullable = false }
      fields.append(field)
    }
    let schema = TableSchema(
      id: 0, fields: fields, highestFieldID: next - 1, partitionKeys: partition,
      primaryKeys: primary, options: TableOptions(options), comment: comment,
      timeMillis: timeMillis)
    try schema.checkDefinition()
    return schema
  }

  static func invalid(_ message: String) -> TerraceError { TerraceError(.invalid, message) }

  /// What must hold of a definition that a user gives, beyond what is merely well formed.
  package func checkDefinition() throws(TerraceError) {
    do {
      try checkStructure()
    } catch {
      throw error.kind == .corrupted ? TableSchema.asInvalid(error) : error
    }
    if fields.isEmpty { throw TableSchema.invalid("a table needs a column") }
    for field in fields { try TableSchema.checkColumnName(field.name) }
    try checkKeys()
    try checkBuckets()
    try checkMerging()
    try options.checkValues(hasPrimaryKey: hasPrimaryKey)
    try checkWritable()
  }

  private static func asInvalid(_ error: TerraceError) -> TerraceError {
    var copy = TerraceError(.invalid, error.message)
    for fact in error.facts where fact.name != "schema" { copy = copy.with(fact.name, fact.value) }
    return copy
  }

  static func checkColumnName(_ name: String) throws(TerraceError) {
    let reserved: Set = ["_SEQUENCE_NUMBER", "_VALUE_KIND", "_LEVEL", "_ROW_ID", "rowkind"]
    if name.isEmpty || name.utf8.contains(0) || name.utf8.count > 1024 {
      throw invalid("a column needs a name of at most 1024 bytes").with("name", shown(name))
    }
    if reserved.contains(name) || name.hasPrefix("_KEY_") {
      throw invalid("the column name is reserved").with("column", shown(name))
    }
  }

  private func checkKeys() throws(TerraceError) {
    if hasPrimaryKey, trimmedPrimaryKeys.isEmpty {
      throw TableSchema.invalid("the primary key must have a column that is no partition column")
    }
    for key in partitionKeys {
      if hasPrimaryKey, !primaryKeys.contains(key) {
        throw TerraceError(.unsupported, "a primary key without the partition columns")
          .with("partition", key)
      }
    }
  }

  private func checkBuckets() throws(TerraceError) {
    let named = options.bucketKey
    for key in named {
      guard let field = fields.first(where: { $0.name == key }) else {
        throw TableSchema.invalid("bucket-key names no column").with("column", shown(key))
      }
      if field.type.isNested {
        throw TerraceError(.unsupported, "a bucket-key of type \(field.type.text)")
      }
      if hasPrimaryKey, !trimmedPrimaryKeys.contains(key) {
        throw TableSchema.invalid("bucket-key must consist of primary key columns")
          .with("column", key)
      }
    }
    switch try bucketMode {
    case .fixed where !hasPrimaryKey && named.isEmpty:
      throw TableSchema.invalid("an append table with buckets needs a bucket-key")
    case .unaware where !named.isEmpty:
      throw TableSchema.invalid("bucket-key needs a number of buckets").with("bucket", -1)
    default: return
    }
  }

  private func checkMerging() throws(TerraceError) {
    for name in options.sequenceFields {
      guard let field = fields.first(where: { $0.name == name }) else {
        throw TableSchema.invalid("sequence.field names no column").with("column", shown(name))
      }
      if field.type.isNested {
        throw TableSchema.invalid("a sequence.field must be comparable").with("column", name)
      }
      if options["fields.\(name).aggregate-function"] != nil {
        throw TableSchema.invalid("a sequence.field cannot be aggregated").with("column", name)
      }
    }
    if let name = options.rowKindField {
      guard let field = fields.first(where: { $0.name == name }), field.type.isText else {
        throw TableSchema.invalid("rowkind.field must name a text column")
          .with("column", shown(name))
      }
    }
    if !hasPrimaryKey, try options.changelogProducer != .none {
      throw TableSchema.invalid("a changelog-producer needs a primary key")
    }
    if !hasPrimaryKey, !options.sequenceFields.isEmpty {
      throw TableSchema.invalid("sequence.field needs a primary key")
    }
  }
}

extension DataType {
  /// The type with ids given to the members of its rows, from `next` on, in declaration order.
  func numbered(_ next: inout Int) -> DataType {
    switch kind {
    case .array(let element): return DataType(.array(element.numbered(&next)), nullable: isNullable)
    case .multiset(let element):
      return DataType(.multiset(element.numbered(&next)), nullable: isNullable)
    case .map(let key, let value):
      let numbered = key.numbered(&next)
      return DataType(.map(numbered, value.numbered(&next)), nullable: isNullable)
    case .row(let fields):
      var members: [Field] = []
      for member in fields {
        var field = member
        field.id = next
        next += 1
        field.type = field.type.numbered(&next)
        members.append(field)
      }
      return DataType(.row(members), nullable: isNullable)
    default: return self
    }
  }
}

extension TableOptions {
  /// Reads every option once, so that a wrong value is told when it is set and not when it is used.
  package func checkValues(hasPrimaryKey: Bool) throws(TerraceError) {
    _ = try (mergeEngine, changelogProducer, sequenceSortOrder, ignoreDelete, ignoreUpdateBefore)
    _ = try (partitionLegacyName, zstdLevel, fileBlockBytes, writeBufferBytes, writeOnly)
    _ = try (targetFileBytes(hasPrimaryKey: hasPrimaryKey), writeBufferSpillable, thinMode)
    _ = try (compactionSizeRatio, maxSizeAmplificationPercent, fullCompactionDeltaCommits)
    _ = try (commitMaxRetries, commitMinRetryWaitMillis, commitMaxRetryWaitMillis)
    _ = try (commitTimeoutMillis, forceCreateSnapshot, ignoreEmptyCommit, manifestTargetBytes)
    _ = try (manifestMergeMinCount, manifestFullCompactionBytes, snapshotTimeRetainedMillis)
    _ = try (snapshotExpireLimit, changelogLivesLonger, consumerExpirationMillis)
    _ = try (tagDefaultTimeRetainedMillis, tagTimeExpireEnabled, lookupWait, statsMode)
    _ = try parquetWriteOptions(columns: [])
    try require(compactionTrigger >= 1, "num-sorted-run.compaction-trigger must be at least 1")
    try require(levelCount >= 2, "num-levels must be at least 2")
    try require(
      stopTrigger >= compactionTrigger,
      "num-sorted-run.stop-trigger must not be below num-sorted-run.compaction-trigger")
    try require(snapshotRetainedMin >= 1, "snapshot.num-retained.min must be at least 1")
    try require(
      snapshotRetainedMax >= snapshotRetainedMin,
      "snapshot.num-retained.max must not be below snapshot.num-retained.min")
    try require(
      changelogRetainedMax >= changelogRetainedMin,
      "changelog.num-retained.max must not be below changelog.num-retained.min")
  }

  private func require(_ holds: Bool, _ message: String) throws(TerraceError) {
    if !holds { throw TerraceError(.invalid, message) }
  }
}
