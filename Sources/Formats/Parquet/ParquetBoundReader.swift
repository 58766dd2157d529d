import Columns

/// Turns stored bounds into those of the wanted type, as far as they can be trusted.
struct ParquetBoundReader {
  let leaf: ParquetLeaf
  let wanted: DataType
  private let converter: ParquetConverter
  private let hasTypeOrder: Bool
  /// Whether the writer leaves out bounds when a NaN is there.
  private let mindsNaN: Bool

  init(
    _ leaf: ParquetLeaf, _ wanted: DataType, _ metadata: ParquetMetadata
  ) throws(TerraceError) {
    self.leaf = leaf
    self.wanted = wanted
    converter = try ParquetConverter(leaf, to: wanted)
    hasTypeOrder = metadata.hasTypeOrder
    mindsNaN = metadata.createdBy.hasPrefix("terrace")
  }

  private var isSigned: Bool {
    switch leaf.meaning {
    case .integer(_, let signed): return signed && leaf.physical != .byteArray
    case .decimal: return leaf.physical == .int32 || leaf.physical == .int64
    default: break
    }
    switch leaf.physical {
    case .boolean, .int32, .int64, .float, .double: return true
    case .int96, .byteArray, .fixedLenByteArray: return false
    }
  }

  func statistics(_ stored: ParquetStatistics) -> ColumnStatistics {
    var low = stored.minValue
    var high = stored.maxValue
    // Without a declared order only signed types have one that all writers agreed on.
    if !hasTypeOrder && !isSigned { (low, high) = (nil, nil) }
    if low == nil && high == nil && isSigned { (low, high) = (stored.oldMin, stored.oldMax) }
    return statistics(min: low, max: high, nullCount: stored.nullCount)
  }

  func statistics(min: [UInt8]?, max: [UInt8]?, nullCount: Int?) -> ColumnStatistics {
    if leaf.physical == .int96 { return ColumnStatistics(nullCount: nullCount) }
    var out = ColumnStatistics(
      nullCount: nullCount, min: min.flatMap { scalar($0) }, max: max.flatMap { scalar($0) })
    // NaN is the greatest value here, and other writers leave it out of their bounds.
    if !mindsNaN && (wanted.kind == .float || wanted.kind == .double) { out.max = nil }
    return out
  }

  private func scalar(_ bytes: [UInt8]) -> Scalar? {
    if wanted.physical == .bytes { return .bytes(bytes) }
    if leaf.physical != .byteArray && bytes.count != converter.storedWidth { return nil }
    let source = bytes.withUnsafeBytes { Buffer(copying: $0) }
    let target = Buffer(byteCount: 16)
    do throws(TerraceError) {
      if leaf.physical == .byteArray {
        let ends = Buffer(byteCount: 8)
        ends.pointer(Int32.self)[0] = 0
        ends.pointer(Int32.self)[1] = Int32(truncatingIfNeeded: bytes.count)
        try converter.convert(
          bytes: source.base, ends.pointer(Int32.self), 1, into: target.base)
      } else {
        try converter.convert(source.base, 1, into: target.base)
      }
    } catch {
      // A bound that does not fit says nothing; the values will be checked when they are read.
      return nil
    }
    let column = Column(type: wanted.notNull, count: 1, values: target)
    switch column.scalar(0) {
    case .float(let value) where value.isNaN: return nil
    case .double(let value) where value.isNaN: return nil
    case let value: return value
    }
  }

  /// What the Bloom filter has of a value: the hash of its PLAIN form. Nil when it cannot be told.
  func bloomHash(_ value: Scalar) -> UInt64? {
    func hash<T: FixedWidthInteger>(_ value: T) -> UInt64 {
      withUnsafeBytes(of: value.littleEndian) { ParquetBloomFilter.hash($0) }
    }
    switch (value, leaf.physical) {
    case (.int(let v), .int32):
      if case .scaled = converter.conversion { return nil }
      return Int32(exactly: v).map { hash($0) }
    case (.int(let v), .int64):
      if case .scaled = converter.conversion { return nil }
      return hash(v)
    case (.bytes(let v), .byteArray), (.bytes(let v), .fixedLenByteArray):
      return v.withUnsafeBytes { ParquetBloomFilter.hash($0) }
    case (.double(let v), .double) where v != 0 && !v.isNaN: return hash(v.bitPattern)
    case (.float(let v), .float) where v != 0 && !v.isNaN: return hash(v.bitPattern)
    default: return nil
    }
  }
}
