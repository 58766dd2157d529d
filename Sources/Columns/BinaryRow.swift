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

  /// - Precondition: the values lie as their types do; nested types have no values of their own.
  public init(_ values: [Scalar], _ types: [DataType]) {
    precondition(values.count == types.count, "\(values.count) values for \(types.count) types")
    let columns = zip(values, types).map { Column.repeating($0, type: $1, count: 1) }
    self.init(columns, row: 0)
  }

  /// One row of columns.
  public init(_ columns: [Column], row: Int) {
    var encoder = BinaryRowEncoder(columns)
    bytes = Array(encoder.row(row))
    arity = columns.count
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
