import Columns

extension MySQLRows {
  /// Appends one value by all that is known of its column.
  @inline(never)
  func value(
    _ column: LoggedColumn, _ bytes: inout ImageBytes, _ zone: MySQLZone
  ) throws(TerraceError) {
    let start = bytes
    guard let problem = try append(column, &bytes, target(column.target), zone) else { return }
    var again = start
    fail(column.target, problem.reason, try text(column, &again, zone))
  }

  /// What stands where a value is wrong, for people.
  private func text(
    _ column: LoggedColumn, _ bytes: inout ImageBytes, _ zone: MySQLZone
  ) throws(TerraceError) -> [UInt8] {
    let start = bytes.at
    let target = MySQLTarget(.string)
    if try append(column, &bytes, target, zone) == nil {
      let made = target.builder.finish()
      defer { withExtendedLifetime(made) {} }
      return made.isNull(0) ? Array("null".utf8) : Array(made.bytes(0))
    }
    let digits = MySQLConnection.hex(
      Array(UnsafeBufferPointer(start: start, count: bytes.at - start)))
    return Array(("0x" + digits).utf8)
  }

  private func append(
    _ column: LoggedColumn, _ bytes: inout ImageBytes, _ target: MySQLTarget, _ zone: MySQLZone
  ) throws(TerraceError) -> TextProblem? {
    switch column.type {
    case 15, 253, 254, 252:
      let raw = try column.variable(&bytes)
      return text(column, raw, target)
    default: return try rare(column, &bytes, target, zone)
    }
  }

  private func text(
    _ column: LoggedColumn, _ raw: UnsafeRawBufferPointer, _ target: MySQLTarget
  ) -> TextProblem? {
    do throws(TextProblem) {
      if column.isBinary, column.type == 254, raw.count < column.meta {
        // BINARY(n): the log leaves the zeros at its end out.
        var whole = Array(raw)
        whole += repeatElement(0, count: column.meta - raw.count)
        if let problem = Self.binary(whole, target) { return problem }
      } else if column.isBinary {
        try target.binary(raw)
      } else if column.isGeometry {
        guard let text = MySQLGeometry.text(raw) else { return .notText }
        try MySQLCell.append(text, target)
      } else if let charset = column.charset {
        guard let text = charset.convert(raw) else { return .notText }
        try target.text(text)
      } else {
        try target.text(raw)
      }
      return nil
    } catch { return error }
  }

  private static func binary(_ bytes: [UInt8], _ target: MySQLTarget) -> TextProblem? {
    bytes.withUnsafeBytes { bytes -> TextProblem? in
      do throws(TextProblem) {
        try target.binary(bytes)
        return nil
      } catch { return error }
    }
  }

  private func rare(
    _ column: LoggedColumn, _ bytes: inout ImageBytes, _ target: MySQLTarget, _ zone: MySQLZone
  ) throws(TerraceError) -> TextProblem? {
    switch column.type {
    case 1, 2, 3, 9:
      let width = [0, 1, 2, 4, 0, 0, 0, 0, 0, 3][Int(column.type)]
      let word = Int64(try bytes.little(width))
      let sign = Int64(1) << Int64(width * 8 - 1)
      let number = column.isUnsigned ? word : (word ^ sign) - sign
      return attempt { () throws(TextProblem) in try target.integer(number) }
    case 8:
      let word = try bytes.little(8)
      return attempt { () throws(TextProblem) in
        if column.isUnsigned { return try target.unsigned(word) }
        try target.integer(Int64(bitPattern: word))
      }
    case 13:
      let year = Int64(try bytes.little(1))
      return attempt { () throws(TextProblem) in try target.integer(year == 0 ? 0 : year + 1900) }
    case 4:
      let bits = UInt32(truncatingIfNeeded: try bytes.little(4))
      return attempt { () throws(TextProblem) in try target.float(Float(bitPattern: bits)) }
    case 5:
      let bits = try bytes.little(8)
      return attempt { () throws(TextProblem) in try target.double(Double(bitPattern: bits)) }
    case 246: return try decimal(column, &bytes, target)
    case 10, 14, 11, 7, 12, 17, 18, 19: return try moment(column, &bytes, target, zone)
    case 16:
      let raw = try bytes.raw((column.meta + 7) / 8)
      return attempt { () throws(TextProblem) in try target.bits(raw) }
    case 247:
      let index = Int(try bytes.little(min(column.meta, 4)))
      guard index <= column.members.count else { return .outOfRange }
      // 0 stands for a value that was refused: an empty text.
      let name = index == 0 ? "" : column.members[index - 1]
      return attempt { () throws(TextProblem) in try MySQLCell.append(name, target) }
    case 248:
      let bits = try bytes.little(min(column.meta, 8))
      let names = column.members.enumerated().filter {
        $0.offset < 64 && bits >> UInt64($0.offset) & 1 != 0
      }
      return attempt { () throws(TextProblem) in try target.members(names.map(\.element)) }
    case 255:
      let raw = try column.variable(&bytes)
      return attempt { () throws(TextProblem) in
        guard let text = MySQLGeometry.text(raw) else { throw .notText }
        try MySQLCell.append(text, target)
      }
    case 242:
      let raw = try column.variable(&bytes)
      return attempt { () throws(TextProblem) in try target.vector(raw) }
    case 245:
      let raw = try column.variable(&bytes)
      guard let text = MySQLBinaryJSON.text(raw) else { return .notText }
      return attempt { () throws(TextProblem) in try MySQLCell.append(text, target) }
    default:
      throw TerraceError(.unsupported, "columns of type \(column.type) in the binary log")
    }
  }

  private func attempt(_ body: () throws(TextProblem) -> Void) -> TextProblem? {
    do throws(TextProblem) {
      try body()
      return nil
    } catch { return error }
  }

  private func decimal(
    _ column: LoggedColumn, _ bytes: inout ImageBytes, _ target: MySQLTarget
  ) throws(TerraceError) -> TextProblem? {
    let (precision, scale) = (column.meta >> 8, column.meta & 255)
    let raw = try bytes.raw(MySQLDecimal.size(precision, scale))
    if precision == 0 { return .outOfRange }
    if precision > 38 {
      let text = MySQLDecimal.text(raw, precision, scale)
      return attempt { () throws(TextProblem) in try MySQLCell.append(text, target) }
    }
    let value = MySQLDecimal.value(
      raw.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self), precision, scale,
      as: Int128.self)
    return attempt { () throws(TextProblem) in try target.decimal(value, scale: scale) }
  }

  // MARK: Times

  private func moment(
    _ column: LoggedColumn, _ bytes: inout ImageBytes, _ target: MySQLTarget, _ zone: MySQLZone
  ) throws(TerraceError) -> TextProblem? {
    switch column.type {
    case 10, 14:
      let word = Int64(try bytes.little(3))
      return date(word >> 9, word >> 5 & 15, word & 31, target) { (day) throws(TextProblem) in
        try target.day(day)
      }
    case 7, 17:
      let second = Int64(column.type == 7 ? try bytes.little(4) : try bytes.big(4))
      let micro = column.type == 7 ? 0 : try fraction(column.meta, &bytes)
      if second == 0, micro == 0 { return attempt { () throws(TextProblem) in try target.noDay() } }
      let shift = column.isShifted ? zone.seconds(at: second) : 0
      return attempt { () throws(TextProblem) in
        try target.moment(second: second + shift, micro: micro, fraction: column.fraction)
      }
    case 12:
      let word = Int64(bitPattern: try bytes.little(8))
      let (day, clock) = (word / 1_000_000, word % 1_000_000)
      let second = clock / 10_000 * 3600 + clock / 100 % 100 * 60 + clock % 100
      return date(day / 10_000, day / 100 % 100, day % 100, target) { (day) throws(TextProblem) in
        try target.moment(second: day * 86_400 + second, micro: 0, fraction: 0)
      }
    case 18:
      let word = Int64(try bytes.big(5)) - 0x80_0000_0000
      let micro = try fraction(column.meta, &bytes)
      let (day, clock) = (word >> 17, word & 0x1ffff)
      let months = day >> 5
      let seconds = (clock >> 12) * 3600 + ((clock >> 6) & 63) * 60 + (clock & 63)
      return date(months / 13, months % 13, day & 31, target) { (day) throws(TextProblem) in
        try target.moment(
          second: day * 86_400 + seconds, micro: micro, fraction: column.fraction)
      }
    case 11:
      let word = Int64(try bytes.little(3))
      let value = (word ^ 0x80_0000) - 0x80_0000
      let size = Int64(value.magnitude)
      let second = size / 10_000 * 3600 + size / 100 % 100 * 60 + size % 100
      return attempt { () throws(TextProblem) in
        try target.clock(micros: (value < 0 ? -second : second) * 1_000_000, fraction: 0)
      }
    default: return try time2(column, &bytes, target)
    }
  }

  /// Digits of the second in hundreds: one, two or three bytes.
  private func fraction(
    _ digits: Int, _ bytes: inout ImageBytes
  ) throws(TerraceError) -> Int64 {
    let width = (min(digits, 6) + 1) / 2
    let value = Int64(try bytes.big(width))
    return width == 1 ? value * 10_000 : width == 2 ? value * 100 : value
  }

  /// TIME(n): sign, hours, minutes and seconds in 24 bits, and the fraction, as one number with an offset.
  private func time2(
    _ column: LoggedColumn, _ bytes: inout ImageBytes, _ target: MySQLTarget
  ) throws(TerraceError) -> TextProblem? {
    let width = (min(column.meta, 6) + 1) / 2
    let bits = Int64(width * 8)
    let word = Int64(try bytes.big(3 + width)) - (Int64(0x80_0000) << bits)
    let size = Int64(word.magnitude)
    let clock = size >> bits
    let rest = size & ((Int64(1) << bits) - 1)
    let micro = width == 1 ? rest * 10_000 : width == 2 ? rest * 100 : width == 3 ? rest : 0
    let second = (clock >> 12 & 0x3ff) * 3600 + (clock >> 6 & 63) * 60 + (clock & 63)
    let micros = second * 1_000_000 + micro
    return attempt { () throws(TextProblem) in
      try target.clock(micros: word < 0 ? -micros : micros, fraction: column.fraction)
    }
  }

  private func date(
    _ year: Int64, _ month: Int64, _ day: Int64, _ target: MySQLTarget,
    _ put: (Int64) throws(TextProblem) -> Void
  ) -> TextProblem? {
    attempt { () throws(TextProblem) in
      guard month >= 1, month <= 12, day >= 1, year <= 9999, year >= 0,
        day <= CivilDate.lastDay(ofMonth: month, year: year)
      else { return try target.noDay() }
      try put(CivilDate.day(year: year, month: month, day: day))
    }
  }
}

/// Packed decimals: nine digits in four bytes, big-endian, turned over when negative.
enum MySQLDecimal {
  static func size(_ precision: Int, _ scale: Int) -> Int {
    let whole = max(precision - scale, 0)
    return whole / 9 * 4 + width(whole % 9) + scale / 9 * 4 + width(scale % 9)
  }

  /// The digits in groups of up to nine: the value of each and how many digits it has.
  private static func groups(
    _ bytes: UnsafeRawBufferPointer, _ precision: Int, _ scale: Int,
    _ each: (UInt64, Int) -> Void
  ) -> Bool {
    guard let first = bytes.first else { return false }
    let isNegative = first & 0x80 == 0
    let flip: UInt8 = isNegative ? 0xff : 0
    var at = 0
    func group(_ digits: Int) {
      var value: UInt64 = 0
      for _ in 0..<width(digits) {
        let byte = bytes[at] ^ flip ^ (at == 0 ? 0x80 : 0)
        value = value << 8 | UInt64(byte)
        at += 1
      }
      each(value, digits)
    }
    let whole = precision - scale
    if whole % 9 > 0 { group(whole % 9) }
    for _ in 0..<(whole / 9) { group(9) }
    for _ in 0..<(scale / 9) { group(9) }
    if scale % 9 > 0 { group(scale % 9) }
    return isNegative
  }

  @inline(__always) private static func ten(_ power: Int) -> UInt32 {
    var value: UInt32 = 1
    for _ in 0..<power { value &*= 10 }
    return value
  }

  /// The unscaled value: of up to 18 digits in an Int64, up to 38 in an Int128.
  @inline(__always)
  static func value<T: FixedWidthInteger & SignedInteger>(
    _ bytes: UnsafePointer<UInt8>, _ precision: Int, _ scale: Int, as type: T.Type
  ) -> T {
    if precision == 0 { return 0 }
    let isNegative = bytes[0] & 0x80 == 0
    let flip: UInt8 = isNegative ? 0xff : 0
    var at = 0
    var value: T = 0
    @inline(__always) func group(_ digits: Int) {
      var part: UInt32 = 0
      for _ in 0..<width(digits) {
        part = part &<< 8 | UInt32(bytes[at] ^ flip ^ (at == 0 ? 0x80 : 0))
        at &+= 1
      }
      value = value &* T(digits == 9 ? 1_000_000_000 : ten(digits)) &+ T(part)
    }
    let whole = precision &- scale
    if whole % 9 > 0 { group(whole % 9) }
    for _ in 0..<whole / 9 { group(9) }
    for _ in 0..<scale / 9 { group(9) }
    if scale % 9 > 0 { group(scale % 9) }
    return isNegative ? 0 &- value : value
  }

  /// Bytes of a group of digits: 0 1 1 2 2 3 3 4 4 4.
  @inline(__always) private static func width(_ digits: Int) -> Int {
    digits >= 7 ? 4 : (digits &+ 1) / 2
  }

  static func text(_ bytes: UnsafeRawBufferPointer, _ precision: Int, _ scale: Int) -> String {
    var digits = ""
    let isNegative = groups(bytes, precision, scale) { part, count in
      let text = String(part)
      digits += String(repeating: "0", count: max(0, count - text.count)) + text
    }
    let split = digits.index(digits.startIndex, offsetBy: max(0, digits.count - scale))
    var whole = String(digits[..<split].drop { $0 == "0" })
    if whole.isEmpty { whole = "0" }
    return (isNegative ? "-" : "") + whole + (scale > 0 ? "." + digits[split...] : "")
  }
}
