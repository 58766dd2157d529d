import Columns

/// Makes NEXMark's events. Persons and auctions have numbers from 1000 on; most bids are on a hot auction
/// and by a hot bidder, as in the model.
struct NexmarkEvents {
  let seed: UInt64
  let base: Int64
  let rate: Int64
  /// Persons, auctions and bids among so many events in turn.
  let shares: [Int64]

  static let columns = RowType([
    ("event_type", .int),
    (
      "person",
      .row(
        RowType([
          ("id", .bigint), ("name", .string), ("emailAddress", .string), ("creditCard", .string),
          ("city", .string), ("state", .string), ("dateTime", .timestamp(3)), ("extra", .string),
        ]).fields)
    ),
    (
      "auction",
      .row(
        RowType([
          ("id", .bigint), ("itemName", .string), ("description", .string),
          ("initialBid", .bigint), ("reserve", .bigint), ("dateTime", .timestamp(3)),
          ("expires", .timestamp(3)), ("seller", .bigint), ("category", .bigint),
          ("extra", .string),
        ]).fields)
    ),
    (
      "bid",
      .row(
        RowType([
          ("auction", .bigint), ("bidder", .bigint), ("price", .bigint), ("channel", .string),
          ("url", .string), ("dateTime", .timestamp(3)), ("extra", .string),
        ]).fields)
    ),
  ])

  private static let first: Int64 = 1000
  private static let names = [
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter",
  ]
  private static let families = [
    "Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris",
  ]
  private static let cities = [
    ("Phoenix", "AZ"), ("Los Angeles", "CA"), ("San Francisco", "CA"), ("Boise", "ID"),
    ("Portland", "OR"), ("Bend", "OR"), ("Redmond", "WA"), ("Seattle", "WA"), ("Kent", "WA"),
    ("Cheyenne", "WY"),
  ]
  private static let channels = ["Google", "Facebook", "Baidu", "Apple"]

  /// Numbers that follow from the seed and the event's number.
  private struct Dice {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var x = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
      x = (x ^ x >> 27) &* 0x94d0_49bb_1331_11eb
      return x ^ x >> 31
    }

    mutating func below(_ count: Int64) -> Int64 { Int64(next() % UInt64(max(count, 1))) }
    mutating func of<T>(_ items: [T]) -> T { items[Int(below(Int64(items.count)))] }

    /// Six decades, evenly by their logarithm.
    mutating func price() -> Int64 {
      var scale: Int64 = 1
      for _ in 0..<below(6) { scale *= 10 }
      return scale * 100 + below(scale * 900)
    }

    mutating func text(_ least: Int64, _ most: Int64) -> String {
      var text = ""
      for _ in 0..<least + below(most - least + 1) {
        text.unicodeScalars.append(UnicodeScalar(UInt8(97 + below(26))))
      }
      return text
    }
  }

  /// The last person or auction made before the event.
  private func last(_ kind: Int, before number: Int64) -> Int64 {
    let cycle = shares.reduce(0, +)
    let (epoch, offset) = (number / cycle, number % cycle)
    let skipped = kind == 0 ? 0 : shares[0]
    return epoch * shares[kind] + min(max(offset - skipped, 0), shares[kind])
  }

  func append(_ number: Int64, to builders: [ColumnBuilder]) {
    var dice = Dice(state: seed &+ UInt64(bitPattern: number) &* 0xd6e8_feb8_6659_fd93)
    let cycle = shares.reduce(0, +)
    let offset = number % cycle
    let millis = base &+ number / rate &* 1000 &+ number % rate &* 1000 / rate
    let kind = offset < shares[0] ? 0 : offset < shares[0] + shares[1] ? 1 : 2
    builders[0].append(Int32(kind))
    for other in 0..<3 where other != kind { builders[other + 1].appendNull() }
    let row = builders[kind + 1]
    switch kind {
    case 0: person(number, millis, &dice, row.children)
    case 1: auction(number, millis, &dice, row.children)
    default: bid(number, millis, &dice, row.children)
    }
    row.endRow()
  }

  private func person(
    _ number: Int64, _ millis: Int64, _ dice: inout Dice, _ columns: [ColumnBuilder]
  ) {
    let (city, state) = dice.of(Self.cities)
    columns[0].append(Self.first + last(0, before: number))
    columns[1].append(dice.of(Self.names) + " " + dice.of(Self.families))
    columns[2].append(dice.text(3, 7) + "@" + dice.text(3, 5) + ".com")
    let card = (0..<4).map { _ in String(String(10_000 + dice.below(10_000)).dropFirst()) }
    columns[3].append(card.joined(separator: " "))
    columns[4].append(city)
    columns[5].append(state)
    columns[6].append(millis)
    columns[7].append(dice.text(20, 60))
  }

  private func auction(
    _ number: Int64, _ millis: Int64, _ dice: inout Dice, _ columns: [ColumnBuilder]
  ) {
    let start = dice.price()
    let people = last(0, before: number)
    columns[0].append(Self.first + last(1, before: number))
    columns[1].append(dice.text(10, 20))
    columns[2].append(dice.text(30, 100))
    columns[3].append(start)
    columns[4].append(start + dice.price())
    columns[5].append(millis)
    columns[6].append(millis + 1 + dice.below(2 * max(1000, 100 * cycleMillis)))
    // Three of four are a hot seller's, the others any of the last thousand persons'.
    let hot = dice.below(4) > 0 ? people / 100 * 100 : people - dice.below(min(people, 1000) + 1)
    columns[7].append(Self.first + max(hot, 0))
    columns[8].append(10 + dice.below(5))
    columns[9].append(dice.text(20, 60))
  }

  private var cycleMillis: Int64 { max(shares.reduce(0, +) * 1000 / rate, 1) }

  private func bid(
    _ number: Int64, _ millis: Int64, _ dice: inout Dice, _ columns: [ColumnBuilder]
  ) {
    let (people, auctions) = (last(0, before: number), last(1, before: number))
    let lastAuction = max(auctions - 1, 0)
    let lastPerson = max(people - 1, 0)
    let auction =
      dice.below(2) > 0
      ? lastAuction / 100 * 100 : lastAuction - dice.below(min(lastAuction, 100) + 1)
    let bidder =
      dice.below(4) > 0
      ? min(lastPerson / 100 * 100 + 1, lastPerson)
      : lastPerson - dice.below(min(lastPerson, 1000) + 1)
    columns[0].append(Self.first + auction)
    columns[1].append(Self.first + bidder)
    columns[2].append(dice.price())
    let isHot = dice.below(2) > 0
    let channel = isHot ? dice.of(Self.channels) : "channel-\(dice.below(10_000))"
    columns[3].append(channel)
    columns[4].append(
      "https://www.nexmark.com/\(dice.text(5, 5))/\(dice.text(5, 5))/item.htm?query=1"
        + (isHot ? "" : "&channel_id=\(dice.below(1 << 30))"))
    columns[5].append(millis)
    columns[6].append(dice.text(20, 60))
  }
}
