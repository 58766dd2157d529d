package import Columns

/// Rows of a primary-key table by their keys, many at a time.
///
/// Keeps the files of one snapshot; `advance` goes on to a later one.
package final class TableLookup {
  package let table: Table
  package let columns: [Int]
  private let layout: KeyValueLayout
  private let router: RowRouter
  private let keyType: RowType
  private let live: LiveState
  private var state: TableState
  private let opened: OpenedFiles
  private var buckets: [BucketPlace: BucketLookup] = [:]

  /// - Parameters:
  ///   - columns: indices of the table's fields to be delivered; nil for all.
  ///   - snapshot: nil for a table without a commit.
  init(_ table: Table, columns: [Int]?, snapshot: Snapshot?) throws(TerraceError) {
    guard table.schema.hasPrimaryKey else {
      throw TerraceError(.invalid, "only a table with a primary key can be looked up")
        .with("table", table.path.root)
    }
    guard case .fixed = try table.schema.bucketMode else {
      throw TerraceError(.unsupported, "looking up rows of dynamic buckets")
    }
    let schema = table.schema
    self.table = table
    self.columns = columns ?? Array(schema.fields.indices)
    layout = try TableFiles.layout(schema, columns: self.columns)
    opened = OpenedFiles(keyTypes: layout.keyTypes)
    let keyType = schema.type(of: schema.primaryKeys)
    self.keyType = keyType
    router = RowRouter(
      partitionColumns: schema.partitionKeys.compactMap { keyType.index(of: $0) },
      bucketColumns: schema.bucketKeys.compactMap { keyType.index(of: $0) },
      type: keyType, buckets: try table.bucketCount)
    live = LiveState(table.snapshots, try table.manifests())
    state = try live.advance(to: snapshot)
  }

  package final class Found: Sendable {
    /// The rows that exist, in no particular order.
    package let rows: Batch
    /// For each key its row in `rows`, or -1. One Int32 a key.
    package let matches: Buffer

    init(rows: Batch, matches: Buffer) {
      self.rows = rows
      self.matches = matches
    }
  }

  /// - Parameter keys: the primary key columns, in primary-key order, partition columns included;
  ///   in any order of rows, repeats allowed, never null.
  package func lookup(_ keys: Batch) throws(TerraceError) -> Found {
    guard zip(keys.columns, keyType.fields).allSatisfy({ $0.type.kind == $1.type.kind }),
      keys.columns.count == keyType.count
    else {
      throw TerraceError(.invalid, "the keys are not of the types of the primary key")
    }
    let matches = Buffer(byteCount: keys.count * 4)
    let out = matches.pointer(Int32.self)
    out.update(repeating: -1, count: keys.count)
    var parts: [Batch] = []
    var rows = 0
    for part in try router.route(keys) {
      guard let found = try look(part, keys, out, base: rows) else { continue }
      parts.append(found)
      rows += found.count
    }
    let type = RowType(columns.map { table.schema.fields[$0] })
    guard !parts.isEmpty else {
      let none = type.fields.map { ColumnBuilder($0.type).finish() }
      return Found(rows: Batch(type, none, count: 0), matches: matches)
    }
    return Found(rows: Batch.concat(parts), matches: matches)
  }

  /// Goes on to a later snapshot.
  package func advance(to snapshot: Snapshot?) throws(TerraceError) {
    if state.snapshot == snapshot { return }
    let old = state
    state = try live.advance(to: snapshot)
    buckets = buckets.filter { place, _ in
      old.files(in: place).map(\.name) == state.files(in: place).map(\.name)
    }
    opened.keep(Set(state.buckets.keys.lazy.flatMap { self.state.files(in: $0) }.map(\.name)))
  }

  private func look(
    _ part: RoutedRows, _ keys: Batch, _ out: UnsafeMutablePointer<Int32>, base: Int
  ) throws(TerraceError) -> Batch? {
    guard let bucket = try bucket(part.place) else { return nil }
    let trimmed = table.schema.trimmedPrimaryKeys.compactMap { keyType.index(of: $0) }
    let own = part.rows?.pointer(Int32.self)
    let columns = trimmed.map { index in
      own.map { keys.columns[index].gather($0, count: part.count) } ?? keys.columns[index]
    }
    let normal = KeyEncoder(layout.keyTypes).encode(columns, count: part.count)
    let order = normal.sortedRows()
    let sorted = order.pointer(Int32.self)
    // Each key once, ascending.
    let distinct = Buffer(byteCount: part.count * 4)
    let number = Buffer(byteCount: part.count * 4)
    var count = 0
    for i in 0..<part.count {
      if i == 0 || normal.compare(Int(sorted[i]), normal, Int(sorted[i - 1])) != 0 {
        distinct.pointer(Int32.self)[count] = sorted[i]
        count += 1
      }
      number.pointer(Int32.self)[i] = Int32(count - 1)
    }
    let asked = columns.map { $0.gather(distinct.pointer(Int32.self), count: count) }
    let (found, matches) = try bucket.rows(asked, count: count)
    guard let found else { return nil }
    for i in 0..<part.count {
      let match = matches.pointer(Int32.self)[Int(number.pointer(Int32.self)[i])]
      let row = own.map { Int($0[Int(sorted[i])]) } ?? Int(sorted[i])
      if match >= 0 { out[row] = match + Int32(base) }
    }
    return found.values.project(Array(0..<self.columns.count))
  }

  private func bucket(_ place: BucketPlace) throws(TerraceError) -> BucketLookup? {
    if let known = buckets[place] { return known }
    let live = state.files(in: place)
    if live.isEmpty { return nil }
    let runs = try SortedRun.runs(try RunFile.decode(live, keyTypes: layout.keyTypes))
    let fresh = BucketLookup(table.files, at: place, layout, table.files.engine, runs, opened)
    buckets[place] = fresh
    return fresh
  }
}

extension Table {
  package func lookup(
    columns: [Int]? = nil, at snapshot: Snapshot?
  ) throws(TerraceError) -> TableLookup {
    try TableLookup(self, columns: columns, snapshot: snapshot)
  }
}
