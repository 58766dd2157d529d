internal import Columns

/// Rows of one bucket that wait in memory, in the order they came.
///
/// Rows are not copied here: a chunk holds on to the batch it came with and to its row numbers, and
/// values are gathered once, in key order, when the buffer is written.
struct WriteBuffer: Sendable {
  final class Chunk: Sendable {
    let batch: Batch
    /// Nil for all rows.
    let rows: Buffer?
    let count: Int
    /// One ``RowKind`` raw value a row of `batch`; nil when all are inserts.
    let kinds: Buffer?

    init(batch: Batch, rows: Buffer?, count: Int, kinds: Buffer?) {
      self.batch = batch
      self.rows = rows
      self.count = count
      self.kinds = kinds
    }
  }

  private(set) var chunks: [Chunk] = []
  private(set) var count = 0
  private(set) var byteCount = 0

  var isFull: Bool { chunks.count >= 60_000 || count >= 1 << 30 }

  mutating func append(_ chunk: Chunk, byteCount bytes: Int) {
    chunks.append(chunk)
    count += chunk.count
    byteCount += bytes
  }

  /// Where each row lies: chunk and row number, in order of arrival.
  func places() -> (sources: Buffer, rows: Buffer) {
    let sources = Buffer(byteCount: count * 2)
    let rows = Buffer(byteCount: count * 4)
    let s = sources.pointer(UInt16.self)
    let r = rows.pointer(Int32.self)
    var at = 0
    for (index, chunk) in chunks.enumerated() {
      (s + at).update(repeating: UInt16(index), count: chunk.count)
      if let own = chunk.rows {
        (r + at).update(from: own.pointer(Int32.self), count: chunk.count)
      } else {
        for i in 0..<chunk.count { r[at + i] = Int32(truncatingIfNeeded: i) }
      }
      at += chunk.count
    }
    return (sources, rows)
  }

  /// The kinds of all rows, in order of arrival.
  func kinds() -> Buffer {
    let out = Buffer(byteCount: count)
    let target = out.pointer(UInt8.self)
    target.update(repeating: RowKind.insert.rawValue, count: count)
    var at = 0
    for chunk in chunks {
      if let kinds = chunk.kinds {
        let source = kinds.pointer(UInt8.self)
        let rows = chunk.rows?.pointer(Int32.self)
        for i in 0..<chunk.count { target[at + i] = source[rows.map { Int($0[i]) } ?? i] }
      }
      at += chunk.count
    }
    return out
  }
}

/// A write buffer in key order, handed out a part at a time.
final class SortedBuffer {
  private let buffer: WriteBuffer
  private let layout: KeyValueLayout
  private let sources: Buffer
  private let rows: Buffer
  private let kinds: Buffer
  /// Arrival numbers by key, then by arrival.
  private let order: Buffer
  private let keys: NormalizedKeys
  private let firstSequence: Int64
  private static let partRows = 32768

  /// - Parameter firstSequence: `_SEQUENCE_NUMBER` of the row that came first.
  init(_ buffer: WriteBuffer, _ layout: KeyValueLayout, firstSequence: Int64) {
    self.buffer = buffer
    self.layout = layout
    self.firstSequence = firstSequence
    let places = buffer.places()
    (sources, rows) = places
    kinds = buffer.kinds()
    let columns = layout.keyColumns.map {
      Self.gather(buffer, $0, places.sources, places.rows, buffer.count)
    }
    keys = KeyEncoder(layout.keyTypes).encode(columns, count: buffer.count)
    order = keys.sortedRows()
  }

  private static func gather(
    _ buffer: WriteBuffer, _ column: Int, _ sources: Buffer, _ rows: Buffer, _ count: Int
  ) -> Column {
    Column.interleave(
      buffer.chunks.map { $0.batch.columns[column] },
      sources: UnsafePointer(sources.pointer(UInt16.self)),
      rows: UnsafePointer(rows.pointer(Int32.self)), count: count)
  }

  /// Every row, by key and then by arrival: what `changelog-producer = input` records.
  func forEachRow(_ body: (KeyValueRows) throws(TerraceError) -> Void) throws(TerraceError) {
    try handOut(order.pointer(Int32.self), buffer.count, body)
  }

  /// The last row of each key: by sequence fields, then by arrival.
  func forEachKey(_ body: (KeyValueRows) throws(TerraceError) -> Void) throws(TerraceError) {
    let last = Buffer(byteCount: buffer.count * 4)
    let count = chooseLast(into: last.pointer(Int32.self))
    try handOut(last.pointer(Int32.self), count, body)
  }

  private func chooseLast(into out: UnsafeMutablePointer<Int32>) -> Int {
    let sorted = order.pointer(Int32.self)
    let fields = sequenceOrder()
    var n = 0
    var i = 0
    let count = buffer.count
    while i < count {
      var best = sorted[i]
      let first = Int(best)
      i &+= 1
      while i < count && keys.compare(Int(sorted[i]), keys, first) == 0 {
        if let fields {
          if fields.compare(Int(sorted[i]), fields, Int(best)) >= 0 { best = sorted[i] }
        } else {
          best = sorted[i]
        }
        i &+= 1
      }
      out[n] = best
      n &+= 1
    }
    return n
  }

  private func sequenceOrder() -> NormalizedKeys? {
    if layout.orderColumns.isEmpty { return nil }
    var columns: [Column] = layout.type.fields.map { Column.nulls($0.type, count: 0) }
    for index in layout.orderColumns {
      columns[index] = Self.gather(buffer, index, sources, rows, buffer.count)
    }
    return layout.order(columns, count: buffer.count)
  }

  private func handOut(
    _ arrivals: UnsafePointer<Int32>, _ count: Int,
    _ body: (KeyValueRows) throws(TerraceError) -> Void
  ) throws(TerraceError) {
    let allSources = sources.pointer(UInt16.self)
    let allRows = rows.pointer(Int32.self)
    let allKinds = kinds.pointer(UInt8.self)
    let batches = buffer.chunks.map(\.batch)
    var start = 0
    while start < count {
      let n = min(Self.partRows, count - start)
      let partSources = Buffer(byteCount: n * 2)
      let partRows = Buffer(byteCount: n * 4)
      let sequences = Buffer(byteCount: n * 8)
      let partKinds = Buffer(byteCount: n)
      let s = partSources.pointer(UInt16.self)
      let r = partRows.pointer(Int32.self)
      for i in 0..<n {
        let arrival = Int(arrivals[start &+ i])
        s[i] = allSources[arrival]
        r[i] = allRows[arrival]
        sequences.pointer(Int64.self)[i] = firstSequence &+ Int64(arrival)
        partKinds.pointer(UInt8.self)[i] = allKinds[arrival]
      }
      let columns = layout.type.fields.indices.map { index in
        Column.interleave(
          batches.map { $0.columns[index] }, sources: UnsafePointer(s), rows: UnsafePointer(r),
          count: n)
      }
      try body(
        KeyValueRows(
          values: Batch(layout.type, columns, count: n),
          sequences: Column(type: KeyValueFields.sequence.type, count: n, values: sequences),
          kinds: Column(type: KeyValueFields.kind.type, count: n, values: partKinds)))
      start += n
    }
  }
}
