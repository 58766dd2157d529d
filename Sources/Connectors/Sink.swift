package import Columns

/// What is written outside. One thread calls.
///
/// An epoch is: `write` any number of times, `prepare` (durable, but not visible), then the job publishes
/// its root, which holds what `prepare` returned, then `publish`. After a crash `recover` gets what the
/// newest root holds: it publishes that if need be, and removes what no root names.
package protocol Sink: AnyObject {
  /// - Parameter kinds: one ``RowKind`` raw value a row; nil when all are inserts.
  func write(_ rows: Batch, kinds: Buffer?) throws(TerraceError)
  func prepare(epoch: Int64) throws(TerraceError) -> String
  func publish(_ prepared: String) throws(TerraceError)
  func recover(_ prepared: String?) throws(TerraceError)
  func close()
}
