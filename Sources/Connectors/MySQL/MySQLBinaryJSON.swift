import Columns
import Formats

/// MySQL's binary JSON (json_binary.h) as text.
enum MySQLBinaryJSON {
  /// Nil for what is no such document, and for values that JSON has no text for.
  static func text(_ bytes: UnsafeRawBufferPointer) -> String? {
    guard let type = bytes.first else { return "null" }
    let out = ByteWriter()
    let document = UnsafeRawBufferPointer(rebasing: bytes.dropFirst())
    // Whoever asks tells that the value is none.
    do throws(TerraceError) { try value(type, document, out, 0) } catch { return nil }
    return out.text
  }

  private static func broken() -> TerraceError {
    TerraceError(.corrupted, "no binary JSON")
  }

  private static func number(
    _ bytes: UnsafeRawBufferPointer, _ at: Int, _ width: Int
  ) throws(TerraceError) -> UInt64 {
    guard at >= 0, at <= bytes.count - width else { throw broken() }
    var value: UInt64 = 0
    for i in 0..<width { value |= UInt64(bytes[at + i]) << UInt64(i * 8) }
    return value
  }

  private static func value(
    _ type: UInt8, _ bytes: UnsafeRawBufferPointer, _ out: ByteWriter, _ depth: Int
  ) throws(TerraceError) {
    guard depth < 100, out.count < 1 << 28 else { throw broken() }
    switch type {
    case 0, 1: try object(bytes, out, depth, isLarge: type == 1)
    case 2, 3: try array(bytes, out, depth, isLarge: type == 3)
    case 4: try literal(UInt8(try number(bytes, 0, 1)), out)
    case 5: ValueText.append(Int64(Int16(truncatingIfNeeded: try number(bytes, 0, 2))), to: out)
    case 6: ValueText.append(Int64(try number(bytes, 0, 2)), to: out)
    case 7: ValueText.append(Int64(Int32(truncatingIfNeeded: try number(bytes, 0, 4))), to: out)
    case 8: ValueText.append(Int64(try number(bytes, 0, 4)), to: out)
    case 9: ValueText.append(Int64(bitPattern: try number(bytes, 0, 8)), to: out)
    case 10: out.append(String(try number(bytes, 0, 8)))
    case 11: out.append(text(Double(bitPattern: try number(bytes, 0, 8))))
    case 12: JSONText.appendQuoted(try string(bytes), to: out)
    case 15: try opaque(bytes, out)
    default: throw broken()
    }
  }

  private static func literal(_ code: UInt8, _ out: ByteWriter) throws(TerraceError) {
    switch code {
    case 0: out.append("null")
    case 1: out.append("true")
    case 2: out.append("false")
    default: throw broken()
    }
  }

  /// A length in groups of seven bits, then the bytes.
  private static func string(
    _ bytes: UnsafeRawBufferPointer
  ) throws(TerraceError) -> UnsafeRawBufferPointer {
    var cursor = ByteCursor(bytes)
    let length = try cursor.readVarint()
    guard length <= UInt64(cursor.remaining) else { throw broken() }
    return try cursor.readBytes(Int(length))
  }

  private static func head(
    _ bytes: UnsafeRawBufferPointer, _ isLarge: Bool, _ entry: Int
  ) throws(TerraceError) -> Int {
    let width = isLarge ? 4 : 2
    let count = Int(try number(bytes, 0, width))
    guard count <= max(0, bytes.count - 2 * width) / entry else { throw broken() }
    return count
  }

  private static func element(
    _ bytes: UnsafeRawBufferPointer, _ at: Int, _ out: ByteWriter, _ depth: Int, isLarge: Bool
  ) throws(TerraceError) {
    let type = UInt8(try number(bytes, at, 1))
    let isInline = type == 4 || type == 5 || type == 6 || (isLarge && (type == 7 || type == 8))
    let place = isInline ? at + 1 : Int(try number(bytes, at + 1, isLarge ? 4 : 2))
    guard place <= bytes.count else { throw broken() }
    try value(type, UnsafeRawBufferPointer(rebasing: bytes[place...]), out, depth + 1)
  }

  private static func object(
    _ bytes: UnsafeRawBufferPointer, _ out: ByteWriter, _ depth: Int, isLarge: Bool
  ) throws(TerraceError) {
    let width = isLarge ? 4 : 2
    let count = try head(bytes, isLarge, width + 2 + width + 1)
    out.append("{")
    for i in 0..<count {
      let at = 2 * width + i * (width + 2)
      let start = Int(try number(bytes, at, width))
      let length = Int(try number(bytes, at + width, 2))
      guard start <= bytes.count - length else { throw broken() }
      if i > 0 { out.append(", ") }
      JSONText.appendQuoted(
        UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]), to: out)
      out.append(": ")
      let place = 2 * width + count * (width + 2) + i * (width + 1)
      try element(bytes, place, out, depth, isLarge: isLarge)
    }
    out.append("}")
  }

  private static func array(
    _ bytes: UnsafeRawBufferPointer, _ out: ByteWriter, _ depth: Int, isLarge: Bool
  ) throws(TerraceError) {
    let width = isLarge ? 4 : 2
    let count = try head(bytes, isLarge, width + 1)
    out.append("[")
    for i in 0..<count {
      if i > 0 { out.append(", ") }
      try element(bytes, 2 * width + i * (width + 1), out, depth, isLarge: isLarge)
    }
    out.append("]")
  }

  /// As the server shows it: plain from 1e-15 to 1e15, else with an exponent (dtoa.cc, my_gcvt).
  static func text(_ value: Double) -> String {
    if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }
    // The shortest digits that mean the number, and the place of its point among them.
    var digits = ""
    var point: Int?
    var exponent = 0
    let shown = value.magnitude.description
    let parts = shown.split(separator: "e")
    for c in parts[0] {
      if c == "." { point = digits.count } else { digits.append(c) }
    }
    if parts.count > 1 { exponent = Int(parts[1]) ?? 0 }
    let zeros = digits.prefix { $0 == "0" }.count
    var place = (point ?? digits.count) + exponent - zeros
    digits = String(digits.dropFirst(zeros))
    while digits.hasSuffix("0"), digits.count > 1 { digits.removeLast() }
    let sign = value < 0 ? "-" : ""
    if place > 15 || place < -14 {
      place -= 1
      let rest = digits.dropFirst()
      return sign + digits.prefix(1) + (rest.isEmpty ? "" : "." + rest) + "e\(place)"
    }
    if place <= 0 { return sign + "0." + String(repeating: "0", count: -place) + digits }
    if digits.count <= place {
      return sign + digits + String(repeating: "0", count: place - digits.count) + ".0"
    }
    return sign + digits.prefix(place) + "." + digits.dropFirst(place)
  }

  private static func base64(_ bytes: UnsafeRawBufferPointer, to out: ByteWriter) {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    for at in stride(from: 0, to: bytes.count, by: 3) {
      let count = min(3, bytes.count - at)
      var bits: UInt32 = 0
      for i in 0..<3 { bits = bits << 8 | (i < count ? UInt32(bytes[at + i]) : 0) }
      for i in 0..<4 {
        out.append(i <= count ? digits[Int(bits >> UInt32(18 - i * 6) & 63)] : UInt8(ascii: "="))
      }
    }
  }

  /// DECIMAL, dates and times; others have their bytes and the number of their type.
  private static func opaque(
    _ bytes: UnsafeRawBufferPointer, _ out: ByteWriter
  ) throws(TerraceError) {
    let type = UInt8(try number(bytes, 0, 1))
    let data = try string(UnsafeRawBufferPointer(rebasing: bytes.dropFirst()))
    switch type {
    case 246: break
    case 7, 10, 11, 12: return try moment(type, data, out)
    default:
      out.append("\"base64:type\(type):")
      base64(data, to: out)
      return out.append("\"")
    }
    guard data.count > 2 else { throw broken() }
    let (precision, scale) = (Int(data[0]), Int(data[1]))
    let packed = UnsafeRawBufferPointer(rebasing: data.dropFirst(2))
    guard precision <= 65, scale <= precision,
      packed.count == MySQLDecimal.size(precision, scale)
    else { throw broken() }
    out.append(MySQLDecimal.text(packed, precision, scale))
  }

  /// Date and time in one number: its lowest 24 bits are microseconds.
  private static func moment(
    _ type: UInt8, _ data: UnsafeRawBufferPointer, _ out: ByteWriter
  ) throws(TerraceError) {
    let packed = Int64(bitPattern: try number(data, 0, 8))
    let size = packed.magnitude
    func two(_ value: UInt64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    func digits(_ value: UInt64, _ count: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    let (clock, micro) = (size >> 24, digits(size & 0xff_ffff, 6))
    let time = "\(two(clock >> 6 & 63)):\(two(clock & 63)).\(micro)"
    if type == 11 {
      let hours = two(clock >> 12 & 0x3ff)
      return out.append("\"\(packed < 0 ? "-" : "")\(hours):\(time)\"")
    }
    let months = clock >> 22
    let date = "\(digits(months / 13, 4))-\(two(months % 13))-\(two(clock >> 17 & 31))"
    out.append(type == 10 ? "\"\(date)\"" : "\"\(date) \(two(clock >> 12 & 31)):\(time)\"")
  }
}
