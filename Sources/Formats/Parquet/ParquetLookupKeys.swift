package import Columns

/// Keys, or first parts of keys, that are looked for: ascending bytes.
package final class ParquetLookupKeys: Sendable {
  package let count: Int
  /// Other bytes may follow them in a key.
  let arePrefixes: Bool
  private let bytes: Buffer
  private let ends: Buffer

  /// - Parameters:
  ///   - keys: ascending, as `encoder` made them.
  ///   - tail: bytes at the end of each key that are not looked for; 0: the keys are whole.
  package init(_ keys: NormalizedKeys, _ encoder: KeyEncoder, tail: Int = 0) {
    count = keys.count
    arePrefixes = tail > 0
    let ends = Buffer(byteCount: max(4, keys.count * 4))
    let end = ends.pointer(UInt32.self)
    let out = ByteWriter(capacity: keys.count * 16)
    for i in 0..<keys.count {
      ParquetLookupKeys.append(keys, i, encoder, tail: tail, to: out)
      end[i] = UInt32(truncatingIfNeeded: out.count)
    }
    bytes = Buffer(copying: out.bytes)
    self.ends = ends
  }

  func key(_ i: Int) -> UnsafeRawBufferPointer {
    let end = ends.pointer(UInt32.self)
    let start = i == 0 ? 0 : Int(end[i - 1])
    return UnsafeRawBufferPointer(start: bytes.base + start, count: Int(end[i]) - start)
  }

  /// A key without what pads it.
  static func append(
    _ keys: NormalizedKeys, _ row: Int, _ encoder: KeyEncoder, tail: Int, to out: ByteWriter
  ) {
    if keys.isWhole {
      withUnsafeBytes(of: keys.prefixes[row].bigEndian) {
        out.append(UnsafeRawBufferPointer(rebasing: $0[..<max(0, encoder.fixedBytes - tail)]))
      }
      return
    }
    let key = keys.key(row)
    out.append(UnsafeRawBufferPointer(rebasing: key[..<max(0, key.count - tail)]))
  }
}
