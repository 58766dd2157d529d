package import Columns
import Formats
package import Store

/// Writes NEXMark's events as JSON lines: a folder each for persons, auctions and bids. A file is there whole or
/// not at all; the same seed gives the same files.
package final class NexmarkFiles {
  package struct Count {
    package var events = 0
    package var files = 0
    package var bytes = 0
  }

  /// By folder, in a fixed order.
  package private(set) var counts: [(name: String, count: Count)] = [
    ("person", Count()), ("auction", Count()), ("bid", Count()),
  ]
  private let folder: String
  private let environment: Environment
  private let source: any Source
  private let isPaced: Bool

  /// - Parameters:
  ///   - seed, baseMillis: of the history; nil: the connector's own.
  ///   - rate: events a second, written as time goes by; nil: at once.
  /// - Throws: `invalid` when the folder has events already.
  package init(
    _ folder: String, events: Int, seed: Int?, baseMillis: Int64?, rate: Int?,
    _ environment: Environment
  ) throws(TerraceError) {
    self.folder = folder
    self.environment = environment
    isPaced = rate != nil
    var options = ["connector": "nexmark", "events.num": "\(events)"]
    options["seed"] = seed.map { "\($0)" }
    options["base-time"] = baseMillis.map { "\($0)" }
    options["first-event.rate"] = rate.map { "\($0)" }
    source = try NexmarkSource(
      ConnectorTable(
        name: "nexmark", type: NexmarkEvents.columns, options: options, folder: folder), environment
    )
    if !isPaced { try source.stopAtPresent() }
    for (name, _) in counts {
      let place = folder + "/" + name
      if try environment.files.exists(place), try !environment.files.list(place).isEmpty {
        throw TerraceError(
          .invalid, "there are events already", hint: "name a new folder, or empty this one"
        ).with("folder", place)
      }
      try environment.files.makeDirectories(place)
    }
  }

  /// - Parameters:
  ///   - sliceSize: events of a slice, which is at most one file a folder.
  ///   - progress: gets the events written so far.
  /// - Returns: whether all of it was written.
  package func run(
    sliceSize: Int, progress: (Int) -> Void, isInterrupted: () -> Bool
  ) throws(TerraceError) -> Bool {
    var written = 0
    while !source.isDrained {
      if isInterrupted() { return false }
      guard let slice = try source.poll(rows: sliceSize, bytes: 0) else {
        environment.time.sleep(millis: 100)
        continue
      }
      try write(slice.rows)
      written += slice.rows.count
      progress(written)
      // A full slice: there may be more already.
      if isPaced, slice.rows.count < min(sliceSize, NexmarkSource.mostRows) {
        environment.time.sleep(millis: 200)
      }
    }
    return true
  }

  private func write(_ rows: Batch) throws(TerraceError) {
    for index in counts.indices {
      let column = rows.columns[index + 1]
      guard case .row(let fields) = column.type.kind else { continue }
      let places = (0..<rows.count).filter { !column.isNull($0) }.map { Int32($0) }
      if places.isEmpty { continue }
      let batch = Batch(RowType(fields), column.children, count: rows.count)
        .gather(places, count: places.count)
      let out = ByteWriter(capacity: 1 << 16)
      JSONRows(batch.type).append(batch, to: out)
      counts[index].count.files += 1
      counts[index].count.events += places.count
      counts[index].count.bytes += out.count
      try add(counts[index].name, counts[index].count.files, out)
    }
  }

  private func add(_ name: String, _ number: Int, _ out: ByteWriter) throws(TerraceError) {
    let digits = String(number)
    let padded = String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    let path = "\(folder)/\(name)/\(name)-\(padded).json"
    let hidden = "\(folder)/\(name)/.\(name)-\(padded).json.tmp"
    try environment.files.delete(hidden)
    let sink = try environment.files.create(hidden)
    try sink.write(out.bytes)
    try sink.close()
    guard try environment.files.publish(hidden, as: path) else {
      throw TerraceError(.conflict, "somebody else writes here").with("file", path)
    }
  }
}
