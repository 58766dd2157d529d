import Columns
import Connectors
import Dataflow
import Store
import XCTest

@testable import Warehouse

/// Gives the first records of a stream as a first load, which does not come again, and the rest as changes.
private final class LoadSource: Source {
  let type: RowType
  let style = ChangeStyle.upserts
  private let stream: Stream
  private let load: Int
  private let step: Int
  private var next = 0
  private var end: Int?
  private(set) var restart: String?

  init(_ stream: Stream, _ type: RowType, load: Int, step: Int) {
    self.stream = stream
    self.type = type
    self.load = load
    self.step = step
  }

  var canReplay: Bool { next == 0 || next >= load }

  func poll(rows: Int, bytes: Int) -> SourceBatch? {
    if restart != nil { return nil }
    let isNew = next < load
    let records = stream.all
    let last = min(isNew ? load : end ?? records.count, next + min(rows, step))
    if next >= last { return nil }
    let marks = Buffer(byteCount: last - next)
    var rows: [[Scalar]] = []
    for case .row(let kind, let values) in records[next..<last] {
      marks.pointer(UInt8.self)[rows.count] = kind.rawValue
      rows.append(values)
    }
    next = last
    var batch = SourceBatch(rows: JobFixture.batch(type, rows), kinds: isNew ? nil : marks)
    batch.isNew = isNew
    return batch
  }

  func stopAtPresent() { end = stream.all.count }
  var isDrained: Bool { end.map { next >= $0 } ?? false }
  var position: String { next == 0 ? "new" : next < load ? "load" : String(next) }
  func seek(_ position: String) {
    if position == "load" { restart = "the load was interrupted" }
    next = Int(position) ?? 0
  }
}

final class FirstLoadTests: XCTestCase {
  /// A load of keys that come once, then changes of these and other keys; the job falls now and then.
  func test_load_leavesTheRowsAndTheChangesThatTheModelHas() throws {
    var random = SplitMix(seed: 29)
    for round in 0..<12 {
      var model = ShopModel()
      let stream = Stream()
      let load = [0, 1, 7, 30][round % 4]
      for id in 0..<Int64(load) {
        let order: (Int64?, Int64) = (Int64(random.next() % 5), Int64(random.next() % 100))
        model.orders[id * 3] = order
        stream.append([.row(.insert, ShopModel.row(id * 3, order))])
      }
      for _ in 0..<60 {
        let id = Int64(random.next() % 100)
        if random.next() % 3 == 0 {
          model.orders[id] = nil
          stream.append([.row(.delete, [.int(id), .null, .null])])
        } else {
          let order: (Int64?, Int64) = (Int64(random.next() % 5), Int64(random.next() % 100))
          model.orders[id] = order
          stream.append([.row(.updateAfter, ShopModel.row(id, order))])
        }
      }
      let fixture = JobFixture(MemoryFileIO(), ManualTime())
      try fixture.createChain()
      try fixture.commit("ods.shops", (0..<4).flatMap { model.put(shop: $0, name: "s\($0 % 2)") })
      for _ in 0..<round / 2 {
        let job = try orders(fixture, stream, load, step: Int(random.next() % 9) + 1)
        for _ in 0..<random.next() % 5 {
          _ = try job.runEpoch(EpochLimits(rows: Int(random.next() % 12) + 1))
        }
        if random.next() % 2 == 0 { job.close() }
      }
      try fixture.startChain()
      fixture.jobs.insert(try orders(fixture, stream, load, step: 5), at: 0)
      try fixture.settle(EpochLimits(rows: 9))
      let wanted = model.orders.map { ShopModel.row($0.key, $0.value) }
      XCTAssertEqual(
        try fixture.rows("ods.orders"), wanted.sorted { "\($0)" < "\($1)" }, "round \(round)")
      // They follow from the changelog.
      XCTAssertEqual(try fixture.rows("dwd.wide"), model.wide, "round \(round)")
      XCTAssertEqual(try fixture.rows("dws.totals"), model.totals, "round \(round)")
    }
  }

  private func orders(
    _ fixture: JobFixture, _ stream: Stream, _ load: Int, step: Int
  ) throws -> Job {
    let table = ConnectorTable(
      name: "changes", type: JobFixture.orders, primaryKey: ["id"],
      options: ["connector": "load"], folder: "/")
    var environment = fixture.environment
    environment.connectors.source = { (table, _) throws(TerraceError) in
      LoadSource(stream, table.type, load: load, step: step)
    }
    environment.connectors.style = { (_) throws(TerraceError) in .upserts }
    let plan = Plan.source(
      Plan.Source(
        reference: "changes", tableType: JobFixture.orders, primaryKey: [0], isAppendOnly: false))
    return try Job(
      JobSpec(
        name: "ods.orders", target: .table(try TableName("ods.orders")), plan: plan,
        sources: ["changes": .connector(table)], fingerprint: "1"), in: environment)
  }
}
