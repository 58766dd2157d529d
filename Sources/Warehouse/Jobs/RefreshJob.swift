import Columns
import Dataflow
import Store

/// A materialized table with REFRESH_MODE = FULL at work: when its FRESHNESS has passed, the whole query
/// runs as a batch over the newest snapshots of its tables, and the result takes the place of what the
/// table held, in one snapshot.
///
/// It has no state. When it ran last, and by which query, is in the root of that snapshot.
final class RefreshJob: RunnableJob {
  private let spec: JobSpec
  private let target: TableName
  private let environment: JobEnvironment
  private let once: Bool
  private var stops = false
  private var isDone = false
  private var last: Refresh?
  private var notices: [String] = []
  private(set) var counters = JobCounters()

  /// When the table was made, and by which query.
  private struct Refresh {
    var millis: Int64
    var fingerprint: String
  }

  private static let time = Root.prefix + "refreshed"
  private static let query = Root.prefix + "fingerprint"

  /// - Parameter once: refreshes once, when all above has come to its end, due or not.
  init(
    _ spec: JobSpec, of target: TableName, in environment: JobEnvironment, once: Bool
  ) {
    self.spec = spec
    self.target = target
    self.environment = environment
    self.once = once
  }

  func recover() throws(TerraceError) {
    let table = try environment.warehouse.open(target, at: .latest).table
    for id in try table.snapshots.ids().reversed() {
      guard let snapshot = try table.snapshots.find(id), snapshot.isRoot else { continue }
      if let text = snapshot.properties?[RefreshJob.time], let millis = Int64(text) {
        last = Refresh(
          millis: millis, fingerprint: snapshot.properties?[RefreshJob.query] ?? "")
        counters.snapshot = id
        counters.lastCommitMillis = snapshot.timeMillis
      }
      return
    }
  }

  func runEpoch(_ limits: EpochLimits) throws(TerraceError) -> EpochOutcome {
    if isDone { return .drained }
    let now = environment.warehouse.environment.time.nowMillis()
    guard once ? stops : isDue(now) else { return .idle }
    let report: EpochReport
    do {
      report = try refresh(now)
    } catch {
      counters.lastError = Redaction.clean(error.description)
      // A snapshot that expired while it was read: there is a newer one.
      if error.kind != .notFound { throw error.with("job", spec.name) }
      throw TerraceError(.unavailable, error.message, hint: error.hint).with("job", spec.name)
    }
    counters.lastError = nil
    isDone = once
    return .committed(report)
  }

  private func isDue(_ now: Int64) -> Bool {
    guard let last, last.fingerprint == spec.fingerprint else { return true }
    return now - last.millis >= spec.freshnessMillis ?? 0
  }

  private func refresh(_ now: Int64) throws(TerraceError) -> EpochReport {
    let warehouse = environment.warehouse
    let table = try warehouse.open(target, at: .latest).table
    let writer = try table.writer(user: "terrace-\(spec.name)")
    var rows = 0
    var report = EpochReport()
    do throws(TerraceError) {
      report.rowsIn = try run(now) { (batch) throws(TerraceError) in
        rows += batch.count
        try writer.write(batch)
      }
      let outcome = try table.commit().overwrite(
        .table, try writer.prepareCommit(),
        properties: [
          RefreshJob.time: String(now), RefreshJob.query: spec.fingerprint,
        ])
      report.snapshot = outcome.snapshots.last?.id
    } catch {
      writer.abandon()
      throw error
    }
    writer.close()
    last = Refresh(millis: now, fingerprint: spec.fingerprint)
    if let failure = table.maintain() {
      notices.append("\(target): old snapshots could not be removed: \(failure)")
    }
    report.rowsOut = rows
    report.millis = warehouse.environment.time.nowMillis() - now
    count(report)
    return report
  }

  private func count(_ report: EpochReport) {
    counters.epoch += 1
    counters.commits += 1
    counters.snapshot = report.snapshot
    counters.rowsIn += Int64(report.rowsIn)
    counters.rowsOut += Int64(report.rowsOut)
    counters.lastRowsIn = report.rowsIn
    counters.lastRowsOut = report.rowsOut
    counters.lastMillis = report.millis
    counters.lastCommitMillis = environment.warehouse.environment.time.nowMillis()
  }

  /// Runs the query over what its tables hold now.
  ///
  /// - Returns: how many rows were read.
  private func run(
    _ now: Int64, _ take: (Batch) throws(TerraceError) -> Void
  ) throws(TerraceError) -> Int {
    var versions: [String: TableVersion] = [:]
    for (reference, source) in spec.sources {
      guard case .table(let name, _) = source else { continue }
      versions[reference] = try environment.warehouse.open(name, at: .latest)
    }
    let opened = versions
    let query = try BatchQuery(
      spec.plan, context: EvaluationContext(now: now, zone: spec.zone(environment)),
      size: { Int(clamping: opened[$0.reference]?.snapshot?.totalRecordCount ?? 0) })
    var rows = 0
    for (index, source) in query.sources.enumerated() {
      if query.isComplete { break }
      guard let version = opened[source.reference] else {
        throw TerraceError(.notFound, "the table \(source.reference)")
      }
      let scan = version.table.scan(
        columns: source.columns,
        predicate: source.predicate.remapped { source.columns[$0] } ?? .always)
      let read = try scan.read(try scan.plan(version.snapshot))
      defer { read.close() }
      while !query.isComplete, let batch = try read.next() {
        rows += batch.count
        try query.push(DeltaBatch(inserting: batch), to: index)
        for batch in try query.take() { try take(batch) }
        try check(query)
      }
      try query.end(source: index)
      for batch in try query.take() { try take(batch) }
    }
    for batch in try query.finishBatches() { try take(batch) }
    return rows
  }

  private func check(_ query: BatchQuery) throws(TerraceError) {
    guard let limit = environment.budget?.limitBytes, query.heldByteCount > limit else { return }
    throw TerraceError(
      .invalid,
      "the query holds \(DisplayText.bytes(query.heldByteCount)), more than memory.limit leaves it",
      hint: "REFRESH_MODE = CONTINUOUS spills what it holds; or raise memory.limit")
  }

  func stopAtPresent() throws(TerraceError) { stops = true }

  func endInput() {}

  func takeNotices() -> [String] {
    defer { notices = [] }
    return notices
  }

  func close() {}
}
