package import Columns
import Connectors
package import Store

/// The auctions of the NEXMark model as files: what `terrace generate nexmark` was asked for.
package struct NexmarkGeneration: Sendable {
  package var folder: String
  package var events = 1_000_000
  package var seed: Int?
  /// The day of the first event, as `2015-07-15`.
  package var start: String?
  package var sliceSize = 100_000
  package var rate: Int?

  package init(folder: String) { self.folder = folder }

  /// - Parameter progress: gets the events written so far.
  /// - Throws: `invalid` for a start that is no date, or a folder that has events.
  package func run(
    _ environment: Environment, progress: (Int) -> Void, isInterrupted: () -> Bool
  ) throws(TerraceError) -> GenerationOutcome {
    var base: Int64?
    if let start {
      guard let day = InstantText.date(start) else {
        throw TerraceError(
          .invalid, "--start takes a day, not “\(start)”", hint: "for example 2015-07-15")
      }
      base = Int64(day) * 86_400_000
    }
    let files = try NexmarkFiles(
      folder, events: events, seed: seed, baseMillis: base, rate: rate, environment)
    let isWhole = try files.run(
      sliceSize: sliceSize, progress: progress, isInterrupted: isInterrupted)
    return GenerationOutcome(
      noun: "event",
      streams: files.counts.map { ($0.name, $0.count.events, $0.count.files, $0.count.bytes) },
      isWhole: isWhole)
  }
}
