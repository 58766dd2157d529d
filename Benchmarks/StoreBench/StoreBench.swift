import Columns
import Formats
import Glibc
import Store

/// The operations that `store.py` times, on the store's own doors. See `Benchmarks/README.md`.
struct StoreBench {
  private let environment = Environment(workers: Workers(count: 2))
  private let threads = 2

  func run(_ arguments: [String]) throws(TerraceError) {
    let words = Array(arguments.dropFirst())
    func number(_ index: Int) throws(TerraceError) -> Int {
      guard index < words.count, let value = Int(words[index]), value > 0 else {
        throw TerraceError(.invalid, "word \(index + 1) must be a positive number")
      }
      return value
    }
    func word(_ index: Int) throws(TerraceError) -> String {
      guard index < words.count else { throw TerraceError(.invalid, "too few words") }
      return words[index]
    }
    switch arguments.first {
    case "ingest":
      try ingest(
        try word(0), try word(1), inserts: try number(2), updates: try number(3),
        batch: try number(4), Array(words.dropFirst(5)))
    case "scan": try scan("scan", try word(0), try word(1), nil, .always, try number(2))
    case "project":
      try scan("project", try word(0), try word(1), [0, 1, 2], .always, try number(2))
    case "range":
      let rows = Int64(try number(2))
      let range = Predicate.and([
        .compare(column: 0, .greaterOrEqual, .int(rows / 2)),
        .compare(column: 0, .lessOrEqual, .int(rows / 2 + rows / 100 - 1)),
      ])
      try scan("range", try word(0), try word(1), [0, 1, 2], range, try number(3))
    case "compact": try compact(try word(0), try word(1))
    case "small":
      try small(
        try word(0), try word(1), commits: try number(2), rows: try number(3),
        keys: try number(4))
    case "partitions": try partitions(try word(0), try number(1), buckets: try number(2))
    case "parquet-write": try ParquetBench.write(try word(0), try number(1), try number(2))
    case "parquet-read": try ParquetBench.read(try word(0), try number(1), try number(2))
    default:
      throw TerraceError(
        .invalid,
        "storebench ingest|scan|project|range|compact|small|partitions|parquet-write|parquet-read …"
      )
    }
  }

  private func root(_ warehouse: String, _ table: String) -> String {
    "\(warehouse)/default.db/\(table)"
  }

  private func create(
    _ warehouse: String, _ table: String, _ columns: [(String, DataType)], keys: [String],
    partitions: [String] = [], _ options: [String: String]
  ) throws(TerraceError) -> Table {
    let root = root(warehouse, table)
    try environment.files.deleteTree(root)
    let schema = try TableSchema.create(
      columns: RowType(columns).fields, partitionKeys: partitions, primaryKeys: keys,
      options: options, timeMillis: environment.time.nowMillis())
    guard try SchemaDirectory(TablePath(root), environment).publish(schema) else {
      throw TerraceError(.conflict, "the table is there")
    }
    return try Table.open(environment, root)
  }

  private func benchTable(
    _ warehouse: String, _ table: String, _ more: [String]
  ) throws(TerraceError) -> Table {
    var options = ["bucket": "2", "file.format": "parquet", "file.compression": "zstd"]
    for pair in more {
      guard let at = pair.firstIndex(of: "=") else {
        throw TerraceError(.invalid, "an option is NAME=VALUE").with("word", pair)
      }
      options[String(pair[..<at])] = String(pair[pair.index(after: at)...])
    }
    return try create(warehouse, table, BenchRows.columns, keys: ["id"], options)
  }

  private func ingest(
    _ warehouse: String, _ name: String, inserts: Int, updates: Int, batch: Int,
    _ options: [String]
  ) throws(TerraceError) {
    let table = try benchTable(warehouse, name, options)
    let rows = BenchRows()
    let start = seconds()
    let writer = try table.writer(user: "bench")
    var at = 0
    var commits: Int64 = 0
    let total = inserts + updates
    while at < total {
      let end = min(at + batch, at < inserts ? inserts : total)
      // In parts, so that making rows and writing them overlap.
      var part = at
      while part < end {
        let next = min(part + 25_000, end)
        try writer.write(rows.batch(part, next, inserts: inserts))
        part = next
      }
      try writer.commit(identifier: commits)
      commits += 1
      at = end
    }
    let ingested = seconds()
    try writer.commit(identifier: commits, waitCompaction: true)
    writer.close()
    emit("ingest before settling", ingested - start, rows: total)
    emit("ingest", seconds() - start, rows: total)
  }

  private func scan(
    _ label: String, _ warehouse: String, _ name: String, _ columns: [Int]?,
    _ predicate: Predicate, _ repeats: Int
  ) throws(TerraceError) {
    for _ in 0..<repeats {
      let start = seconds()
      let table = try Table.open(environment, root(warehouse, name))
      let scan = table.scan(columns: columns, predicate: predicate)
      let read = try scan.read(try scan.plan(try table.snapshots.latest()), threads: threads)
      var rows = 0
      var sum: Int64 = 0
      while let batch = try read.next() {
        rows += batch.count
        let a = batch.columns[1].pointer(Int32.self)
        for i in 0..<batch.count { sum &+= Int64(a[i]) }
      }
      emit("\(label) sum=\(sum)", seconds() - start, rows: rows)
    }
  }

  private func compact(_ warehouse: String, _ name: String) throws(TerraceError) {
    let start = seconds()
    let table = try Table.open(environment, root(warehouse, name))
    let snapshot = try table.compact(full: true)
    emit("compact", seconds() - start, rows: Int(snapshot?.totalRecordCount ?? 0))
  }

  private func small(
    _ warehouse: String, _ name: String, commits: Int, rows: Int, keys: Int
  ) throws(TerraceError) {
    let table = try benchTable(warehouse, name, [])
    let writer = try table.writer(user: "bench")
    let source = BenchRows()
    var times: [Double] = []
    for k in 0..<commits {
      let batch = source.updates(k * rows, rows, keys: keys, version: k + 1)
      let start = seconds()
      try writer.write(batch)
      try writer.commit(identifier: Int64(k))
      times.append(seconds() - start)
    }
    writer.close()
    times.sort()
    emit("small p95", times[commits * 95 / 100], rows: commits * rows)
    emit("small p50", times[commits / 2], rows: commits * rows)
  }

  private func partitions(
    _ warehouse: String, _ count: Int, buckets: Int
  ) throws(TerraceError) {
    let columns: [(String, DataType)] = [
      ("p", DataType.int.notNull), ("id", DataType.bigint.notNull), ("v", .string),
    ]
    let table = try create(
      warehouse, "partitions", columns, keys: ["p", "id"], partitions: ["p"],
      ["bucket": "\(buckets)"])
    let rows = rows(count, buckets * 20)
    let first = try table.writer(user: "bench")
    try first.write(rows)
    try first.commit(identifier: 1)
    first.close()
    let start = seconds()
    let writer = try Table.open(environment, root(warehouse, "partitions")).writer(user: "bench")
    try writer.write(rows)
    emit("partitions", seconds() - start, rows: rows.count)
    try writer.commit(identifier: 2)
    writer.close()
  }

  private func rows(_ partitions: Int, _ each: Int) -> Batch {
    let p = ColumnBuilder(DataType.int.notNull)
    let id = ColumnBuilder(DataType.bigint.notNull)
    let v = ColumnBuilder(.string)
    for i in 0..<partitions * each {
      p.append(Int32(i % partitions))
      id.append(Int64(i / partitions))
      v.append("value \(i)")
    }
    let type = RowType([
      ("p", DataType.int.notNull), ("id", DataType.bigint.notNull), ("v", .string),
    ])
    return Batch(type, [p.finish(), id.finish(), v.finish()], count: partitions * each)
  }
}
