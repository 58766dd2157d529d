import Columns
import Formats
import Store

/// The auctions of the public NEXMark model: of 50 events one is a person, three are auctions, 46 are bids.
/// Every event follows from the seed and its number.
///
/// One table as Flink's generator has it: `event_type` (0 person, 1 auction, 2 bid) and a ROW for each of them,
/// null in events of the others.
final class NexmarkSource: Source {
  let type: RowType
  let style = ChangeStyle.inserts
  private let events: NexmarkEvents
  private var pace: GeneratorPace
  /// Events of one poll.
  static let mostRows = 100_000

  init(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError) {
    var options = ConnectorOptions(table)
    let rate = try options.integer("first-event.rate") ?? 10_000
    let next = try options.integer("next-event.rate") ?? rate
    guard rate > 0 else { throw options.wrong("first-event.rate", "a number from 1 on") }
    guard next == rate else {
      throw TerraceError(.unsupported, "'next-event.rate' other than 'first-event.rate'")
        .with("table", table.name)
    }
    let count = try options.integer("events.num") ?? 0
    if count < 0 { throw options.wrong("events.num", "a number from 0 on; 0 has no end") }
    var events = NexmarkEvents()
    events.rate = rate
    events.seed = UInt64(bitPattern: try options.integer("seed") ?? 0)
    events.base = try options.integer("base-time") ?? events.base
    for (place, kind) in ["person", "auction", "bid"].enumerated() {
      events.shares[place] =
        try options.integer("\(kind).proportion") ?? events.shares[place]
      events.sizes[place] = try options.integer("\(kind).avg-size") ?? events.sizes[place]
    }
    let shares = events.shares
    guard shares.allSatisfy({ (0...1_000_000).contains($0) }), shares[0] > 0, shares[1] > 0 else {
      throw TerraceError(
        .invalid, "proportions are numbers from 0 on, those of persons and auctions from 1 on"
      ).with("table", table.name)
    }
    guard events.sizes.allSatisfy({ (0...1_000_000).contains($0) }) else {
      throw TerraceError(.invalid, "average sizes are bytes, a million at most")
        .with("table", table.name)
    }
    events.hotSellers = try Self.ratio(&options, "auction.hot-ratio.sellers") ?? 4
    events.hotAuctions = try Self.ratio(&options, "bid.hot-ratio.auctions") ?? 2
    events.hotBidders = try Self.ratio(&options, "bid.hot-ratio.bidders") ?? 4
    let isPaced = !(try options.flag("max-emit-speed"))
    // The shape of a rate that does not change says nothing, and sources have no end in the daemon anyhow.
    _ = try options.choice("rate.shape", ["SQUARE", "SINE"])
    _ = try options.flag("rate.limited")
    _ = try options.flag("keep-alive")
    try options.parallelism("scan.parallelism")
    options.allow(["rate.period"])
    try options.finish()
    let wanted = NexmarkEvents.columns
    for field in table.declared.fields {
      guard let known = wanted.fields.first(where: { $0.name == field.name }),
        known.type.kind.isLike(field.type.kind)
      else {
        throw TerraceError(
          .invalid, "the table of a nexmark generator has another column",
          hint: "its columns: "
            + wanted.fields.map { "\($0.name) \($0.type.text)" }.joined(separator: ", ")
        ).with("table", table.name).with("column", field.name)
      }
    }
    type = table.type
    self.events = events
    pace = GeneratorPace(
      rate: rate, total: count == 0 ? nil : count, isPaced: isPaced, environment.time)
  }

  private static func ratio(
    _ options: inout ConnectorOptions, _ name: String
  ) throws(TerraceError) -> Int64? {
    guard let ratio = try options.integer(name) else { return nil }
    guard ratio > 0 else { throw options.wrong(name, "a number from 1 on") }
    return ratio
  }

  func poll(rows: Int, bytes: Int) throws(TerraceError) -> SourceBatch? {
    guard let numbers = pace.take(min(rows, Self.mostRows)) else { return nil }
    let builders = NexmarkEvents.columns.fields.map {
      ColumnBuilder($0.type, capacity: numbers.count)
    }
    for number in numbers { events.append(number, to: builders) }
    let columns = builders.map { $0.finish() }
    let given = type.fields.map { field in
      let place = NexmarkEvents.columns.index(of: field.name) ?? 0
      return columns[place].retyped(field.type)
    }
    return SourceBatch(rows: Batch(type, given, count: numbers.count))
  }

  func stopAtPresent() throws(TerraceError) { try pace.stop(endOption: "events.num") }
  var isDrained: Bool { pace.isDone }
  var position: String { "{\"event\":\(pace.next)}" }

  func seek(_ position: String) throws(TerraceError) {
    pace.seek(try JSONValue.parse(position).int("event"))
  }

  var backlog: (amount: Int64, unit: String)? { pace.left.map { ($0, "events") } }
}

extension DataType.Kind {
  /// The same but for what may be null inside.
  fileprivate func isLike(_ other: DataType.Kind) -> Bool {
    guard case .row(let mine) = self, case .row(let theirs) = other else { return self == other }
    return mine.count == theirs.count
      && zip(mine, theirs).allSatisfy { $0.name == $1.name && $0.type.kind.isLike($1.type.kind) }
  }
}
