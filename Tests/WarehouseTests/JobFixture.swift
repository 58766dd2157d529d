import Columns
import Dataflow
import Store
import XCTest

@testable import Warehouse

typealias Expression = Dataflow.Expression

/// A small warehouse in memory: orders and shops, joined, then summed by shop name.
final class JobFixture {
  let disk: any FileIO
  let time: ManualTime
  let warehouse: OpenWarehouse
  let changes: ChangeCache?
  var budget: MemoryBudget?
  var stateBytes = 64 << 20
  /// Tables that play the state of joins.
  var playing: [String] = []
  var jobs: [Job] = []

  static let big = DataType.bigint.notNull
  static let orders = RowType([("id", big), ("shop", .bigint), ("amount", .bigint)])
  static let shops = RowType([("shop", big), ("name", .string)])
  static let wide = RowType([
    ("id", big), ("shop", .bigint), ("amount", .bigint), ("name", .string),
  ])
  static let totals = RowType([("name", .string.notNull), ("orders", big), ("amount", .bigint)])

  init(
    _ files: any FileIO, _ time: ManualTime, changes: ChangeCache? = nil, names: UInt64 = 1
  ) {
    disk = files
    self.time = time
    self.changes = changes
    let environment = Environment(files: files, time: time, names: SeededNames(seed: names))
    warehouse = OpenWarehouse(WarehouseLocation(path: "/wh", isNamed: true), environment)
  }

  var environment: JobEnvironment {
    var environment = JobEnvironment(warehouse: warehouse, budget: budget, changes: changes)
    environment.stateBytes = stateBytes
    environment.lookedUp = Set(playing.compactMap { try? TableName($0) })
    return environment
  }

  func create(
    _ name: String, _ type: RowType, key: [String], options: [String: String] = [:]
  ) throws {
    let table = try TableName(name)
    var options = options
    if !key.isEmpty {
      options["bucket"] = options["bucket"] ?? "1"
      options["changelog-producer"] = options["changelog-producer"] ?? "input"
    }
    let schema = try TableSchema.create(
      columns: type.fields, primaryKeys: key, options: options, timeMillis: time.nowMillis())
    try warehouse.environment.files.makeDirectories("/wh")
    _ = try warehouse.create(database: table.database)
    _ = try warehouse.create(table, schema)
  }

  func open(_ name: String) throws -> Table {
    try Table.open(warehouse.environment, try warehouse.path(of: try TableName(name)).root)
  }

  /// Tables and jobs of the chain.
  func createChain(
    options: [String: String] = [:], wide: [String: String] = [:], totals: [String: String] = [:]
  ) throws {
    try create("ods.orders", JobFixture.orders, key: ["id"], options: options)
    try create("ods.shops", JobFixture.shops, key: ["shop"], options: options)
    try create("dwd.wide", JobFixture.wide, key: ["id"], options: wide)
    try create("dws.totals", JobFixture.totals, key: ["name"], options: totals)
  }

  static func source(_ name: String, _ type: RowType, key: [Int]) -> Plan {
    .source(
      Plan.Source(reference: name, tableType: type, primaryKey: key, isAppendOnly: false))
  }

  static var widePlan: Plan {
    let orders = source("ods.orders", JobFixture.orders, key: [0])
    let shops = source("ods.shops", JobFixture.shops, key: [0])
    let join = Plan.join(
      Plan.Join(.left, left: orders, right: shops, leftKeys: [1], rightKeys: [0]))
    let fields = join.type.fields
    return .map(
      Plan.Map(
        input: join, expressions: [0, 1, 2, 4].map { .column($0, fields[$0].type) },
        names: ["id", "shop", "amount", "name"]))
  }

  static var totalsPlan: Plan {
    let wide = source("dwd.wide", JobFixture.wide, key: [0])
    let known = Plan.map(Plan.Map(filtering: wide, by: .isNotNull(.column(3, .string))))
    let sums = Plan.aggregate(
      Plan.Aggregate(
        input: known, keys: [3],
        calls: [
          AggregateCall(.count, type: big),
          AggregateCall(.sum, argument: 2, type: .bigint),
        ]))
    return .map(
      Plan.Map(
        input: sums,
        expressions: [
          .cast(.column(0, .string), .string.notNull, orNull: false), .column(1, big),
          .column(2, .bigint),
        ], names: ["name", "orders", "amount"]))
  }

  func spec(_ name: String, _ plan: Plan, fingerprint: String = "1") throws -> JobSpec {
    var sources: [String: JobSpec.Source] = [:]
    for source in plan.sources {
      sources[source.reference] = .table(try TableName(source.reference), options: [:])
    }
    return JobSpec(
      name: name, target: .table(try TableName(name)), plan: plan, sources: sources,
      fingerprint: fingerprint)
  }

  func startChain() throws {
    jobs = [
      try Job(try spec("dwd.wide", JobFixture.widePlan), in: environment),
      try Job(try spec("dws.totals", JobFixture.totalsPlan), in: environment),
    ]
  }

  /// Lets the jobs take turns until none has anything to do.
  func settle(_ limits: EpochLimits = EpochLimits()) throws {
    var idle = 0
    var turns = 0
    while idle < jobs.count {
      idle = 0
      for job in jobs {
        switch try job.runEpoch(limits) {
        case .committed: break
        case .idle, .drained, .drifted: idle += 1
        }
      }
      turns += 1
      if turns > 1000 { throw TerraceError(.unavailable, "the jobs never come to rest") }
    }
  }

  // MARK: Rows

  static func batch(_ type: RowType, _ rows: [[Scalar]]) -> Batch {
    let builders = type.fields.map { ColumnBuilder($0.type) }
    for row in rows {
      for (builder, value) in zip(builders, row) { builder.append(value) }
    }
    return Batch(type, builders.map { $0.finish() }, count: rows.count)
  }

  /// Commits changes to a table as some writer does that knows the old rows.
  func commit(
    _ name: String, _ changes: [(RowKind, [Scalar])], properties: [String: String]? = nil
  ) throws {
    let table = try open(name)
    let writer = try table.writer(settings: TableWriter.Settings(compactsInline: true))
    defer { writer.close() }
    let kinds = Buffer(byteCount: max(1, changes.count))
    for (i, change) in changes.enumerated() {
      kinds.pointer(UInt8.self)[i] = change.0.rawValue
    }
    if !changes.isEmpty {
      try writer.write(
        JobFixture.batch(table.schema.rowType, changes.map(\.1)), kinds: kinds)
    }
    try writer.commit(properties: properties, ignoreEmpty: false)
  }

  func rows(_ name: String, at snapshot: Snapshot? = nil) throws -> [[Scalar]] {
    let table = try open(name)
    let scan = table.scan()
    let read = try scan.read(try scan.plan(try snapshot ?? table.snapshots.latest()))
    var found: [[Scalar]] = []
    while let batch = try read.next() {
      for row in 0..<batch.count { found.append(batch.columns.map { $0.scalar(row) }) }
    }
    return found.sorted { "\($0)" < "\($1)" }
  }

  func rows(_ name: String, tag: String) throws -> [[Scalar]] {
    let table = try open(name)
    return try rows(name, at: TagDirectory(table.path, table.environment).tag(tag).snapshot)
  }

  func tags(_ name: String) throws -> [String] {
    let table = try open(name)
    return try TagDirectory(table.path, table.environment).names().sorted()
  }
}

/// What the source tables hold, and what must follow from it.
struct ShopModel {
  var orders: [Int64: (shop: Int64?, amount: Int64)] = [:]
  var shops: [Int64: String] = [:]

  static func row(_ id: Int64, _ order: (shop: Int64?, amount: Int64)) -> [Scalar] {
    [.int(id), order.shop.map { .int($0) } ?? .null, .int(order.amount)]
  }

  mutating func put(order id: Int64, shop: Int64?, amount: Int64) -> [(RowKind, [Scalar])] {
    let old = orders[id]
    orders[id] = (shop, amount)
    let new = ShopModel.row(id, (shop, amount))
    guard let old else { return [(.insert, new)] }
    return [(.updateBefore, ShopModel.row(id, old)), (.updateAfter, new)]
  }

  mutating func delete(order id: Int64) -> [(RowKind, [Scalar])] {
    guard let old = orders.removeValue(forKey: id) else { return [] }
    return [(.delete, ShopModel.row(id, old))]
  }

  mutating func put(shop: Int64, name: String) -> [(RowKind, [Scalar])] {
    let old = shops[shop]
    shops[shop] = name
    let new: [Scalar] = [.int(shop), .text(name)]
    guard let old else { return [(.insert, new)] }
    return [(.updateBefore, [.int(shop), .text(old)]), (.updateAfter, new)]
  }

  /// Random changes of both tables.
  mutating func change(
    _ random: inout SplitMix, count: Int
  ) -> (orders: [(RowKind, [Scalar])], shops: [(RowKind, [Scalar])]) {
    var all: (orders: [(RowKind, [Scalar])], shops: [(RowKind, [Scalar])]) = ([], [])
    for _ in 0..<count {
      switch random.next() % 10 {
      case 0: all.shops += put(shop: Int64(random.next() % 4), name: "s\(random.next() % 3)")
      case 1, 2: all.orders += delete(order: Int64(random.next() % 20))
      default:
        all.orders += put(
          order: Int64(random.next() % 20),
          shop: random.next() % 8 == 0 ? nil : Int64(random.next() % 5),
          amount: Int64(random.next() % 100))
      }
    }
    return all
  }

  var wide: [[Scalar]] {
    orders.map { id, order in
      ShopModel.row(id, order) + [order.shop.flatMap { shops[$0] }.map { .text($0) } ?? .null]
    }.sorted { "\($0)" < "\($1)" }
  }

  var totals: [[Scalar]] {
    var sums: [String: (Int64, Int64)] = [:]
    for order in orders.values {
      guard let shop = order.shop, let name = shops[shop] else { continue }
      let old = sums[name] ?? (0, 0)
      sums[name] = (old.0 + 1, old.1 + order.amount)
    }
    return sums.map { [.text($0.key), .int($0.value.0), .int($0.value.1)] }
      .sorted { "\($0)" < "\($1)" }
  }
}
