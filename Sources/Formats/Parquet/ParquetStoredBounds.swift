import Columns

/// Bounds as Parquet stores them: the PLAIN form of the value, long text cut.
enum ParquetStoredBounds {
  private static let longest = 64

  struct Pair {
    var min: [UInt8]
    var max: [UInt8]
    var isMinExact = true
    var isMaxExact = true
  }

  /// Nil when the type has no bounds in Parquet, or none can be given.
  static func make(_ bounds: ParquetBounds, _ leaf: ParquetWriteLeaf) -> Pair? {
    guard leaf.physical != .int96, let (low, high) = bounds.scalars else { return nil }
    var pair = Pair(min: stored(low, leaf), max: stored(high, leaf))
    guard leaf.physical == .byteArray else { return pair }
    if pair.min.count > longest {
      pair.min = cut(pair.min, leaf.type.isText)
      pair.isMinExact = false
    }
    if pair.max.count > longest {
      guard let above = increased(cut(pair.max, leaf.type.isText), leaf.type.isText) else {
        return nil
      }
      pair.max = above
      pair.isMaxExact = false
    }
    return pair
  }

  private static func stored(_ value: Scalar, _ leaf: ParquetWriteLeaf) -> [UInt8] {
    func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
      withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
    switch value {
    case .null: return []
    case .boolean(let v): return [v ? 1 : 0]
    case .int(let v):
      return leaf.storedWidth == 4 ? little(Int32(truncatingIfNeeded: v)) : little(v)
    case .int128(let v):
      return withUnsafeBytes(of: v.bigEndian) { Array($0.suffix(leaf.typeLength)) }
    case .float(let v): return little(v.bitPattern)
    case .double(let v): return little(v.bitPattern)
    case .bytes(let v): return v
    }
  }

  /// The first 64 bytes; of text, no part of a character.
  private static func cut(_ bytes: [UInt8], _ isText: Bool) -> [UInt8] {
    var length = longest
    while isText && length > 0 && bytes[length] & 0xc0 == 0x80 { length -= 1 }
    return Array(bytes[..<length])
  }

  /// A value above all that begin with `prefix`, still text when it must be.
  private static func increased(_ prefix: [UInt8], _ isText: Bool) -> [UInt8]? {
    if isText {
      // UTF-8 sorts as its code points do.
      let text = String(decoding: prefix, as: UTF8.self)
      if Array(text.utf8) == prefix { return increased(text) }
    }
    var bytes = prefix
    while let last = bytes.last {
      if last < 0xff {
        bytes[bytes.count - 1] = last + 1
        return bytes
      }
      bytes.removeLast()
    }
    return nil
  }

  private static func increased(_ text: String) -> [UInt8]? {
    var scalars = Array(text.unicodeScalars)
    while let last = scalars.popLast() {
      let above = last.value == 0xd7ff ? 0xe000 : last.value + 1
      guard let next = Unicode.Scalar(above) else { continue }
      scalars.append(next)
      var out = String.UnicodeScalarView()
      out.append(contentsOf: scalars)
      return Array(String(out).utf8)
    }
    return nil
  }
}
