internal import Columns

extension StatsMode {
  /// What is kept of exact statistics.
  func reduced(_ exact: ColumnStatistics, _ type: DataType) -> ColumnStatistics {
    switch self {
    case .none: return ColumnStatistics()
    case .counts: return ColumnStatistics(nullCount: exact.nullCount)
    case .full: return exact
    case .truncate(let length):
      guard case .bytes(let low)? = exact.min, case .bytes(let high)? = exact.max else {
        return exact
      }
      let cut = type.isText ? Truncation.text : Truncation.binary
      guard let max = cut.upper(high, length) else {
        return ColumnStatistics(nullCount: exact.nullCount)
      }
      return ColumnStatistics(
        nullCount: exact.nullCount, min: .bytes(cut.lower(low, length)), max: .bytes(max))
    }
  }
}

/// Shortening of bounds: downwards for the least, upwards for the greatest.
enum Truncation {
  case text, binary

  func lower(_ bytes: [UInt8], _ length: Int) -> [UInt8] { Array(bytes.prefix(end(bytes, length))) }

  /// Nil when no shorter bound is at least as great.
  func upper(_ bytes: [UInt8], _ length: Int) -> [UInt8]? {
    let end = end(bytes, length)
    if end == bytes.count { return bytes }
    return self == .text ? upperText(bytes[..<end]) : upperBinary(bytes[..<end])
  }

  /// Bytes of the first `length` code points or bytes.
  private func end(_ bytes: [UInt8], _ length: Int) -> Int {
    if self == .binary { return min(bytes.count, length) }
    var units = 0
    for (i, byte) in bytes.enumerated() where byte & 0xc0 != 0x80 {
      if units == length { return i }
      units += 1
    }
    return bytes.count
  }

  private func upperBinary(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
    var kept = Array(bytes)
    while let last = kept.popLast() {
      if last != 0xff { return kept + [last + 1] }
    }
    return nil
  }

  private func upperText(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
    guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
    var scalars = Array(text.unicodeScalars)
    while let last = scalars.popLast() {
      // Surrogates are no code points of UTF-8.
      let next = last.value + 1 == 0xd800 ? 0xe000 : last.value + 1
      guard let greater = Unicode.Scalar(next) else { continue }
      var out = String.UnicodeScalarView()
      out.append(contentsOf: scalars)
      out.append(greater)
      return Array(String(out).utf8)
    }
    return nil
  }
}

extension SimpleStats {
  /// The manifest form of the statistics of these columns.
  init(_ columns: [ColumnStatistics], types: [DataType]) {
    let nullable = types.map(\.nullable)
    self.init(
      minValues: BinaryRow(columns.map { $0.min ?? .null }, nullable).serialized,
      maxValues: BinaryRow(columns.map { $0.max ?? .null }, nullable).serialized,
      nullCounts: columns.map { $0.nullCount.map(Int64.init) })
  }
}

extension Array where Element == UInt8 {
  /// `withUnsafeBytes` that passes on the type of the error.
  func withUnsafeBytesTyped<Value>(
    _ body: (UnsafeRawBufferPointer) throws(TerraceError) -> Value
  ) throws(TerraceError) -> Value {
    let result = withUnsafeBytes { bytes -> Result<Value, TerraceError> in
      do throws(TerraceError) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    return try result.get()
  }
}
