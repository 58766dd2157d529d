package import Columns
import Connectors
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

  /// - Parameter progress: gets the changes written so far.
  /// - Throws: `invalid` for a start that is no date or flags that do not go together; what
  ///   ``Connectors/ShopFiles`` throws.
  package func run(
    _ environment: Environment, progress: (Int) -> Void, isInterrupted: () -> Bool
  ) throws(TerraceError) -> GenerationOutcome {
    let shop = try ShopFiles(folder, appends ? nil : settings(), environment)
    let end: ShopFiles.End =
      changes.map { .changes($0) } ?? .days(Int64(days ?? (appends ? 0 : 3)))
    let isWhole = try shop.run(
      to: end, sliceSize: sliceSize, rate: rate, progress: progress, isInterrupted: isInterrupted)
    let streams = ShopStreamName.allCases.map { name in
      let count = shop.counts[name] ?? ShopFiles.Count()
      return (name.rawValue, count.changes, count.files, count.bytes)
    }
    return GenerationOutcome(noun: "change", streams: streams, isWhole: isWhole)
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
