import Columns
import Dataflow
import Foundation
import Store
import XCTest

@testable import Warehouse

/// Design rule: where a source's primary key is the join key, the source table plays the state of that side.
/// What comes out must be what a recompute gives, whatever is cut, committed, killed and started again.
final class SourcePlayTests: XCTestCase {
  private static let big = DataType.bigint.notNull
  private static let orders = RowType([("id", big), ("shop", .bigint), ("amount", .bigint)])
  private static let pays = RowType([("id", big), ("paid", .bigint)])
  private static let shops = RowType([("shop", big), ("name", .string), ("size", .bigint)])

  private static func source(_ name: String, _ type: RowType) -> Plan {
    JobFixture.source("ods.\(name)", type, key: [0])
  }

  private static func join(
    _ kind: Plan.Join.Kind, _ left: Plan, _ right: Plan, _ keys: [(Int, Int)],
    residual: Expression? = nil
  ) -> Plan {
    .join(
      Plan.Join(
        kind, left: left, right: right, leftKeys: keys.map(\.0), rightKeys: keys.map(\.1),
        residual: residual))
  }

  private static func select(_ plan: Plan, _ columns: [Int], _ condition: Expression? = nil) -> Plan
  {
    let fields = plan.type.fields
    return .map(
      Plan.Map(
        input: plan, condition: condition,
        expressions: columns.map { .column($0, fields[$0].type) },
        names: columns.enumerated().map { "c\($0.offset)" }))
  }

  private static func above(_ column: Int, _ value: Int64) -> Expression {
    .compare(.greater, .column(column, .bigint), .literal(.int(value), .bigint))
  }

  private struct Case {
    var name: String
    var plan: Plan
    var key: [Int]
    var plays: Set<String>
  }

  private static func sums(_ plan: Plan, by key: Int, of value: Int) -> Plan {
    .aggregate(
      Plan.Aggregate(
        input: plan, keys: [key],
        calls: [
          AggregateCall(.count, type: big), AggregateCall(.sum, argument: value, type: .bigint),
        ]))
  }

  private static var cases: [Case] {
    let (o, p, s) = (source("orders", orders), source("pays", pays), source("shops", shops))
    // Name and key only, of large shops.
    let named = select(s, [1, 0], above(2, 0))
    let both = join(.inner, o, p, [(0, 0)])
    let deep = join(.left, both, s, [(1, 0)])
    let known = select(deep, [6, 4], .isNotNull(.column(6, .string)))
    return [
      Case(
        name: "left", plan: select(join(.left, o, s, [(1, 0)]), [0, 2, 4]), key: [0],
        plays: ["ods.shops"]),
      Case(
        name: "inner over a filter",
        plan: select(join(.inner, o, named, [(1, 1)], residual: above(2, 20)), [0, 2, 3]),
        key: [0], plays: ["ods.shops"]),
      Case(
        name: "both", plan: select(both, [0, 2, 4]), key: [0], plays: ["ods.orders", "ods.pays"]),
      Case(name: "semi", plan: join(.semi, o, s, [(1, 0)]), key: [0], plays: ["ods.shops"]),
      Case(
        name: "anti", plan: join(.anti, o, s, [(1, 0)], residual: above(2, 20)), key: [0],
        plays: ["ods.shops"]),
      Case(
        name: "an aggregate beside it",
        plan: select(join(.inner, sums(o, by: 1, of: 2), s, [(0, 0)]), [3, 1, 2, 4]),
        key: [0], plays: ["ods.shops"]),
      Case(
        name: "deep", plan: sums(known, by: 0, of: 1), key: [0],
        plays: ["ods.orders", "ods.pays", "ods.shops"]),
      Case(
        name: "part of the key", plan: select(join(.inner, o, s, [(1, 0), (2, 2)]), [0, 3, 4]),
        key: [0],
        plays: ["ods.shops"]),
      Case(
        name: "left with a condition",
        plan: select(join(.left, o, s, [(1, 0)], residual: above(2, 2)), [0, 2, 4]),
        key: [0], plays: ["ods.shops"]),
      Case(
        name: "right", plan: select(join(.right, s, o, [(0, 1)]), [3, 5, 1]), key: [0],
        plays: ["ods.shops"]),
      Case(name: "full", plan: select(join(.full, o, p, [(0, 0)]), [0, 3, 4]), key: [], plays: []),
    ]
  }

  // MARK: The world

  /// Three tables that change at random, and what they hold.
  private struct World {
    var tables: [String: [Int64: [Scalar]]] = ["orders": [:], "pays": [:], "shops": [:]]

    mutating func change(
      _ name: String, _ count: Int, _ random: inout SplitMix
    ) -> [(RowKind, [Scalar])] {
      var changes: [(RowKind, [Scalar])] = []
      for _ in 0..<count {
        let key = Int64(random.next() % (name == "shops" ? 6 : 40))
        let old = tables[name]?[key]
        if let old { changes.append((.updateBefore, old)) }
        if random.next() % 4 == 0 {
          guard old != nil else { continue }
          changes[changes.count - 1].0 = .delete
          tables[name]?[key] = nil
          continue
        }
        let new = World.row(name, key, &random)
        changes.append((old == nil ? .insert : .updateAfter, new))
        tables[name]?[key] = new
      }
      return changes
    }

    private static func row(_ name: String, _ key: Int64, _ random: inout SplitMix) -> [Scalar] {
      switch name {
      case "orders":
        [
          .int(key), random.next() % 8 == 0 ? .null : .int(Int64(random.next() % 8)),
          .int(Int64(random.next() % (random.next() % 2 == 0 ? 4 : 60))),
        ]
      case "pays": [.int(key), .int(Int64(random.next() % 100))]
      default:
        [
          .int(key), random.next() % 9 == 0 ? .null : .text("s\(random.next() % 3)"),
          .int(Int64(random.next() % 4)),
        ]
      }
    }

    /// The plan over what the tables hold.
    func expected(_ plan: Plan) throws -> [[Scalar]] {
      let pipeline = try Pipeline(plan)
      for (i, source) in pipeline.sources.enumerated() {
        let rows = tables[String(source.reference.dropFirst(4))].map { Array($0.values) } ?? []
        try pipeline.push(DeltaBatch(inserting: JobFixture.batch(source.tableType, rows)), to: i)
      }
      var found: [[Scalar]] = []
      for delta in try pipeline.endEpoch() {
        for row in 0..<delta.count { found.append(delta.rows.columns.map { $0.scalar(row) }) }
      }
      return found.sorted { "\($0)" < "\($1)" }
    }
  }

  private func fixture(
    handOn: Bool, _ test: Case, producer: String = "input"
  ) throws -> JobFixture {
    let time = ManualTime()
    let fixture = JobFixture(MemoryFileIO(time: time), time, changes: handOn ? ChangeCache() : nil)
    // Several buckets make several batches of a snapshot.
    let options = ["bucket": "3", "changelog-producer": producer]
    try fixture.create("ods.orders", Self.orders, key: ["id"], options: options)
    try fixture.create("ods.pays", Self.pays, key: ["id"], options: options)
    try fixture.create("ods.shops", Self.shops, key: ["shop"], options: options)
    let fields = test.plan.type.fields
    let type = RowType(
      fields.enumerated().map { i, field in
        (field.name, test.key.contains(i) ? field.type.notNull : field.type)
      })
    try fixture.create("dwd.out", type, key: test.key.map { fields[$0].name })
    fixture.playing = ["ods.orders", "ods.pays", "ods.shops"]
    return fixture
  }

  private func job(_ fixture: JobFixture, _ test: Case, _ settings: [String: String] = [:]) throws
    -> Job
  {
    let fields = test.plan.type.fields
    let cast = Plan.map(
      Plan.Map(
        input: test.plan,
        expressions: fields.enumerated().map { i, field in
          test.key.contains(i)
            ? .cast(.column(i, field.type), field.type.notNull, orNull: false)
            : .column(i, field.type)
        }, names: fields.map(\.name)))
    var spec = try fixture.spec("dwd.out", cast)
    spec.settings = settings
    return try Job(spec, in: fixture.environment)
  }

  private func plays(_ job: Job) -> Set<String> {
    Set(job.counters.sources.filter(\.value.plays).keys)
  }

  // MARK: Tests

  func test_sourceTablePlaysState_whereItsPrimaryKeyIsTheJoinKey() throws {
    let isFixed = ProcessInfo.processInfo.environment["CI"] != nil
    var seed: UInt64 = isFixed ? 17 : .random(in: 0..<1_000_000)
    if let text = ProcessInfo.processInfo.environment["SEED"], let given = UInt64(text) {
      seed = given
    }
    print("seed \(seed)")
    let isSweep = ProcessInfo.processInfo.environment["TERRACE_SWEEP"] != nil
    for (number, test) in Self.cases.enumerated() where !test.key.isEmpty {
      for round in 0..<4 where isSweep || UInt64(number + round) % 4 == seed % 4 {
        var random = SplitMix(seed: seed &+ UInt64(number * 10 + round))
        try history(test, &random, "\(test.name), seed \(seed), round \(round)", round)
      }
    }
  }

  /// Random changes in snapshots of many sizes, random slices, restarts and deaths.
  private func history(
    _ test: Case, _ random: inout SplitMix, _ what: String, _ round: Int
  ) throws {
    let fixture = try fixture(
      handOn: round % 2 == 0, test, producer: round == 3 ? "none" : "input")
    if round >= 2 { fixture.budget = MemoryBudget(limitBytes: 1 << 16) }
    if round == 1 { fixture.stateBytes = 1 }
    var world = World()
    func write() throws {
      for name in ["orders", "shops", "pays"] where random.next() % 3 != 0 {
        let size = random.next() % 5 == 0 ? 150 : Int(random.next() % 12)
        var changes = world.change(name, size, &random)
        if round == 3 { changes = changes.filter { $0.0 != .updateBefore } }
        try fixture.commit("ods.\(name)", changes)
      }
    }
    for _ in 0..<3 { try write() }
    fixture.jobs = [try job(fixture, test)]
    for turn in 0..<14 {
      try write()
      let limits = EpochLimits(rows: random.next() % 2 == 0 ? 1 : 100)
      for _ in 0..<random.next() % 4 { _ = try fixture.jobs[0].runEpoch(limits) }
      switch random.next() % 5 {
      case 0:
        // It dies: what was not committed is lost.
        fixture.jobs = [try job(fixture, test)]
      case 1:
        fixture.jobs[0].close()
        fixture.jobs = [try job(fixture, test)]
      case 2:
        try fixture.settle(limits)
        XCTAssertEqual(
          try fixture.rows("dwd.out"), try world.expected(test.plan), "\(what), turn \(turn)")
      default: break
      }
      fixture.time.advance(millis: random.next() % 3 == 0 ? 11_000 : 900)
    }
    try fixture.settle()
    XCTAssertEqual(try fixture.rows("dwd.out"), try world.expected(test.plan), what)
    XCTAssertEqual(plays(fixture.jobs[0]), test.plays, what)
    fixture.jobs.forEach { $0.close() }
  }

  func test_playedSide_hasNoStateTable() throws {
    for test in Self.cases where ["left", "both"].contains(test.name) {
      let fixture = try fixture(handOn: true, test)
      var world = World()
      var random = SplitMix(seed: 3)
      fixture.jobs = [try job(fixture, test)]
      for name in ["orders", "shops", "pays"] {
        try fixture.commit("ods.\(name)", world.change(name, 30, &random))
      }
      try fixture.settle()
      fixture.jobs.forEach { $0.close() }
      let folder = "/wh/\(HiddenTables.database).db"
      let tables =
        try fixture.disk.exists(folder) ? fixture.disk.list(folder).sorted() : []
      XCTAssertEqual(
        tables.filter { $0.contains("-left") || $0.contains("-right") }.count,
        test.name == "left" ? 1 : 0, "\(tables)")
    }
  }

  func test_whatIsThereAtFirst_isLookedUpAndNotTaken() throws {
    guard let test = Self.cases.first else { return }
    let fixture = try fixture(handOn: false, test)
    var world = World()
    var random = SplitMix(seed: 4)
    for name in ["orders", "shops"] {
      try fixture.commit("ods.\(name)", world.change(name, 30, &random))
    }
    fixture.jobs = [try job(fixture, test)]
    try fixture.settle()
    XCTAssertEqual(fixture.jobs[0].counters.sources["ods.shops"]?.rows, 0)
    XCTAssertEqual(try fixture.rows("dwd.out"), try world.expected(test.plan))
  }

  /// A job with state of an older binary, which played nothing, keeps it.
  func test_stateThatIsKept_staysKept() throws {
    guard let test = Self.cases.first else { return }
    let fixture = try fixture(handOn: true, test)
    var world = World()
    var random = SplitMix(seed: 5)
    for strategies in [["NONE", "AUTO", "NONE"], ["AUTO", "NONE", "AUTO"]] {
      for (turn, strategy) in strategies.enumerated() {
        for name in ["orders", "shops"] {
          try fixture.commit("ods.\(name)", world.change(name, 30, &random))
        }
        let job = try job(fixture, test, [SourcePlay.option: strategy])
        fixture.jobs = [job]
        // The second history begins over.
        if turn == 0 { try job.startOver() }
        try fixture.settle()
        XCTAssertEqual(
          plays(job), strategies == ["AUTO", "NONE", "AUTO"] && turn == 0 ? ["ods.shops"] : [])
        XCTAssertEqual(try fixture.rows("dwd.out"), try world.expected(test.plan))
        job.close()
      }
    }
  }

  func test_overwrittenTable_isPlayed() throws {
    for test in Self.cases where ["left", "both", "semi"].contains(test.name) {
      let fixture = try fixture(handOn: false, test)
      var world = World()
      var random = SplitMix(seed: 6)
      fixture.jobs = [try job(fixture, test)]
      for turn in 0..<3 {
        for name in ["orders", "shops", "pays"] {
          try fixture.commit("ods.\(name)", world.change(name, 30, &random))
        }
        try fixture.settle(EpochLimits(rows: 1))
        let gone = turn == 0 ? "shops" : "orders"
        _ = try fixture.open("ods.\(gone)").commit().overwrite(.table, [])
        world.tables[gone] = [:]
        try fixture.settle(EpochLimits(rows: 1))
        XCTAssertEqual(try fixture.rows("dwd.out"), try world.expected(test.plan), test.name)
      }
      fixture.jobs.forEach { $0.close() }
    }
  }

  func test_strategy_saysWhatPlays() throws {
    let full = Self.cases.first { $0.name == "full" }
    guard let left = Self.cases.first, let full else { return }
    let fixture = try fixture(handOn: true, left)
    fixture.playing = []
    for (strategy, expected) in [("AUTO", []), ("FORCE", ["ods.shops"]), ("NONE", [])] {
      let job = try job(fixture, left, [SourcePlay.option: strategy])
      try job.startOver()
      try job.recover()
      _ = try job.runEpoch()
      XCTAssertEqual(plays(job), Set(expected), strategy)
      job.close()
    }
    XCTAssertThrowsError(try job(fixture, full, [SourcePlay.option: "FORCE"]).recover()) {
      XCTAssertEqual(($0 as? TerraceError)?.kind, .unsupported)
    }
  }

  func test_tablesThatAreNotExact_keepTheirState() throws {
    guard let test = Self.cases.first else { return }
    for options in [
      ["changelog-producer": "lookup"],
      ["sequence.field": "size"], ["ignore-delete": "true"],
    ] {
      let time = ManualTime()
      let fixture = JobFixture(MemoryFileIO(time: time), time)
      try fixture.create("ods.orders", Self.orders, key: ["id"])
      try fixture.create("ods.shops", Self.shops, key: ["shop"], options: options)
      try fixture.create("dwd.out", test.plan.type, key: ["c0"])
      fixture.playing = ["ods.shops"]
      let job = try job(fixture, test)
      _ = try job.runEpoch()
      XCTAssertEqual(plays(job), [], "\(options)")
      job.close()
    }
  }

  func test_hintsAndSelfJoins_keepTheirState() throws {
    let o = Self.source("orders", Self.orders)
    let itself = Self.join(.inner, o, o, [(0, 0)])
    XCTAssertEqual(itself.playableSides, [])
    guard case .source(let source) = Self.source("shops", Self.shops) else { return }
    var lines = source
    lines.isAppendOnly = true
    lines.primaryKey = []
    XCTAssertEqual(Self.join(.inner, o, .source(lines), [(1, 0)]).playableSides, [])
    // The time of day decides which rows there are.
    let now = Self.select(
      .source(source), [0, 1],
      .compare(.greater, .call("RAND", [], .double), .literal(.double(0.5), .double)))
    XCTAssertEqual(Self.join(.inner, o, now, [(1, 0)]).playableSides, [])
    guard let test = Self.cases.first else { return }
    let fixture = try fixture(handOn: true, test)
    var spec = try fixture.spec("dwd.out", test.plan)
    spec.sources["ods.shops"] = .table(
      try TableName("ods.shops"), options: ["scan.mode": "latest"])
    let (plays, mayPlay) = try SourcePlay.references(test.plan, spec, fixture.environment)
    XCTAssertEqual([plays, mayPlay], [[], []])
  }
}
