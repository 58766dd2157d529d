extension Column {
  /// Rows `indices[0..<count]`, in that order.
  public func gather(_ indices: UnsafePointer<Int32>, count: Int) -> Column {
    Column.interleave([self], sources: nil, rows: indices, count: count)
  }

  /// Row `rows[i]` of `columns[sources[i]]` for each i: how a merge builds its output.
  ///
  /// - Parameters:
  ///   - columns: at least one, all of one physical layout; the result has the first one's type.
  ///   - sources: `count` indices into `columns`; nil when there is one column only.
  ///   - rows: `count` row numbers.
  public static func interleave(
    _ columns: [Column], sources: UnsafePointer<UInt16>?, rows: UnsafePointer<Int32>, count: Int
  ) -> Column {
    let type = columns[0].type
    let physical = columns[0].physical
    precondition(columns.allSatisfy { $0.physical == physical }, "columns of different layouts")
    precondition(sources != nil || columns.count == 1, "several columns need sources")
    let validity = interleaveValidity(columns, sources, rows, count)
    switch physical {
    case .boolean, .int8: return fixed(UInt8.self, columns, sources, rows, count, validity)
    case .int16: return fixed(UInt16.self, columns, sources, rows, count, validity)
    case .int32, .float32: return fixed(UInt32.self, columns, sources, rows, count, validity)
    case .int64, .float64: return fixed(UInt64.self, columns, sources, rows, count, validity)
    case .int128: return fixed(UInt128.self, columns, sources, rows, count, validity)
    case .bytes: return interleaveBytes(columns, sources, rows, count, validity)
    case .list, .map: return interleaveLists(columns, sources, rows, count, validity)
    case .row:
      let children = columns[0].children.indices.map { child in
        interleave(columns.map { $0.children[child] }, sources: sources, rows: rows, count: count)
      }
      return Column(type: type, count: count, values: nil, validity: validity, children: children)
    }
  }

  /// The rows of all columns, one column after another.
  public static func concat(_ columns: [Column]) -> Column {
    if columns.count == 1 { return columns[0] }
    let builder = ColumnBuilder(columns[0].type, capacity: columns.reduce(0) { $0 + $1.count })
    for column in columns { builder.append(column, 0..<column.count) }
    return builder.finish()
  }

  private static func interleaveValidity(
    _ columns: [Column], _ sources: UnsafePointer<UInt16>?, _ rows: UnsafePointer<Int32>,
    _ count: Int
  ) -> Bitmap? {
    guard columns.contains(where: { $0.validity != nil }) else { return nil }
    let bitmap = Bitmap(count: count, filled: true)
    withUnsafeTemporaryAllocation(of: UnsafePointer<UInt64>?.self, capacity: columns.count) {
      words in
      for (i, column) in columns.enumerated() {
        words[i] = column.validity.map { UnsafePointer($0.words) }
      }
      for i in 0..<count {
        guard let valid = words[sources.map { Int($0[i]) } ?? 0] else { continue }
        let row = Int(rows[i])
        if valid[row >> 6] &>> UInt64(truncatingIfNeeded: row & 63) & 1 == 0 { bitmap.clear(i) }
      }
    }
    withExtendedLifetime(columns) {}
    return bitmap.setCount == count ? nil : bitmap
  }

  @inline(__always) private static func fixed<T: BitwiseCopyable>(
    _ width: T.Type, _ columns: [Column], _ sources: UnsafePointer<UInt16>?,
    _ rows: UnsafePointer<Int32>, _ count: Int, _ validity: Bitmap?
  ) -> Column {
    let out = Buffer(byteCount: count * MemoryLayout<T>.stride)
    let target = out.pointer(T.self)
    if let sources {
      withUnsafeTemporaryAllocation(of: UnsafePointer<T>.self, capacity: columns.count) { bases in
        for (i, column) in columns.enumerated() { bases[i] = column.pointer(T.self) }
        let base = bases.baseAddress.unsafelyUnwrapped
        for i in 0..<count { target[i] = base[Int(sources[i])][Int(rows[i])] }
      }
    } else {
      let base = columns[0].pointer(T.self)
      for i in 0..<count { target[i] = base[Int(rows[i])] }
    }
    return Column(type: columns[0].type, count: count, values: out, validity: validity)
  }

  private static func interleaveBytes(
    _ columns: [Column], _ sources: UnsafePointer<UInt16>?, _ rows: UnsafePointer<Int32>,
    _ count: Int, _ validity: Bitmap?
  ) -> Column {
    let offsetBuffer = Buffer(byteCount: (count + 1) * 4)
    let ends = offsetBuffer.pointer(Int32.self)
    return withUnsafeTemporaryAllocation(
      of: (UnsafePointer<Int32>, UnsafeRawPointer).self, capacity: columns.count
    ) { bases in
      for (i, column) in columns.enumerated() { bases[i] = (column.offsets, column.values) }
      let base = bases.baseAddress.unsafelyUnwrapped
      var end = 0
      ends[0] = 0
      for i in 0..<count {
        let offsets = base[sources == nil ? 0 : Int(sources.unsafelyUnwrapped[i])].0 + Int(rows[i])
        end &+= Int(offsets[1] &- offsets[0])
        ends[i &+ 1] = Int32(truncatingIfNeeded: end)
      }
      precondition(end <= Int(Int32.max), "a column of over 2 GiB of bytes")
      let out = Buffer(byteCount: end)
      for i in 0..<count {
        let (offsets, values) = base[sources == nil ? 0 : Int(sources.unsafelyUnwrapped[i])]
        let start = Int(offsets[Int(rows[i])])
        copyPadded(values + start, out.base + Int(ends[i]), Int(ends[i &+ 1] &- ends[i]))
      }
      return Column(
        type: columns[0].type, count: count, values: out, offsets: offsetBuffer, validity: validity)
    }
  }

  private static func interleaveLists(
    _ columns: [Column], _ sources: UnsafePointer<UInt16>?, _ rows: UnsafePointer<Int32>,
    _ count: Int, _ validity: Bitmap?
  ) -> Column {
    let offsetBuffer = Buffer(byteCount: (count + 1) * 4)
    let ends = offsetBuffer.pointer(Int32.self)
    ends[0] = 0
    var total = 0
    for i in 0..<count {
      let offsets = columns[sources.map { Int($0[i]) } ?? 0].offsets + Int(rows[i])
      total += Int(offsets[1] - offsets[0])
      ends[i + 1] = Int32(total)
    }
    let inner = Buffer(byteCount: total * 4)
    let innerSources = Buffer(byteCount: total * 2)
    var next = 0
    for i in 0..<count {
      let source = sources.map { Int($0[i]) } ?? 0
      let offsets = columns[source].offsets + Int(rows[i])
      for row in offsets[0]..<offsets[1] {
        inner.pointer(Int32.self)[next] = row
        innerSources.pointer(UInt16.self)[next] = UInt16(source)
        next += 1
      }
    }
    let children = columns[0].children.indices.map { child in
      interleave(
        columns.map { $0.children[child] },
        sources: sources == nil ? nil : UnsafePointer(innerSources.pointer(UInt16.self)),
        rows: inner.pointer(Int32.self), count: total)
    }
    return Column(
      type: columns[0].type, count: count, values: nil, offsets: offsetBuffer, validity: validity,
      children: children)
  }
}

/// Copies in 16-byte steps, reading and writing up to 15 bytes past the end: both sides must be
/// padded, as ``Buffer`` is. Faster than memcpy for the short strings that columns are made of.
@inlinable @inline(__always) public func copyPadded(
  _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, _ count: Int
) {
  var i = 0
  while i < count {
    to.storeBytes(
      of: from.loadUnaligned(fromByteOffset: i, as: SIMD16<UInt8>.self), toByteOffset: i,
      as: SIMD16<UInt8>.self)
    i &+= 16
  }
}

extension Batch {
  /// Rows `indices[0..<count]`, in that order.
  public func gather(_ indices: UnsafePointer<Int32>, count: Int) -> Batch {
    Batch(type, columns.map { $0.gather(indices, count: count) }, count: count)
  }

  /// The rows of all batches, one batch after another.
  public static func concat(_ batches: [Batch]) -> Batch {
    if batches.count == 1 { return batches[0] }
    let columns = batches[0].columns.indices.map { i in
      Column.concat(batches.map { $0.columns[i] })
    }
    return Batch(batches[0].type, columns, count: batches.reduce(0) { $0 + $1.count })
  }
}
