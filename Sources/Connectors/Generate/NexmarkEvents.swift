import Columns

/// Makes NEXMark's events, by the model of its public generator (github.com/nexmark/nexmark). Persons and
/// auctions have numbers from 1000 on; most bids are on a hot auction and by a hot bidder.
struct NexmarkEvents {
  var seed: UInt64 = 0
  var base: Int64 = 1_436_918_400_000
  var rate: Int64 = 10_000
  /// Persons, auctions and bids among so many events in turn.
  var shares: [Int64] = [1, 3, 46]
  /// Bytes that persons, auctions and bids have on average: `extra` fills them up.
  var sizes: [Int64] = [200, 500, 100]
  /// One of so many is not hot: sellers of auctions, auctions and bidders of bids.
  var hotSellers: Int64 = 4
  var hotAuctions: Int64 = 2
  var hotBidders: Int64 = 4

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
    "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle",
    "Kent", "Cheyenne",
  ]
  private static let states = ["AZ", "CA", "ID", "OR", "WA", "WY"]
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

    /// Letters with some blanks, or other marks, between; from three to `most` before blanks at the ends go.
    mutating func text(_ most: Int64, blank: UInt8 = UInt8(ascii: " ")) -> String {
      var bytes: [UInt8] = []
      for _ in 0..<3 + below(most - 3) {
        bytes.append(below(13) == 0 ? blank : UInt8(97 + below(26)))
      }
      let isLetter = { (byte: UInt8) in byte != UInt8(ascii: " ") }
      let first = bytes.firstIndex(where: isLetter) ?? bytes.count
      let last = bytes.lastIndex(where: isLetter) ?? bytes.count - 1
      return String(decoding: bytes[first..<max(first, last + 1)], as: UTF8.self)
    }

    /// Letters that bring a record of `size` bytes to `wanted` on average.
    mutating func filling(_ size: Int, to wanted: Int64) -> String {
      let missing = wanted - Int64(size)
      if missing <= 0 { return "" }
      let spread = (missing + 2) / 5
      let count = missing - spread + below(2 * spread)
      // Twelve letters of one number.
      var bytes: [UInt8] = []
      bytes.reserveCapacity(Int(count))
      var number: UInt64 = 0
      for place in 0..<count {
        if place % 12 == 0 { number = next() }
        bytes.append(UInt8(97 + number % 26))
        number /= 26
      }
      return String(decoding: bytes, as: UTF8.self)
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
    let name = dice.of(Self.names) + " " + dice.of(Self.families)
    let email = dice.text(7) + "@" + dice.text(5) + ".com"
    let card = (0..<4).map { _ in String(String(10_000 + dice.below(10_000)).dropFirst()) }
      .joined(separator: " ")
    let (city, state) = (dice.of(Self.cities), dice.of(Self.states))
    let texts = [name, email, card, city, state]
    columns[0].append(Self.first + last(0, before: number))
    for (place, text) in texts.enumerated() { columns[place + 1].append(text) }
    columns[6].append(millis)
    columns[7].append(
      dice.filling(8 + texts.reduce(0) { $0 + $1.utf8.count }, to: sizes[0]))
  }

  private func auction(
    _ number: Int64, _ millis: Int64, _ dice: inout Dice, _ columns: [ColumnBuilder]
  ) {
    let start = dice.price()
    let people = last(0, before: number)
    let (name, description) = (dice.text(20), dice.text(100))
    columns[0].append(Self.first + last(1, before: number))
    columns[1].append(name)
    columns[2].append(description)
    columns[3].append(start)
    columns[4].append(start + dice.price())
    columns[5].append(millis)
    // It lasts until about a hundred further ones are there.
    let ahead = 100 * shares.reduce(0, +) / shares[1] * 1000 / rate
    columns[6].append(millis + 1 + dice.below(max(2 * ahead, 1)))
    let isHot = dice.below(hotSellers) > 0
    columns[7].append(Self.first + (isHot ? people / 100 * 100 : somebody(people, &dice)))
    columns[8].append(10 + dice.below(5))
    columns[9].append(
      dice.filling(48 + name.utf8.count + description.utf8.count, to: sizes[1]))
  }

  /// One of the last thousand persons, or of the next ten.
  private func somebody(_ last: Int64, _ dice: inout Dice) -> Int64 {
    let active = min(last + 1, 1000)
    return last + 1 - active + dice.below(active + 10)
  }

  private func bid(
    _ number: Int64, _ millis: Int64, _ dice: inout Dice, _ columns: [ColumnBuilder]
  ) {
    let lastAuction = max(last(1, before: number) - 1, 0)
    let lastPerson = max(last(0, before: number) - 1, 0)
    let least = max(lastAuction - 100, 0)
    let auction =
      dice.below(hotAuctions) > 0
      ? lastAuction / 100 * 100 : least + dice.below(lastAuction - least + 11)
    let bidder =
      dice.below(hotBidders) > 0 ? lastPerson / 100 * 100 + 1 : somebody(lastPerson, &dice)
    columns[0].append(Self.first + auction)
    columns[1].append(Self.first + bidder)
    columns[2].append(dice.price())
    let isHot = dice.below(2) > 0
    let number = isHot ? dice.below(Int64(Self.channels.count)) : dice.below(10_000)
    columns[3].append(isHot ? Self.channels[Int(number)] : "channel-\(number)")
    columns[4].append(url(number, isHot: isHot))
    columns[5].append(millis)
    columns[6].append(dice.filling(32, to: sizes[2]))
  }

  /// Of a channel: always the same.
  private func url(_ channel: Int64, isHot: Bool) -> String {
    var dice = Dice(state: seed ^ UInt64(channel) << 1 ^ (isHot ? 1 : 0))
    let folders = (0..<3).map { _ in dice.text(5, blank: UInt8(ascii: "_")) }.joined(separator: "/")
    let base = "https://www.nexmark.com/\(folders)/item.htm?query=1"
    return isHot || dice.below(10) == 0 ? base : base + "&channel_id=\(dice.below(1 << 31))"
  }
}
