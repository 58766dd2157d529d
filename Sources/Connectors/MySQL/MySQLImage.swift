import Columns

/// Bytes of row images: a pointer that never leaves them.
struct ImageBytes {
  var at: UnsafePointer<UInt8>
  let end: UnsafePointer<UInt8>

  init(_ bytes: UnsafeRawBufferPointer) {
    let none = UnsafePointer<UInt8>(bitPattern: 8).unsafelyUnwrapped
    at = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? none
    end = at + bytes.count
  }

  var isAtEnd: Bool { at >= end }

  @inline(__always) mutating func take(
    _ count: Int
  ) throws(TerraceError) -> UnsafePointer<UInt8> {
    guard count >= 0, count <= end - at else { throw Self.broken() }
    let start = at
    at += count
    return start
  }

  @inline(never) static func broken() -> TerraceError {
    TerraceError(.corrupted, "the binary log has a row that ends early")
  }

  /// `count` bytes, least significant first.
  @inline(__always) mutating func little(_ count: Int) throws(TerraceError) -> UInt64 {
    let bytes = try take(count)
    var value: UInt64 = 0
    for i in 0..<count { value |= UInt64(bytes[i]) &<< UInt64(i &* 8) }
    return value
  }

  /// `count` bytes, most significant first.
  @inline(__always) mutating func big(_ count: Int) throws(TerraceError) -> UInt64 {
    let bytes = try take(count)
    var value: UInt64 = 0
    for i in 0..<count { value = value &<< 8 | UInt64(bytes[i]) }
    return value
  }

  @inline(__always) mutating func raw(_ count: Int) throws(TerraceError) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: try take(count), count: count)
  }
}

/// One column of the log, and where its values go.
struct LoggedColumn {
  /// Type and detail as TABLE_MAP has them.
  var type: UInt8
  var meta: Int
  /// Column among those of the source that come from the server; -1: nobody asks.
  var target = -1
  var isUnsigned = false
  var isBinary = false
  var isGeometry = false
  /// A TIMESTAMP that is shown as a wall clock's reading.
  var isShifted = false
  var fraction = 0
  var charset: MySQLCharset?
  var members: [String] = []

  /// Passes over a value.
  func skip(_ bytes: inout ImageBytes) throws(TerraceError) {
    switch type {
    case 1, 13: _ = try bytes.take(1)
    case 2: _ = try bytes.take(2)
    case 9, 10, 14, 11: _ = try bytes.take(3)
    case 3, 4, 7: _ = try bytes.take(4)
    case 5, 8, 12: _ = try bytes.take(8)
    case 17: _ = try bytes.take(4 + (meta + 1) / 2)
    case 18: _ = try bytes.take(5 + (meta + 1) / 2)
    case 19: _ = try bytes.take(3 + (meta + 1) / 2)
    case 16: _ = try bytes.take((meta + 7) / 8)
    case 246: _ = try bytes.take(MySQLDecimal.size(meta >> 8, meta & 255))
    case 247, 248: _ = try bytes.take(meta)
    default: _ = try variable(&bytes)
    }
  }

  @inline(__always) func variable(
    _ bytes: inout ImageBytes
  ) throws(TerraceError) -> UnsafeRawBufferPointer {
    let width: Int
    switch type {
    case 15, 253, 254: width = meta > 255 ? 2 : 1
    case 245, 249...252, 255:
      guard (1...4).contains(meta) else { throw ImageBytes.broken() }
      width = meta
    default:
      throw TerraceError(.unsupported, "columns of type \(type) in the binary log")
    }
    return try bytes.raw(Int(try bytes.little(width)))
  }
}

extension MySQLRows {
  /// Appends the columns of one image that are asked for.
  func decode(
    _ bytes: inout ImageBytes, _ columns: UnsafeBufferPointer<LoggedColumn>,
    present: UnsafeRawBufferPointer, isFull: Bool, zone: MySQLZone
  ) throws(TerraceError) {
    var count = columns.count
    if !isFull {
      count = 0
      for c in columns.indices where present[c >> 3] >> UInt8(c & 7) & 1 != 0 { count += 1 }
    }
    let nulls = try bytes.take((count + 7) / 8)
    var bit = 0
    for c in columns.indices {
      if !isFull, present[c >> 3] >> UInt8(c & 7) & 1 == 0 {
        if columns[c].target >= 0 { throw MySQLRows.partial() }
        continue
      }
      let isNull = nulls[bit >> 3] >> UInt8(bit & 7) & 1 != 0
      bit &+= 1
      let target = columns[c].target
      if isNull {
        if target >= 0 { appendNull(target) }
      } else if target < 0 {
        try columns[c].skip(&bytes)
      } else {
        let start = bytes.at
        try value(columns, c, &bytes, zone)
        byteCount &+= bytes.at - start &+ 8
      }
    }
  }

  private static func partial() -> TerraceError {
    TerraceError(
      .invalid, "the binary log does not hold whole rows",
      hint: "SET GLOBAL binlog_row_image = 'FULL', and connect the applications anew")
  }

  @inline(__always) private func value(
    _ columns: UnsafeBufferPointer<LoggedColumn>, _ c: Int, _ bytes: inout ImageBytes,
    _ zone: MySQLZone
  ) throws(TerraceError) {
    let i = columns[c].target
    let target = target(i)
    let isUnsigned = columns[c].isUnsigned
    var problem: TextProblem?
    switch columns[c].type {
    case 3:
      let word = UInt32(truncatingIfNeeded: try bytes.little(4))
      let number = isUnsigned ? Int64(word) : Int64(Int32(bitPattern: word))
      do throws(TextProblem) { try target.integer(number) } catch { problem = error }
    case 8:
      let word = try bytes.little(8)
      do throws(TextProblem) {
        if isUnsigned {
          try target.unsigned(word)
        } else {
          try target.integer(Int64(bitPattern: word))
        }
      } catch { problem = error }
    case 15, 253, 254, 252:
      let raw = try columns[c].variable(&bytes)
      problem = text(columns, c, raw, target)
    default:
      problem = try rare(columns[c], &bytes, target, zone)
    }
    if let problem { fail(i, problem.reason) }
  }

  private func text(
    _ columns: UnsafeBufferPointer<LoggedColumn>, _ c: Int, _ raw: UnsafeRawBufferPointer,
    _ target: MySQLTarget
  ) -> TextProblem? {
    do throws(TextProblem) {
      if columns[c].isBinary {
        try target.binary(raw)
      } else if columns[c].isGeometry {
        guard let text = MySQLGeometry.text(raw) else { return .notText }
        try MySQLCell.append(text, target)
      } else if let charset = columns[c].charset {
        guard let text = charset.convert(raw) else { return .notText }
        try target.text(text)
      } else {
        try target.text(raw)
      }
      return nil
    } catch { return error }
  }

  @inline(never) private func rare(
    _ column: LoggedColumn, _ bytes: inout ImageBytes, _ target: MySQLTarget, _ zone: MySQLZone
  ) throws(TerraceError) -> TextProblem? {
    switch column.type {
    case 1, 2, 9:
      let width = column.type == 1 ? 1 : column.type == 2 ? 2 : 3
      let word = Int64(try bytes.little(width))
      let sign = Int64(1) << Int64(width * 8 - 1)
      let number = column.isUnsigned ? word : (word ^ sign) - sign
      return attempt { () throws(TextProblem) in try target.integer(number) }
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
    if precision > 38 {
      let text = MySQLDecimal.text(raw, precision, scale)
      return attempt { () throws(TextProblem) in try MySQLCell.append(text, target) }
    }
    let value = MySQLDecimal.value(raw, precision, scale)
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
  private static let sizes = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4]

  static func size(_ precision: Int, _ scale: Int) -> Int {
    let whole = max(precision - scale, 0)
    return whole / 9 * 4 + sizes[whole % 9] + scale / 9 * 4 + sizes[scale % 9]
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
      for _ in 0..<sizes[digits] {
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

  private static let tens: [Int128] = [
    1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000,
  ]

  /// The unscaled value, of up to 38 digits.
  static func value(_ bytes: UnsafeRawBufferPointer, _ precision: Int, _ scale: Int) -> Int128 {
    var value: Int128 = 0
    let isNegative = groups(bytes, precision, scale) { part, digits in
      value = value &* tens[digits] &+ Int128(part)
    }
    return isNegative ? 0 &- value : value
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
