package import Columns

/// What a sink finds of the epoch that the newest root names.
package enum SinkRecovery: Sendable {
  /// It is outside, whole.
  case complete
  /// It was prepared, and is lost (a transaction that died with its process), for good: the job forgets
  /// this root and goes on from the one before, whose epoch is whole outside.
  case redo
}

/// What is written outside. One thread calls.
///
/// An epoch is: `write` any number of times, `prepare` (durable, but not visible), then the job publishes
/// its root, which holds what `prepare` returned, then `publish`. After a crash `recover` gets what the
/// newest root holds: it publishes that if need be, removes what no root names, and says whether the epoch
/// must be done again.
package protocol Sink: AnyObject {
  /// - Parameter kinds: one ``RowKind`` raw value a row; nil when all are inserts.
  func write(_ rows: Batch, kinds: Buffer?) throws(TerraceError)
  func prepare(epoch: Int64) throws(TerraceError) -> String
  func publish(_ prepared: String) throws(TerraceError)
  func recover(_ prepared: String?) throws(TerraceError) -> SinkRecovery
  /// Whether ``clear()`` can be done.
  var canClear: Bool { get }
  /// Takes away all rows that are there, in the epoch that is being written, before the rows that follow.
  func clear() throws(TerraceError)
  /// Whether what was written stays somewhere: then rows of an attempt that was given up must be taken back.
  var keepsRows: Bool { get }
  func close()
}

extension Sink {
  package var canClear: Bool { false }
  package func clear() throws(TerraceError) {
    throw TerraceError(.unsupported, "to empty this target")
  }
  package var keepsRows: Bool { true }
}
