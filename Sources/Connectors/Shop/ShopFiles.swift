package import Columns
import Formats
package import Store

/// Writes the shop's history into four folders of files, a slice after the other.
///
/// A slice is consecutive arrivals; each stream with changes in it gets one file, which appears whole. What
/// is to come next stands in `.shop.json`: the slice being written stands there before its files do, so that
/// a generator that was killed writes what is missing of it and goes on.
package final class ShopFiles {
  package struct Settings: Sendable, Equatable {
    package var seed: Int64 = 7
    /// The first day, counted from 1970-01-01.
    package var day: Int64 = CivilDate.day(year: 2026, month: 11, day: 16)
    package var changesPerDay = 400_000

    package init() {}
  }

  /// What was written, by stream.
  package struct Count: Sendable, Equatable {
    package var changes = 0
    package var files = 0
    package var bytes = 0

    package init() {}
  }

  private static let stateName = ".shop.json"
  package static let slicesPerSecond = 5

  package let settings: Settings
  private let folder: String
  private let environment: Environment
  private var history: ShopHistory
  /// Changes taken from the history and not yet written.
  private var upcoming: (change: ShopChange, arrival: Int64)?
  /// Number of the next change.
  package private(set) var position = 0
  private var fileNumbers: [ShopStreamName: Int] = [:]
  package private(set) var counts: [ShopStreamName: Count] = [:]
  private var pending = 0

  /// Begins at the first change, in a folder without a history, or goes on with the one that is there.
  ///
  /// - Parameter settings: of a new history; nil to go on with the one in the folder.
  /// - Throws: `conflict` when the folder has a history already, `notFound` when there is none to go on with.
  package init(
    _ folder: String, _ settings: Settings?, _ environment: Environment
  ) throws(TerraceError) {
    self.folder = folder
    self.environment = environment
    let path = folder + "/" + ShopFiles.stateName
    let state = try environment.files.readSmall(path)
    if let settings {
      guard state == nil else {
        throw TerraceError(
          .conflict, "the folder has a shop's history already", hint: "--append goes on with it"
        ).with("folder", folder)
      }
      self.settings = settings
    } else {
      guard let state else {
        throw TerraceError(
          .notFound, "there is no shop's history to append to", hint: "leave out --append"
        )
        .with("folder", folder)
      }
      do {
        let json = try parseJSON(state)
        var found = Settings()
        found.seed = try json.int("seed")
        found.day = try json.int("day")
        found.changesPerDay = Int(try json.int("changesPerDay"))
        self.settings = found
        position = Int(try json.int("next"))
        pending = Int(try json.int("pending"))
        for member in try json.optionalMembers("files") ?? [] {
          if let name = ShopStreamName(rawValue: member.name), let number = member.value.asInt {
            fileNumbers[name] = Int(number)
          }
        }
      } catch { throw error.with("file", path) }
    }
    history = ShopHistory(
      seed: UInt64(bitPattern: self.settings.seed), day: self.settings.day * 86_400_000,
      changesPerDay: self.settings.changesPerDay)
    for _ in 0..<position { _ = history.next() }
    for name in ShopStreamName.allCases {
      try environment.files.makeDirectories(folder + "/" + name.rawValue)
    }
    // What a killed generator had begun.
    if pending > 0 { try write(slice(pending, .changes(pending), 0), wallMillis: nil) }
  }

  /// When a part of the history is all written.
  package enum End: Sendable {
    case changes(Int)
    /// All that arrives until half an hour after this many days from the first.
    case days(Int64)
  }

  /// - Parameters:
  ///   - sliceSize: changes in a slice, of all streams together.
  ///   - rate: changes a second of the clock; nil: as fast as it goes.
  ///   - progress: gets the changes written so far.
  /// - Returns: whether it came to the end, and was not interrupted.
  package func run(
    to end: End, sliceSize: Int, rate: Int?, progress: (Int) -> Void,
    isInterrupted: () -> Bool
  ) throws(TerraceError) -> Bool {
    let time = environment.time
    let started = time.nowMillis()
    var written = 0
    var slices: Int64 = 0
    while true {
      if isInterrupted() { break }
      var size = sliceSize
      if let rate {
        // Slice by slice along the clock, so that a slow disk is made up for.
        slices += 1
        let due = started + slices * Int64(1000 / ShopFiles.slicesPerSecond)
        time.sleep(millis: Int(due - time.nowMillis()))
        size = max(0, rate * Int(slices) / ShopFiles.slicesPerSecond - written)
        if size == 0 { continue }
      }
      let changes = slice(size, end, written)
      if changes.isEmpty { break }
      try write(changes, wallMillis: rate == nil ? nil : time.nowMillis())
      written += changes.count
      progress(written)
    }
    try save()
    return !isInterrupted()
  }

  /// The next changes; none at the end.
  private func slice(_ size: Int, _ end: End, _ written: Int) -> [ShopChange] {
    var found: [ShopChange] = []
    var most = size
    var last = Int64.max
    switch end {
    case .changes(let limit): most = min(size, limit - written)
    case .days(let days): last = (settings.day + days) * 86_400_000 + 30 * 60_000
    }
    while found.count < most {
      let (change, arrival) = upcoming ?? history.next()
      upcoming = arrival >= last ? (change, arrival) : nil
      if arrival >= last { break }
      found.append(change)
    }
    return found
  }

  // MARK: Files

  private func write(_ slice: [ShopChange], wallMillis: Int64?) throws(TerraceError) {
    pending = slice.count
    try save()
    var text = ShopText(wallMillis: wallMillis)
    var lines: [ShopStreamName: [UInt8]] = [:]
    var changes: [ShopStreamName: Int] = [:]
    for change in slice {
      text.append(change, to: &lines[change.stream, default: []])
      changes[change.stream, default: 0] += 1
    }
    for name in ShopStreamName.allCases {
      guard let bytes = lines[name] else { continue }
      fileNumbers[name, default: 0] += 1
      try add(name, bytes)
      counts[name, default: Count()].changes += changes[name] ?? 0
      counts[name, default: Count()].files += 1
      counts[name, default: Count()].bytes += bytes.count
    }
    position += slice.count
    pending = 0
  }

  private func add(_ name: ShopStreamName, _ bytes: [UInt8]) throws(TerraceError) {
    let digits = String(fileNumbers[name] ?? 0)
    let padded = String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    let place = "\(folder)/\(name.rawValue)/"
    let path = place + "\(name.rawValue)-\(padded).json"
    // There since before a crash: the history is the same, and so is the file.
    if try environment.files.exists(path) { return }
    let hidden = place + ".\(name.rawValue)-\(padded).json.tmp"
    try environment.files.delete(hidden)
    let sink = try environment.files.create(hidden)
    try bytes.write(to: sink)
    try sink.close()
    guard try environment.files.publish(hidden, as: path) else {
      throw TerraceError(.conflict, "somebody else writes here").with("file", path)
    }
  }

  private func save() throws(TerraceError) {
    let files = ShopStreamName.allCases.map {
      JSONValue.Member($0.rawValue, .int(Int64(fileNumbers[$0] ?? 0)))
    }
    let state = JSONValue.members([
      ("seed", .int(settings.seed)), ("day", .int(settings.day)),
      ("changesPerDay", .int(Int64(settings.changesPerDay))), ("next", .int(Int64(position))),
      ("pending", .int(Int64(pending))), ("files", .object(files)),
    ])
    try environment.files.replace(
      folder + "/" + ShopFiles.stateName, with: Array(state.text().utf8), durable: false)
  }
}
