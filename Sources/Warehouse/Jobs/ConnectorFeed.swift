import Columns
import Connectors
import Dataflow
import Formats
import Store

/// A source outside.
///
/// A position is what the connector says, as of the start of a batch, and how many records of what follows
/// were taken; so an epoch may end in the middle of a batch.
final class ConnectorFeed: Feed {
  private let connector: any Source
  /// Columns of the connector's rows, in the plan's order; nil: its rows are always whole.
  private let columns: [Int?]
  private let positions: PositionTable?
  /// Where the batch in hand begins.
  private var base: SourceMark
  private var batch: FeedBatch?
  /// Records of it that were taken, now and before the last call of `next`.
  private var consumed = 0
  private var consumedBefore = 0
  /// Records behind `base` that were taken before the job came back, and how many of them are still to be
  /// passed over.
  private var skipped = 0
  private var toSkip = 0
  /// Where the connector stood behind the batch that `skipped` leads into.
  private var until: String?
  /// Records between `base` and the batch in hand, all of them passed over.
  private var offset = 0
  /// Records since the job's first epoch, and the number at which a replay ends.
  private var total: Int64 = 0
  private var goal: Int64?
  private var ownPart: (number: Int, count: Int)?
  override var part: (number: Int, count: Int)? { ownPart }
  /// Records were given since the last state commit that will not come again.
  private var gaveUnrepeatable = false
  /// Likewise rows of a first load: what follows may be about them, and waits until they are committed.
  private var gaveNew = false
  private let letters: LetterReplay

  /// - Parameter positions: makes the table for the connector's positions.
  init(
    _ name: String, _ source: Plan.Source, _ table: ConnectorTable, job: String,
    _ environment: JobEnvironment, positions: (RowType, Int) throws(TerraceError) -> PositionTable
  ) throws(TerraceError) {
    let inner = environment.warehouse.environment
    let pruned = ConnectorFeed.pruned(table, source, reader: name)
    letters = LetterReplay(job: job, source: name, pruned, environment)
    let opened = try environment.connectors.source(
      pruned, inner)
    // Without threads a run is repeatable to the last step.
    connector = opened.worksToDecode && inner.workers.count > 0 ? AheadSource(opened) : opened
    let type = connector.type
    var columns: [Int?] = []
    for c in source.columns {
      let wanted = source.tableType.fields[c].name
      let index = type.index(of: wanted)
      guard index != nil || wanted == ConnectorTable.unchangedColumn else {
        throw TerraceError(.invalid, "the source has no such column").with("column", wanted)
          .with("table", table.name)
      }
      columns.append(index)
    }
    self.columns = columns
    base = connector.mark
    if let shape = connector.positionTable {
      self.positions = try positions(shape.type, shape.keyCount)
    } else {
      self.positions = nil
    }
    super.init(name, source)
  }

  /// Only the columns that are read, and those that the connector itself goes by.
  private static func pruned(
    _ table: ConnectorTable, _ source: Plan.Source, reader: String
  ) -> ConnectorTable {
    var kept = Set(source.columns.map { source.tableType.fields[$0].name })
    kept.formUnion(table.primaryKey)
    kept.formUnion(table.partitionKeys)
    var pruned = table
    pruned.reader = reader
    pruned.type = RowType(table.type.fields.filter { kept.contains($0.name) })
    pruned.metadata = table.metadata.filter { kept.contains($0.column) }
    if pruned.type.fields.isEmpty {
      pruned.type = table.type
      pruned.metadata = table.metadata
    }
    return pruned
  }

  // MARK: Records

  private var isBetweenBatches: Bool { batch.map { consumed >= $0.recordCount } ?? true }

  override func next(rows: Int, bytes: Int) throws(TerraceError) -> FeedBatch? {
    while true {
      if let goal, total >= goal { return nil }
      if gaveNew, connector.canReplay, isBetweenBatches { return nil }
      if goal == nil, toSkip == 0, isBetweenBatches, connector.canReplay,
        let again = try letters.block()
      {
        gaveUnrepeatable = true
        return try reread(again)
      }
      if isBetweenBatches, try !poll(rows: rows, bytes: bytes) { return nil }
      guard let batch else { return nil }
      if toSkip > 0 {
        let gone = min(toSkip, batch.recordCount - consumed)
        toSkip -= gone
        consumed += gone
        continue
      }
      consumedBefore = consumed
      var part = batch.dropping(records: consumed)
      if let goal, Int64(part.recordCount) > goal - total {
        part = part.prefix(records: Int(goal - total))
      }
      if part.recordCount == 0 { continue }
      consumed += part.recordCount
      total += Int64(part.recordCount)
      taken += Int64(part.rowCount)
      return part
    }
  }

  private func poll(rows: Int, bytes: Int) throws(TerraceError) -> Bool {
    if toSkip == 0 {
      base = connector.mark
      skipped = 0
      offset = 0
    } else {
      offset += batch?.recordCount ?? 0
    }
    batch = nil
    consumed = 0
    let couldReplay = connector.canReplay
    guard let polled = try connector.poll(rows: rows, bytes: bytes) else {
      // It may be repeatable from now on, but not from where the state stands.
      if !couldReplay { gaveUnrepeatable = true }
      // It may have found its place without giving anything, and this may be the last time it is asked.
      if toSkip == 0 { base = connector.mark }
      return false
    }
    if !couldReplay || !connector.canReplay || polled.isNew { gaveUnrepeatable = true }
    batch = FeedBatch(
      delta: delta(polled.rows, polled.kinds), letters: polled.deadLetters, isNew: polled.isNew)
    gaveNew = gaveNew || polled.isNew
    ownPart = polled.part
    return true
  }

  private func delta(_ rows: Batch, _ kinds: Buffer?) -> DeltaBatch {
    let typed = Batch(type, retyped(rows), count: rows.count)
    guard let kinds else { return DeltaBatch(inserting: typed) }
    defer { withExtendedLifetime(kinds) {} }
    return DeltaBatch(typed, kinds: kinds.pointer(UInt8.self))
  }

  /// Letters that are rows today. They count for no position of the connector.
  private func reread(_ block: LetterReplay.Block) throws(TerraceError) -> FeedBatch {
    var kinds: [UInt8] = []
    for (rows, codes) in block.rows {
      for row in 0..<rows.count {
        kinds.append(codes.map { $0.pointer(UInt8.self)[row] } ?? RowKind.insert.rawValue)
      }
    }
    let none = Batch(type, type.fields.map { ColumnBuilder($0.type).finish() }, count: 0)
    let rows = block.rows.map { Batch(type, retyped($0.0), count: $0.0.count) }
    let all = kinds.withUnsafeBytes { Buffer(copying: $0) }
    var batch = FeedBatch(
      delta: rows.isEmpty
        ? DeltaBatch(inserting: none)
        : DeltaBatch(Batch.concat(rows), kinds: all.pointer(UInt8.self)))
    withExtendedLifetime(all) {}
    batch.reread = block.letters
    taken += Int64(batch.rowCount)
    return batch
  }

  private func retyped(_ rows: Batch) -> [Column] {
    zip(columns, type.fields).map { column, field in
      guard let column else { return ConnectorFeed.noBytes(field.type, rows.count) }
      let given = rows.columns[column]
      return given.type == field.type ? given : given.retyped(field.type)
    }
  }

  /// A column of BYTES that is null throughout.
  private static func noBytes(_ type: DataType, _ count: Int) -> Column {
    let offsets = Buffer(byteCount: (count + 1) * 4)
    offsets.pointer(Int32.self).update(repeating: 0, count: count + 1)
    return Column(
      type: type, count: count, values: Buffer(byteCount: 0), offsets: offsets,
      validity: count == 0 ? nil : Bitmap(count: count, filled: false))
  }

  override func giveBack(from row: Int) {
    guard let batch else { return }
    let given = batch.dropping(records: consumedBefore).prefix(records: consumed - consumedBefore)
    let kept = given.split(at: row).0
    total -= Int64(given.recordCount - kept.recordCount)
    taken -= Int64(given.rowCount - kept.rowCount)
    consumed = consumedBefore + kept.recordCount
  }

  // MARK: Positions

  override var position: JSONValue {
    let place = place
    return .members([
      ("position", .string(place.base.position)),
      ("skip", place.skip == 0 ? nil : .int(Int64(place.skip))),
      // Up to here the records must come in the same order again.
      (
        "until",
        place.skip == 0 ? nil : .string(toSkip > 0 ? until ?? base.position : connector.position)
      ),
      ("records", .int(total)),
      ("watermark", watermark == .min ? nil : .int(watermark)), ("letters", letters.position),
    ])
  }

  private var place: (base: SourceMark, skip: Int) {
    if toSkip > 0 || batch == nil { return (base, skipped) }
    return isBetweenBatches ? (connector.mark, 0) : (base, offset + consumed)
  }

  override func seek(_ position: JSONValue) throws(TerraceError) {
    if let rows = try positions?.rows() { try connector.restorePositions(rows) }
    let begin = try position.string("position")
    base = SourceMark(begin)
    try connector.seek(begin)
    skipped = Int(try position.optionalInt("skip") ?? 0)
    toSkip = skipped
    until = try position.optionalString("until")
    if let until { try connector.replay(to: until) }
    total = try position.int("records")
    watermark = try position.optionalInt("watermark") ?? .min
    try letters.seek(position["letters"])
  }

  override func replay(to position: JSONValue) throws(TerraceError) {
    goal = try position.int("records")
    let end = try position.string("position")
    try connector.replay(to: try position.optionalString("until") ?? end)
    try connector.replay(to: end)
  }

  override var canReplay: Bool { !gaveUnrepeatable && connector.canReplay }

  override func pin(_ position: JSONValue) throws(TerraceError) {
    try connector.confirm(try position.string("position"))
  }

  override var restart: String? { connector.restart }
  override var mayBeginAnew: Bool { connector.mayBeginAnew }

  override var isReplayed: Bool { goal.map { total >= $0 } ?? true }
  override func endReplay() { goal = nil }

  override func commitPositions(
    identifier: Int64
  ) throws(TerraceError) -> (table: String, id: Int64)? {
    gaveUnrepeatable = false
    gaveNew = false
    guard let positions else { return nil }
    // In the middle of a batch the connector is further than the job.
    if toSkip == 0, isBetweenBatches, let rows = try connector.takePositions() {
      try positions.write(rows, identifier: identifier)
      base = connector.mark
      skipped = 0
      batch = nil
      consumed = 0
    }
    return (positions.name, try positions.snapshotID)
  }

  // MARK: The end

  override func stopAtPresent() throws(TerraceError) {
    _ = try letters.isWanted()
    try connector.stopAtPresent()
  }
  override func endInput() { connector.endInput() }
  /// Not while the source waits for the job to follow it: more may stand behind.
  override var isDrained: Bool {
    isBetweenBatches && connector.isDrained && connector.drift == nil && connector.restart == nil
      && !letters.isPending
  }
  override var passedOver: Int64 { connector.skipped }
  override var backlog: (amount: Int64, unit: String)? { connector.backlog }
  override var trouble: SourceTrouble? { connector.trouble }
  override var drift: SchemaDrift? {
    isBetweenBatches && toSkip == 0 && goal == nil ? connector.drift : nil
  }
  override func hold(at millis: Int64?) { connector.hold(at: millis) }
  override func hasGiven(before millis: Int64) -> Bool? {
    connector.hasGiven(before: millis).map { $0 && isBetweenBatches }
  }
  override func announce(to wake: @escaping @Sendable () -> Void) { connector.announce(to: wake) }
  override var isQuiet: Bool { isBetweenBatches && connector.isQuiet && !letters.isPending }
  override func takeNotices() -> [String] { connector.takeNotices() }
  override func close() { connector.close() }
}
