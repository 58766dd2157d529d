package import Columns
import Connectors
import Formats
package import Store

/// The example's source files: what `terrace generate shop` was asked for, in its own words.
package struct ShopGeneration: Sendable {
  package var folder: String
  package var seed: Int?
  /// The first day, as `2026-11-16`.
  package var start: String?
  package var changesPerDay: Int?
  package var days: Int?
  package var changes: Int?
  package var sliceSize = 10_000
  package var rate: Int?
  package var appends = false

  package init(folder: String) { self.folder = folder }

  package struct Outcome: Sendable {
    /// By stream, in a fixed order.
    package var streams: [(name: String, changes: Int, files: Int, bytes: Int)]
    /// Whether all of it was written.
    package var isWhole: Bool

    package var changes: Int { streams.reduce(0) { $0 + $1.changes } }
    package var bytes: Int { streams.reduce(0) { $0 + $1.bytes } }

    package var json: String {
      let streams = self.streams.map { stream in
        JSONValue.Member(
          stream.name,
          .members([
            ("changes", .int(Int64(stream.changes))), ("files", .int(Int64(stream.files))),
            ("bytes", .int(Int64(stream.bytes))),
          ]))
      }
      return JSONValue.members([
        ("changes", .int(Int64(changes))), ("streams", .object(streams)),
        ("complete", .bool(isWhole)),
      ]).text()
    }
  }

  /// - Parameter progress: gets the changes written so far.
  /// - Throws: `invalid` for a start that is no date or flags that do not go together; what
  ///   ``Connectors/ShopFiles`` throws.
  package func run(
    _ environment: Environment, progress: (Int) -> Void, isInterrupted: () -> Bool
  ) throws(TerraceError) -> Outcome {
    let shop = try ShopFiles(folder, appends ? nil : settings(), environment)
    let end: ShopFiles.End =
      changes.map { .changes($0) } ?? .days(Int64(days ?? (appends ? 0 : 3)))
    let isWhole = try shop.run(
      to: end, sliceSize: sliceSize, rate: rate, progress: progress, isInterrupted: isInterrupted)
    let streams = ShopStreamName.allCases.map { name in
      let count = shop.counts[name] ?? ShopFiles.Count()
      return (name.rawValue, count.changes, count.files, count.bytes)
    }
    return Outcome(streams: streams, isWhole: isWhole)
  }

  private func settings() throws(TerraceError) -> ShopFiles.Settings {
    var settings = ShopFiles.Settings()
    if let seed { settings.seed = Int64(seed) }
    if let changesPerDay { settings.changesPerDay = changesPerDay }
    if let start {
      guard let day = InstantText.date(start) else {
        throw TerraceError(
          .invalid, "--start takes a day, not “\(start)”", hint: "for example 2026-11-16")
      }
      settings.day = Int64(day)
    }
    return settings
  }
}
