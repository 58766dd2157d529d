/// Paimon's binary row: how manifests store keys, partitions and statistics, and what the bucket
/// hash is taken of.
///
///     [null bits: ((fields + 8 + 63) / 64) × 8 bytes][8 bytes a field][variable part, padded to 8]
///
/// Byte 0 is the row kind; bit i + 8 says that field i is null. Text and bytes of up to 7 bytes lie
/// in their slot. Everything is little-endian. Source: Paimon `BinaryRow`, checked against vectors
/// written by Java Paimon 0.9.
public struct BinaryRow: Hashable, Sendable {
  /// The row's bytes, without the arity that manifests put in front.
  public var bytes: [UInt8]
  public let arity: Int

  /// The row without fields: what unpartitioned tables have as partition.
  public static let empty = BinaryRow([], [])

  public init(_ values: [Scalar], _ types: [DataType]) {
    precondition(values.count == types.count, "\(values.count) values for \(types.count) types")
    arity = values.count
    let slots = BinaryRow.nullBytes(arity)
    bytes = [UInt8](repeating: 0, count: slots + arity * 8)
    for (i, (value, type)) in zip(values, types).enumerated() {
      let slot = slots + i * 8
      if value.isNull { bytes[(i + 8) / 8] |= 1 << UInt8((i + 8) % 8) }
      put(value, type, slot)
    }
  }

  /// Bytes of the null bits of a row of `arity` fields.
  public static func nullBytes(_ arity: Int) -> Int { (arity + 8 + 63) / 64 * 8 }

  /// As manifests store it: the arity, 4 bytes big-endian, then the row.
  public var serialized: [UInt8] {
    withUnsafeBytes(of: UInt32(arity).bigEndian) { Array($0) } + bytes
  }

  /// Reads what ``serialized`` gives.
  ///
  /// - Throws: `corrupted`, when the bytes are no row of these types.
  public static func decode(
    serialized: UnsafeRawBufferPointer, _ types: [DataType]
  ) throws(TerraceError) -> [Scalar] {
    guard serialized.count >= 4 else {
      throw TerraceError(.corrupted, "a binary row of \(serialized.count) bytes")
    }
    let arity = Int(UInt32(bigEndian: serialized.loadUnaligned(as: UInt32.self)))
    guard arity == types.count else {
      throw TerraceError(.corrupted, "a binary row of \(arity) fields, \(types.count) expected")
    }
    let row = UnsafeRawBufferPointer(rebasing: serialized[4...])
    return try BinaryRowReader(row).values(types)
  }

  private mutating func put(_ value: Scalar, _ type: DataType, _ slot: Int) {
    switch (value, type.kind) {
    case (_, .decimal(let precision, _)) where precision > 18: putDecimal(value, slot)
    case (_, .timestamp(let precision)) where precision > 3,
      (_, .timestampLTZ(let precision)) where precision > 3:
      putTimestamp(value, precision, slot)
    case (.null, _): break
    case (.boolean(let v), _): bytes[slot] = v ? 1 : 0
    case (.int(let v), _): store(v, width: type.physical.width, at: slot)
    case (.float(let v), _):
      store(Int64(v.isNaN ? 0x7fc0_0000 : v.bitPattern), width: 4, at: slot)
    case (.double(let v), _):
      let bits = v.isNaN ? 0x7ff8_0000_0000_0000 : v.bitPattern
      store(Int64(bitPattern: bits), width: 8, at: slot)
    case (.bytes(let v), _): putBytes(v, slot)
    default: preconditionFailure("\(value) is no \(type)")
    }
  }

  private mutating func store(_ value: Int64, width: Int, at slot: Int) {
    for i in 0..<width { bytes[slot + i] = UInt8(truncatingIfNeeded: value >> Int64(i * 8)) }
  }

  private mutating func putBytes(_ value: [UInt8], _ slot: Int) {
    if value.count <= 7 {
      bytes.replaceSubrange(slot..<slot + value.count, with: value)
      bytes[slot + 7] = 0x80 | UInt8(value.count)
    } else {
      store(Int64(bytes.count) << 32 | Int64(value.count), width: 8, at: slot)
      bytes += value
      bytes += [UInt8](repeating: 0, count: (8 - value.count % 8) % 8)
    }
  }

  /// A wide decimal always takes 16 bytes of the variable part, also when it is null: the hash of a
  /// key is taken of such rows.
  private mutating func putDecimal(_ value: Scalar, _ slot: Int) {
    let offset = Int64(bytes.count) << 32
    var digits: [UInt8] = []
    if case .int128(let v) = value { digits = minimalBigEndian(v) }
    if case .int(let v) = value { digits = minimalBigEndian(Int128(v)) }
    store(offset | Int64(digits.count), width: 8, at: slot)
    bytes += digits + [UInt8](repeating: 0, count: 16 - digits.count)
  }

  /// Milliseconds in 8 bytes of the variable part, nanoseconds of the millisecond in the slot; the
  /// place is taken by a null, too.
  private mutating func putTimestamp(_ value: Scalar, _ precision: Int, _ slot: Int) {
    var millis: Int64 = 0
    var nanos: Int64 = 0
    switch value {
    case .int(let micros):
      millis = floorDivide(micros, 1000)
      nanos = (micros - millis * 1000) * 1000
    case .int128(let total):
      let whole = floorDivide(total, 1_000_000)
      millis = Int64(truncatingIfNeeded: whole)
      nanos = Int64(truncatingIfNeeded: total - whole * 1_000_000)
    default: break
    }
    store(Int64(bytes.count) << 32 | nanos, width: 8, at: slot)
    bytes += withUnsafeBytes(of: millis.littleEndian) { Array($0) }
  }
}

/// Division that rounds towards minus infinity.
@inlinable @inline(__always) public func floorDivide<T: FixedWidthInteger & SignedInteger>(
  _ a: T, _ b: T
) -> T {
  let (quotient, remainder) = a.quotientAndRemainder(dividingBy: b)
  return remainder < 0 ? quotient - 1 : quotient
}

/// Two's complement, most significant byte first, without redundant sign bytes: Java's
/// `BigInteger.toByteArray`.
public func minimalBigEndian(_ value: Int128) -> [UInt8] {
  var bytes = withUnsafeBytes(of: value.bigEndian) { Array($0) }
  while bytes.count > 1 {
    let redundant = bytes[0] == 0 ? bytes[1] < 0x80 : bytes[0] == 0xff && bytes[1] >= 0x80
    if !redundant { break }
    bytes.removeFirst()
  }
  return bytes
}
