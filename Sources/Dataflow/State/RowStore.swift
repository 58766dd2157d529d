internal import Columns

/// Rows that stay where they are appended, numbered from 0, in columns of fixed-size chunks.
///
/// Full chunks share the values of the batch they came with. The last chunk is copied when rows are
/// added to it, which is bounded by its size.
final class RowStore: @unchecked Sendable {
  static let chunkShift = 14
  static let chunkRows = 1 << chunkShift
  /// Row numbers are Int32 and chunk numbers UInt16.
  static let rowsMax = min(Int(Int32.max), chunkRows * 65535)

  let types: [DataType]
  private(set) var count = 0
  /// Per column its chunks; all but the last have `chunkRows` rows.
  private(set) var chunks: [[Column]]

  init(_ types: [DataType]) {
    self.types = types
    chunks = types.map { _ in [] }
  }

  /// Adds rows, which get the numbers from `count` on.
  ///
  /// - Throws: `unavailable`, when there are too many rows for one state.
  func append(_ columns: [Column], count more: Int) throws(TerraceError) {
    guard count + more <= RowStore.rowsMax else {
      throw TerraceError(.unavailable, "a state of over \(RowStore.rowsMax) rows")
    }
    for (c, column) in columns.enumerated() {
      var from = 0
      let used = count & (RowStore.chunkRows - 1)
      if used > 0 {
        let take = min(more, RowStore.chunkRows - used)
        let last = chunks[c].count - 1
        chunks[c][last] = Column.concat([chunks[c][last], column.slice(0..<take)])
        from = take
      }
      while from < more {
        let take = min(more - from, RowStore.chunkRows)
        chunks[c].append(column.slice(from..<from + take))
        from += take
      }
    }
    count += more
  }

  /// Column `c` of the rows `ids`.
  func gather(_ c: Int, _ ids: UnsafePointer<Int32>, _ n: Int) -> Column {
    if chunks[c].isEmpty { return Column.repeatingNull(types[c], count: 0) }
    if chunks[c].count == 1 { return chunks[c][0].gather(ids, count: n) }
    let sources = Buffer(byteCount: n * 2)
    let rows = Buffer(byteCount: n * 4)
    let s = sources.pointer(UInt16.self)
    let r = rows.pointer(Int32.self)
    for i in 0..<n {
      s[i] = UInt16(truncatingIfNeeded: ids[i] >> Int32(RowStore.chunkShift))
      r[i] = ids[i] & Int32(RowStore.chunkRows - 1)
    }
    return ChunkGather.gather(chunks[c], UnsafePointer(s), UnsafePointer(r), n)
  }

  /// All columns of the rows `ids`.
  func gather(_ ids: UnsafePointer<Int32>, _ n: Int) -> [Column] {
    types.indices.map { gather($0, ids, n) }
  }

  /// - Throws: `unavailable`, when all rows together would make a column of over 2 GiB of text.
  func checkWhole(_ operation: String) throws(TerraceError) {
    for column in chunks {
      try Column.checkWhole(column, operation)
    }
  }

  /// The chunk and the row in it of a row number.
  @inline(__always) func place(_ c: Int, _ id: Int) -> (Column, Int) {
    (chunks[c][id >> RowStore.chunkShift], id & (RowStore.chunkRows - 1))
  }

  /// Keeps the rows `ids`, which get new numbers in that order.
  func keep(_ ids: UnsafePointer<Int32>, _ n: Int) throws(TerraceError) {
    let columns = gather(ids, n)
    chunks = types.map { _ in [] }
    count = 0
    try append(columns, count: n)
  }

  var byteCount: Int { chunks.reduce(0) { $1.reduce($0) { $0 + $1.byteCount } } }
}

/// Gathering from chunks without touching reference counts in the loop.
enum ChunkGather {
  static func gather(
    _ chunks: [Column], _ sources: UnsafePointer<UInt16>, _ rows: UnsafePointer<Int32>, _ n: Int
  ) -> Column {
    let type = chunks[0].type
    let validity = self.validity(chunks, sources, rows, n)
    switch chunks[0].physical {
    case .boolean, .int8: return fixed(UInt8.self, chunks, sources, rows, n, validity)
    case .int16: return fixed(UInt16.self, chunks, sources, rows, n, validity)
    case .int32, .float32: return fixed(UInt32.self, chunks, sources, rows, n, validity)
    case .int64, .float64: return fixed(UInt64.self, chunks, sources, rows, n, validity)
    case .int128: return fixed(UInt128.self, chunks, sources, rows, n, validity)
    case .bytes: return bytes(chunks, sources, rows, n, validity)
    case .list, .map, .row:
      return Column.interleave(chunks, sources: sources, rows: rows, count: n).retyped(type)
    }
  }

  private static func fixed<T: BitwiseCopyable>(
    _: T.Type, _ chunks: [Column], _ sources: UnsafePointer<UInt16>, _ rows: UnsafePointer<Int32>,
    _ n: Int, _ validity: Bitmap?
  ) -> Column {
    let out = Buffer(byteCount: n * MemoryLayout<T>.stride)
    let to = out.pointer(T.self)
    withUnsafeTemporaryAllocation(of: UnsafePointer<T>.self, capacity: chunks.count) { bases in
      for (i, chunk) in chunks.enumerated() { bases[i] = chunk.pointer(T.self) }
      let base = bases.baseAddress.unsafelyUnwrapped
      for i in 0..<n { to[i] = base[Int(sources[i])][Int(rows[i])] }
    }
    return Column(type: chunks[0].type, count: n, values: out, validity: validity)
  }

  private static func bytes(
    _ chunks: [Column], _ sources: UnsafePointer<UInt16>, _ rows: UnsafePointer<Int32>, _ n: Int,
    _ validity: Bitmap?
  ) -> Column {
    let ends = Buffer(byteCount: (n + 1) * 4)
    let e = ends.pointer(Int32.self)
    return withUnsafeTemporaryAllocation(
      of: (UnsafePointer<Int32>, UnsafeRawPointer).self, capacity: chunks.count
    ) { bases in
      for (i, chunk) in chunks.enumerated() { bases[i] = (chunk.offsets, chunk.values) }
      let base = bases.baseAddress.unsafelyUnwrapped
      var end = 0
      e[0] = 0
      for i in 0..<n {
        let offsets = base[Int(sources[i])].0 + Int(rows[i])
        end &+= Int(offsets[1] &- offsets[0])
        e[i &+ 1] = Int32(truncatingIfNeeded: end)
      }
      precondition(end <= Int(Int32.max), "a column of over 2 GiB of bytes")
      let out = Buffer(byteCount: end)
      for i in 0..<n {
        let (offsets, values) = base[Int(sources[i])]
        let length = Int(e[i &+ 1] &- e[i])
        copyPadded(values + Int(offsets[Int(rows[i])]), out.base + Int(e[i]), length)
      }
      return Column(
        type: chunks[0].type, count: n, values: out, offsets: ends, validity: validity)
    }
  }

  private static func validity(
    _ chunks: [Column], _ sources: UnsafePointer<UInt16>, _ rows: UnsafePointer<Int32>, _ n: Int
  ) -> Bitmap? {
    guard chunks.contains(where: { $0.validity != nil }) else { return nil }
    let bits = Bitmap(count: n, filled: true)
    let words = bits.words
    var nulls = 0
    withUnsafeTemporaryAllocation(of: UnsafePointer<UInt64>?.self, capacity: chunks.count) {
      bases in
      for (i, chunk) in chunks.enumerated() {
        bases[i] = chunk.validity.map { UnsafePointer($0.words) }
      }
      let base = bases.baseAddress.unsafelyUnwrapped
      for i in 0..<n {
        guard let from = base[Int(sources[i])] else { continue }
        let row = Int(rows[i])
        let isNull = ~(from[row >> 6] >> UInt64(row & 63)) & 1
        words[i >> 6] &= ~(isNull << UInt64(i & 63))
        nulls &+= Int(isNull)
      }
    }
    return nulls == 0 ? nil : bits
  }
}

extension Column {
  /// - Throws: `unavailable`, when these columns are too long to be one: 2 GiB of text is the most.
  static func checkWhole(_ parts: [Column], _ operation: String) throws(TerraceError) {
    guard let first = parts.first, first.physical.hasOffsets || first.physical == .row else {
      return
    }
    let bytes = parts.reduce(0) { $0 + $1.byteCount }
    if bytes > Int(Int32.max) {
      throw TerraceError(
        .unavailable, "\(operation) over more than 2 GiB of one column's values at once"
      ).hint("read fewer rows, or compute long texts after it")
    }
  }
}
