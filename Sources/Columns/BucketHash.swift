/// The hash that places a row in a bucket: Murmur3, 32 bit, seed 42, over the words of the key's
/// binary row. Source: Paimon `MurmurHashUtils` and `FixedBucketRowKeyExtractor`; checked against
/// vectors of Java Paimon 0.9.
public enum BucketHash {
  /// Hash of bytes whose count is a multiple of 4.
  public static func hash(_ bytes: UnsafeRawBufferPointer) -> Int32 {
    precondition(bytes.count % 4 == 0, "the bucket hash takes whole words")
    var h: UInt32 = 42
    for i in stride(from: 0, to: bytes.count, by: 4) {
      h = mix(h, UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: i, as: UInt32.self)))
    }
    return finish(h, bytes.count)
  }

  public static func hash(_ row: BinaryRow) -> Int32 { row.bytes.withUnsafeBytes { hash($0) } }

  /// The bucket of a hash among `buckets`: remainder as Java and C take it, without its sign.
  @inlinable public static func bucket(_ hash: Int32, of buckets: Int) -> Int {
    abs(Int(hash) % buckets)
  }

  /// Buckets of `count` rows by their key columns.
  ///
  /// - Parameter out: `count` buckets, 0..<buckets.
  public static func buckets(
    _ keys: [Column], count: Int, of buckets: Int, into out: UnsafeMutablePointer<Int32>
  ) {
    if buckets == 1 {
      out.update(repeating: 0, count: count)
      return
    }
    if keys.count == 1, keys[0].validity == nil, keys[0].physical == .int64,
      !isFineTimestamp(keys[0].type)
    {
      let values = keys[0].pointer(UInt64.self)
      for i in 0..<count { out[i] = bucket32(words8(values[i]), buckets) }
      return
    }
    if keys.count == 1, keys[0].validity == nil, keys[0].physical == .int32 {
      let values = keys[0].pointer(UInt32.self)
      for i in 0..<count { out[i] = bucket32(words8(UInt64(values[i])), buckets) }
      return
    }
    var encoder = BinaryRowEncoder(keys)
    for i in 0..<count { out[i] = bucket32(hash(encoder.row(i)), buckets) }
  }

  /// Hash of a row of one 8-byte slot, not null.
  @inline(__always) private static func words8(_ slot: UInt64) -> Int32 {
    var h = mix(mix(42, 0), 0)
    h = mix(h, UInt32(truncatingIfNeeded: slot))
    h = mix(h, UInt32(truncatingIfNeeded: slot >> 32))
    return finish(h, 16)
  }

  @inline(__always) private static func bucket32(_ hash: Int32, _ buckets: Int) -> Int32 {
    let remainder = hash % Int32(truncatingIfNeeded: buckets)
    return remainder < 0 ? 0 &- remainder : remainder
  }

  private static func isFineTimestamp(_ type: DataType) -> Bool {
    switch type.kind {
    case .timestamp(let precision), .timestampLTZ(let precision): precision > 3
    default: false
    }
  }

  @inline(__always) private static func mix(_ hash: UInt32, _ word: UInt32) -> UInt32 {
    var k = word &* 0xcc9e_2d51
    k = (k << 15) | (k >> 17)
    k = k &* 0x1b87_3593
    var h = hash ^ k
    h = (h << 13) | (h >> 19)
    return h &* 5 &+ 0xe654_6b64
  }

  @inline(__always) private static func finish(_ hash: UInt32, _ length: Int) -> Int32 {
    var h = hash ^ UInt32(truncatingIfNeeded: length)
    h = (h ^ (h >> 16)) &* 0x85eb_ca6b
    h = (h ^ (h >> 13)) &* 0xc2b2_ae35
    return Int32(bitPattern: h ^ (h >> 16))
  }
}
