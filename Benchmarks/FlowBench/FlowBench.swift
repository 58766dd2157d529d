import Columns
import Dataflow
import Glibc
import Store

/// The operators, their state and the target without sources: what is left of a job's time when
/// decoding costs nothing.
struct FlowBench {
  /// join [ROWS] [EPOCH ROWS] [STATE BYTES]: two streams of random ids, an inner join, a target table.
  func run(_ arguments: [String]) throws(TerraceError) {
    guard let what = arguments.first else {
      throw TerraceError(.invalid, "flowbench join|cold ROWS EPOCHROWS STATEBYTES FOLDER")
    }
    func number(_ i: Int, _ fallback: Int) -> Int {
      i < arguments.count ? Int(arguments[i]) ?? fallback : fallback
    }
    let folder = arguments.count > 4 ? arguments[4] : "flowbench.data"
    switch what {
    case "join":
      try JoinBench(
        rows: number(1, 3_000_000), epochRows: number(2, 1 << 19),
        stateBytes: number(3, 64 << 20), folder: folder
      ).load()
    case "cold":
      try JoinBench(
        rows: number(1, 3_000_000), epochRows: 100, stateBytes: 0, folder: folder
      ).cold()
    default: throw TerraceError(.invalid, "no such benchmark").with("name", what)
    }
  }
}

/// `SELECT b.name, a.id FROM a JOIN b ON a.id = b.id` over random ids.
struct JoinBench {
  let rows: Int
  let epochRows: Int
  let stateBytes: Int
  let folder: String
  private let batchRows = 1 << 16

  private var plan: Plan {
    let left = RowType([("id", .int)])
    let right = RowType([("id", .int), ("name", .string)])
    func source(_ name: String, _ type: RowType) -> Plan {
      .source(Plan.Source(reference: name, tableType: type, isAppendOnly: true))
    }
    return .map(
      Plan.Map(
        input: .join(
          Plan.Join(
            .inner, left: source("a", left), right: source("b", right), leftKeys: [0],
            rightKeys: [0])),
        expressions: [.column(2, .string), .column(0, .int)], names: ["name", "id"]))
  }

  private func batch(_ side: Int, _ from: Int, _ n: Int) -> Batch {
    var random = SplitMix(seed: UInt64(from * 2 + side + 1))
    let ids = Buffer(byteCount: n * 4)
    for i in 0..<n {
      ids.pointer(Int32.self)[i] = Int32(truncatingIfNeeded: random.next() % UInt64(rows))
    }
    let id = Column(type: .int, count: n, values: ids)
    if side == 0 { return Batch(RowType([("id", .int)]), [id], count: n) }
    let names = ColumnBuilder(.string, capacity: n)
    for _ in 0..<n { names.append("name_\(100_000 + random.next() % 100_000)") }
    return Batch(RowType([("id", .int), ("name", .string)]), [id, names.finish()], count: n)
  }

  private func target(_ environment: Environment) throws(TerraceError) -> Table {
    let path = TablePath(folder + "/target")
    let schema = try TableSchema.create(
      columns: [
        Field(id: 0, name: "name", type: .string), Field(id: 1, name: "id", type: .int),
      ], timeMillis: 0)
    _ = try SchemaDirectory(path, environment).publish(schema)
    return try Table.open(environment, path.root)
  }

  func load() throws(TerraceError) {
    let environment = Environment(workers: Workers(count: 2))
    try environment.files.deleteTree(folder)
    let pipeline = try Pipeline(plan, recordsChanges: true)
    let store = StateStore(
      pipeline, environment: environment, folder: folder + "/state", user: "bench")
    try store.open(at: nil)
    let writer = try target(environment).writer(user: "bench")
    var batches: [[Batch]] = [[], []]
    for side in 0..<2 {
      for from in stride(from: 0, to: rows, by: batchRows) {
        batches[side].append(batch(side, from, min(batchRows, rows - from)))
      }
    }
    var spent: [String: Double] = [:]
    func timed<Value>(
      _ name: String, _ body: () throws(TerraceError) -> Value
    ) throws(TerraceError) -> Value {
      let start = seconds()
      defer { spent[name, default: 0] += seconds() - start }
      return try body()
    }
    let start = seconds()
    var epoch: Int64 = 0
    var pushed = 0
    var out = 0
    var inEpoch = 0
    for i in batches[0].indices {
      for side in 0..<2 {
        let rows = batches[side][i]
        try timed("push") { () throws(TerraceError) in
          try pipeline.push(DeltaBatch(inserting: rows), to: side)
        }
        pushed += rows.count
        inEpoch += rows.count
      }
      let isLast = i == batches[0].count - 1
      guard inEpoch >= epochRows || isLast else { continue }
      inEpoch = 0
      epoch += 1
      let deltas = try timed("endEpoch") { () throws(TerraceError) in try pipeline.endEpoch() }
      try timed("target") { () throws(TerraceError) in
        for delta in deltas {
          out += delta.count
          try writer.write(delta.rows)
        }
        writer.flush()
      }
      if store.pendingBytes >= stateBytes || isLast {
        _ = try timed("state") { () throws(TerraceError) in try store.commit(identifier: epoch) }
      }
      _ = try timed("commit") { () throws(TerraceError) in try writer.commit(identifier: epoch) }
    }
    let took = seconds() - start
    emit("join", took, rows: pushed)
    for (name, value) in spent.sorted(by: { $0.value > $1.value }) {
      emit("  \(name)", value, rows: pushed)
    }
    print("  out \(out), state bytes \(pipeline.stateBytes >> 20) MiB, \(store.counters)")
    print("  \(store.snapshots)")
    writer.close()
    store.close()
  }

  /// An epoch of 100 changed rows in a process that has just begun, over what `join` left.
  func cold() throws(TerraceError) {
    let environment = Environment(workers: Workers(count: 2))
    let pipeline = try Pipeline(plan, recordsChanges: true)
    let store = StateStore(
      pipeline, environment: environment, folder: folder + "/state", user: "bench")
    var snapshots: [String: Int64] = [:]
    for table in pipeline.stateTables {
      let path = TablePath(folder + "/state/" + table.name)
      snapshots[table.name] = try SnapshotDirectory(path, environment).latestID()
    }
    var start = seconds()
    try store.open(at: snapshots)
    emit("open", seconds() - start, rows: rows)
    for epoch in 0..<3 {
      start = seconds()
      let before = store.counters
      for side in 0..<2 {
        try pipeline.push(DeltaBatch(inserting: batch(side, rows + epoch, 100)), to: side)
      }
      let out = try pipeline.endEpoch().reduce(0) { $0 + $1.count }
      let after = store.counters
      _ = try store.commit(identifier: Int64(1_000_000 + epoch))
      let last = store.counters
      emit("epoch", seconds() - start, rows: 200)
      print(
        "  read \(after.bytesRead - before.bytesRead) + \(last.bytesRead - after.bytesRead),",
        "written \(last.bytesWritten - before.bytesWritten), out \(out)")
    }
    store.close()
  }
}
