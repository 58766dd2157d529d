import Columns

/// The dictionary of a column chunk, already of the wanted type.
struct ParquetDictionary {
  let count: Int
  /// Fixed-width values, or bytes.
  let values: Buffer
  /// count + 1 ends of bytes.
  let offsets: Buffer?

  /// Appends the entries at `indices` to `out`.
  func gather(
    _ indices: UnsafePointer<UInt32>, _ n: Int, into out: ParquetVector
  ) throws(TerraceError) {
    var greatest: UInt32 = 0
    for i in 0..<n { greatest = max(greatest, indices[i]) }
    if n > 0 && Int(greatest) >= count {
      throw TerraceError(.corrupted, "an index lies outside its dictionary")
        .with("index", Int(greatest)).with("entries", count)
    }
    if let offsets {
      try gatherBytes(indices, n, UnsafePointer(offsets.pointer(Int32.self)), out)
    } else {
      out.values.reserve(n * out.width)
      let to = out.values.end
      switch out.width {
      case 1: gather(UInt8.self, indices, n, to)
      case 2: gather(UInt16.self, indices, n, to)
      case 4: gather(UInt32.self, indices, n, to)
      case 8: gather(UInt64.self, indices, n, to)
      default: gather(UInt128.self, indices, n, to)
      }
      out.values.used += n * out.width
    }
    out.count += n
  }

  @inline(__always)
  private func gather<T: BitwiseCopyable>(
    _ type: T.Type, _ indices: UnsafePointer<UInt32>, _ n: Int, _ to: UnsafeMutableRawPointer
  ) {
    let from = UnsafePointer(values.pointer(T.self))
    let to = to.assumingMemoryBound(to: T.self)
    for i in 0..<n { to[i] = from[Int(indices[i])] }
  }

  private func gatherBytes(
    _ indices: UnsafePointer<UInt32>, _ n: Int, _ starts: UnsafePointer<Int32>,
    _ out: ParquetVector
  ) throws(TerraceError) {
    var total = out.values.used
    out.offsets.reserve(n * 4)
    let ends = out.offsets.end.assumingMemoryBound(to: Int32.self)
    for i in 0..<n {
      let k = Int(indices[i])
      total &+= Int(starts[k &+ 1] &- starts[k])
      ends[i] = Int32(truncatingIfNeeded: total)
    }
    if total > ParquetVector.byteLimit { throw ParquetValues.tooLong() }
    out.values.reserve(total - out.values.used)
    var to = out.values.end
    let from = values.base
    for i in 0..<n {
      let k = Int(indices[i])
      let start = Int(starts[k])
      let length = Int(starts[k &+ 1]) &- start
      copyShort(from + start, to, length)
      to += length
    }
    out.values.used = total
    out.offsets.used += n * 4
  }
}
