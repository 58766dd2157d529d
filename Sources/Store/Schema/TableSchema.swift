package import Columns

/// One version of a table's columns, keys and options (Paimon schema version 3).
package struct TableSchema: Hashable, Sendable {
  package var version = 3
  package var id: Int
  /// In the order that users see.
  package var fields: [Field]
  /// The greatest id that was ever given to a field, nested ones included. Never decreases.
  package var highestFieldID: Int
  package var partitionKeys: [String]
  package var primaryKeys: [String]
  package var options: TableOptions
  package var comment: String?
  /// When the schema was committed; 0 when the file does not say.
  package var timeMillis: Int64

  /// A schema as a file says it. ``TableSchema/create`` makes a new one and checks it.
  package init(
    id: Int, fields: [Field], highestFieldID: Int, partitionKeys: [String],
    primaryKeys: [String], options: TableOptions, comment: String? = nil, timeMillis: Int64
  ) {
    self.id = id
    self.fields = fields
    self.highestFieldID = highestFieldID
    self.partitionKeys = partitionKeys
    self.primaryKeys = primaryKeys
    self.options = options
    self.comment = comment
    self.timeMillis = timeMillis
  }

  /// How rows find their bucket.
  package enum BucketMode: Hashable, Sendable {
    case fixed(Int)
    /// An append table where everything lies in bucket 0.
    case unaware
    /// A hash index maps keys to buckets.
    case dynamic
    /// Dynamic, and the primary key lacks partition columns.
    case crossPartition
    case postpone
  }

  package var rowType: RowType { RowType(fields) }
  package var hasPrimaryKey: Bool { !primaryKeys.isEmpty }

  /// The primary key without partition columns, in primary-key order: what files are sorted by.
  package var trimmedPrimaryKeys: [String] {
    primaryKeys.filter { !partitionKeys.contains($0) }
  }

  /// The columns that are hashed: the option, else the trimmed primary key; empty when unaware.
  package var bucketKeys: [String] {
    let named = options.bucketKey
    return named.isEmpty ? trimmedPrimaryKeys : named
  }

  package var bucketMode: BucketMode {
    get throws(TerraceError) {
      let bucket = try options.bucket
      if bucket > 0 { return .fixed(bucket) }
      if bucket == -2 { return .postpone }
      if bucket != -1 {
        throw TerraceError(.invalid, "the number of buckets must be positive, or -1")
          .with("bucket", bucket)
      }
      if !hasPrimaryKey { return .unaware }
      return partitionKeys.allSatisfy(primaryKeys.contains) ? .dynamic : .crossPartition
    }
  }

  package var partitionType: RowType { type(of: partitionKeys) }
  package var trimmedKeyType: RowType { type(of: trimmedPrimaryKeys) }
  package var bucketKeyType: RowType { type(of: bucketKeys) }

  package var partitionIndices: [Int] { indices(of: partitionKeys) }
  package var trimmedKeyIndices: [Int] { indices(of: trimmedPrimaryKeys) }
  package var bucketKeyIndices: [Int] { indices(of: bucketKeys) }

  /// Fields of these names; those that are missing are left out (checked when a schema is read).
  package func type(of names: [String]) -> RowType {
    RowType(indices(of: names).map { fields[$0] })
  }

  package func indices(of names: [String]) -> [Int] {
    names.compactMap { name in fields.firstIndex { $0.name == name } }
  }
}
