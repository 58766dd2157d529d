/// Reads the fields of one binary row, checking every offset: the bytes come from a file.
struct BinaryRowReader {
  private let row: UnsafeRawBufferPointer

  init(_ row: UnsafeRawBufferPointer) { self.row = row }

  func values(_ types: [DataType]) throws(TerraceError) -> [Scalar] {
    let slots = BinaryRow.nullBytes(types.count)
    guard row.count >= slots + types.count * 8 else {
      throw TerraceError(.corrupted, "a binary row of \(types.count) fields is cut short")
        .with("bytes", row.count)
    }
    var values: [Scalar] = []
    values.reserveCapacity(types.count)
    for (i, type) in types.enumerated() {
      if row[(i + 8) / 8] & (1 << UInt8((i + 8) % 8)) != 0 {
        values.append(.null)
      } else {
        values.append(try value(type, slots + i * 8))
      }
    }
    return values
  }

  private func value(_ type: DataType, _ slot: Int) throws(TerraceError) -> Scalar {
    let word = row.loadUnaligned(fromByteOffset: slot, as: Int64.self)
    switch type.kind {
    case .boolean: return .boolean(row[slot] != 0)
    case .tinyint: return .int(Int64(Int8(truncatingIfNeeded: word)))
    case .smallint: return .int(Int64(Int16(truncatingIfNeeded: word)))
    case .int, .date, .time: return .int(Int64(Int32(truncatingIfNeeded: word)))
    case .bigint: return .int(word)
    case .float: return .float(Float(bitPattern: UInt32(truncatingIfNeeded: word)))
    case .double: return .double(Double(bitPattern: UInt64(bitPattern: word)))
    case .decimal(let precision, _):
      return precision <= 18 ? .int(word) : .int128(try decimal(word))
    case .timestamp(let precision), .timestampLTZ(let precision):
      return precision <= 3 ? .int(word) : try timestamp(word, precision)
    case .char, .varchar, .binary, .varbinary: return .bytes(try bytes(word, slot))
    case .array, .map, .multiset, .row:
      throw TerraceError(.unsupported, "a key or statistic of type \(type.text)")
    }
  }

  private func variable(_ offset: Int, _ length: Int) throws(TerraceError) -> UnsafeRawBufferPointer
  {
    guard offset >= 0, length >= 0, offset <= row.count, length <= row.count - offset else {
      throw TerraceError(.corrupted, "a binary row points outside itself")
        .with("offset", offset).with("length", length).with("bytes", row.count)
    }
    return UnsafeRawBufferPointer(rebasing: row[offset..<offset + length])
  }

  private func bytes(_ word: Int64, _ slot: Int) throws(TerraceError) -> [UInt8] {
    let mark = row[slot + 7]
    if mark & 0x80 != 0 {
      let length = Int(mark & 0x7f)
      guard length <= 7 else {
        throw TerraceError(.corrupted, "\(length) bytes in a slot of 7")
      }
      return Array(row[slot..<slot + length])
    }
    return Array(try variable(Int(word >> 32), Int(word & 0xffff_ffff)))
  }

  private func decimal(_ word: Int64) throws(TerraceError) -> Int128 {
    let length = Int(word & 0xffff_ffff)
    guard length >= 1, length <= 16 else {
      throw TerraceError(.corrupted, "a decimal of \(length) bytes")
    }
    let digits = try variable(Int(word >> 32), length)
    var value: Int128 = digits[0] >= 0x80 ? -1 : 0
    for byte in digits { value = value << 8 | Int128(byte) }
    return value
  }

  private func timestamp(_ word: Int64, _ precision: Int) throws(TerraceError) -> Scalar {
    let millis = try variable(Int(word >> 32), 8).loadUnaligned(as: Int64.self)
    let nanos = word & 0xffff_ffff
    if precision > 6 { return .int128(Int128(millis) * 1_000_000 + Int128(nanos)) }
    let (micros, overflow) = millis.multipliedReportingOverflow(by: 1000)
    guard !overflow else { throw TerraceError(.corrupted, "a timestamp of \(millis) ms") }
    return .int(micros &+ nanos / 1000)
  }
}
