internal import Columns

/// Runs of one section through the merge engine: what scans and compactions read.
final class MergeReader {
  private let layout: KeyValueLayout
  private let engine: MergeEngine
  private let dropDeletes: Bool
  private let inputs: [any KeyValueSource]
  private let merge: KeyMerge

  /// - Parameter inputs: oldest run first.
  init(
    _ layout: KeyValueLayout, _ engine: MergeEngine, _ inputs: [any KeyValueSource],
    dropDeletes: Bool, targetRows: Int = 16384
  ) {
    self.layout = layout
    self.engine = engine
    self.inputs = inputs
    self.dropDeletes = dropDeletes
    merge = KeyMerge(inputs, targetRows: targetRows)
  }

  /// The next rows, at least one; nil at the end.
  func next() throws(TerraceError) -> KeyValueRows? {
    while true {
      if inputs.count == 1 {
        guard let batch = try inputs[0].next() else { return nil }
        if let rows = single(batch) { return rows }
        continue
      }
      guard let groups = try merge.next() else { return nil }
      let chosen = engine.choose(groups, dropDeletes: dropDeletes)
      if chosen.count == 0 { continue }
      return KeyValueRows(
        values: chosen.gatherValues(groups.batches, type: layout.type),
        sequences: chosen.gather(groups.batches) { $0.sequences },
        kinds: chosen.gather(groups.batches) { $0.kinds })
    }
  }

  /// A run alone needs no merge: its keys are distinct.
  private func single(_ batch: KeyValues) -> KeyValueRows? {
    let all = KeyValueRows(values: batch.values, sequences: batch.sequences, kinds: batch.kinds)
    guard dropDeletes || engine.ignoresDeletes else { return all }
    let kinds = batch.kinds.pointer(UInt8.self)
    let rows = Buffer(byteCount: batch.count * 4)
    let out = rows.pointer(Int32.self)
    var n = 0
    for i in 0..<batch.count {
      out[n] = Int32(truncatingIfNeeded: i)
      n &+= 1 &- Int(kinds[i] & 1)
    }
    if n == batch.count { return all }
    if n == 0 { return nil }
    return KeyValueRows(
      values: batch.values.gather(out, count: n), sequences: batch.sequences.gather(out, count: n),
      kinds: batch.kinds.gather(out, count: n))
  }
}
