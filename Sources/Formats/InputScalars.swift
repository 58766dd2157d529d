import CLanes
import Columns

/// Eight bytes at a time: digits, and the bytes that end a string.
enum Swar {
  static let ones: UInt64 = 0x0101_0101_0101_0101
  static let high: UInt64 = 0x8080_8080_8080_8080

  @inline(__always) static func load(_ at: UnsafePointer<UInt8>) -> UInt64 {
    UnsafeRawPointer(at).loadUnaligned(as: UInt64.self)
  }

  /// High bits at the bytes equal to `byte`; only the lowest hit is exact.
  @inline(__always) static func hits(_ word: UInt64, _ byte: UInt8) -> UInt64 {
    let x = word ^ (ones &* UInt64(byte))
    return (x &- ones) & ~x & high
  }

  @inline(__always) static func loadTwo(_ at: UnsafePointer<UInt8>) -> SIMD2<UInt64> {
    UnsafeRawPointer(at).loadUnaligned(as: SIMD2<UInt64>.self)
  }

  /// The first quote, backslash or control character.
  @inline(__always) static func stringEnd(_ start: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
    var at = start
    while true {
      let hits = t_string_mask(at)
      if hits != 0 { return at + hits.trailingZeroBitCount }
      at += 16
    }
  }

  /// High bits at bytes that are none of 0…9; only the lowest hit is exact.
  @inline(__always) static func nonDigits(_ word: UInt64) -> UInt64 {
    ((word &+ 0x7676_7676_7676_7676) | word) & high
  }

  /// The value of eight digits, first one lowest, given as bytes 0…9.
  @inline(__always) static func eightDigits(_ digits: UInt64) -> UInt64 {
    var v = (digits &* 2561) >> 8
    v = ((v & 0x00ff_00ff_00ff_00ff) &* 6_553_601) >> 16
    return ((v & 0x0000_ffff_0000_ffff) &* 42_949_672_960_001) >> 32
  }
}

/// Puts scalar text into columns by the short ways, and by ``ValueParser`` what does not fit them.
///
/// All input carries padding or further text behind it, so words may be loaded over its end.
struct InputScalars {
  typealias Bytes = UnsafePointer<UInt8>
  private let tens: UnsafeMutablePointer<UInt64>
  private let fractions: UnsafeMutablePointer<Double>
  /// What a letter behind a backslash stands for; 0: not one letter alone.
  let escapes: UnsafeMutablePointer<UInt8>

  init() {
    escapes = .allocate(capacity: 256)
    escapes.initialize(repeating: 0, count: 256)
    for (letter, byte) in zip("\"\\/bfnrt".utf8, "\"\\/\u{8}\u{c}\n\r\t".utf8) {
      escapes[Int(letter)] = byte
    }
    tens = .allocate(capacity: 20)
    fractions = .allocate(capacity: 20)
    var ten: UInt64 = 1
    for i in 0..<20 {
      tens[i] = ten
      fractions[i] = Double(ten)
      if i < 19 { ten *= 10 }
    }
  }

  func deallocate() {
    escapes.deallocate()
    tens.deallocate()
    fractions.deallocate()
  }

  /// Adds the digits at `at` to `value`; returns how many. Beyond 18 the value is worthless.
  @inline(__always)
  func digits(_ at: inout Bytes, _ value: inout UInt64) -> Int {
    let start = at
    var x = Swar.load(at) ^ 0x3030_3030_3030_3030
    var hit = Swar.nonDigits(x)
    while hit == 0 {
      value = value &* 100_000_000 &+ Swar.eightDigits(x)
      at += 8
      x = Swar.load(at) ^ 0x3030_3030_3030_3030
      hit = Swar.nonDigits(x)
    }
    let some = hit.trailingZeroBitCount >> 3
    // Two shifts, since none may be by 64.
    let kept = (x &<< UInt64(truncatingIfNeeded: 56 &- 8 &* some)) &<< 8
    value = value &* tens[some] &+ (some == 0 ? 0 : Swar.eightDigits(kept))
    at += some
    return at - start
  }

  /// A number of up to 18 digits and no exponent, by the grammar of JSON: its end; nil, and nothing was
  /// done, when it takes the long way.
  func number(_ node: UnsafeMutablePointer<InputNode>, _ start: Bytes) -> Bytes? {
    var at = start
    let isNegative = at.pointee == UInt8(ascii: "-")
    if isNegative { at += 1 }
    let isZero = at.pointee == 0x30
    var mantissa: UInt64 = 0
    var count = digits(&at, &mantissa)
    if count == 0 || (isZero && count > 1) { return nil }
    var fraction = 0
    if at.pointee == UInt8(ascii: ".") {
      at += 1
      fraction = digits(&at, &mantissa)
      if fraction == 0 { return nil }
      count &+= fraction
    }
    if at.pointee | 0x20 == UInt8(ascii: "e") || count > 18 { return nil }
    let isStored = store(
      node, mantissa, isNegative: isNegative, digits: count, fraction: fraction)
    return isStored ? at : nil
  }

  /// Stores ±mantissa · 10⁻ᶠʳᵃᶜᵗⁱᵒⁿ, all of up to 18 digits; false when it takes the long way.
  @inline(__always)
  func store(
    _ node: UnsafeMutablePointer<InputNode>, _ mantissa: UInt64, isNegative: Bool, digits: Int,
    fraction: Int
  ) -> Bool {
    let whole = isNegative ? 0 &- Int64(bitPattern: mantissa) : Int64(bitPattern: mantissa)
    switch node.pointee.op {
    case .int64:
      if fraction != 0 { return false }
      node.pointee.append(whole)
    case .int32:
      guard fraction == 0, let value = Int32(exactly: whole) else { return false }
      node.pointee.append(value)
    case .double:
      if mantissa > 1 << 53 { return false }
      let value = Double(mantissa) / fractions[fraction]
      node.pointee.append(isNegative ? -value : value)
    case .decimal64, .decimal128:
      let shift = Int(node.pointee.digits) &- fraction
      if shift < 0 || digits &+ shift > 18 { return false }
      let value = whole &* Int64(bitPattern: tens[shift])
      let precision = Int(node.pointee.precision)
      if precision < 18, value.magnitude >= tens[precision] { return false }
      if node.pointee.op == .decimal64 {
        node.pointee.append(value)
      } else {
        node.pointee.append(Int128(value))
      }
    case .int16:
      guard fraction == 0, let value = Int16(exactly: whole) else { return false }
      node.pointee.append(value)
    case .int8:
      guard fraction == 0, let value = Int8(exactly: whole) else { return false }
      node.pointee.append(value)
    case .float:
      if mantissa > 1 << 24 || fraction > 10 { return false }
      let value = Float(mantissa) / Float(fractions[fraction])
      node.pointee.append(isNegative ? -value : value)
    default: return false
    }
    return true
  }

  /// Appends the value of `start ..< end`, or throws and appends nothing.
  @inline(__always)
  func append(
    _ node: UnsafeMutablePointer<InputNode>, _ start: Bytes, _ end: Bytes
  ) throws(TextProblem) {
    switch node.pointee.op {
    case .timestamp, .zoned:
      if timestamp(node, start, end) { return }
    case .date:
      if end - start == 10, let second = date(node, start) {
        return node.pointee.append(Int32(truncatingIfNeeded: second / 86_400))
      }
    case .boolean:
      if let bit = Self.bit(start, end) { return node.pointee.append(bit) }
      let text = UnsafeRawBufferPointer(start: start, count: end - start)
      do throws(TextProblem) {
        return node.pointee.append(try ValueParser.boolean(text))
      } catch { break }
    case .text, .bytes, .time: break
    default:
      if number(node, start, end) { return }
    }
    try long(node, start, end)
  }

  /// `1` and `0`, as change streams have the truth of MySQL's TINYINT(1).
  static func bit(_ start: Bytes, _ end: Bytes) -> UInt8? {
    guard end - start == 1, start.pointee &- UInt8(ascii: "0") <= 1 else { return nil }
    return start.pointee &- UInt8(ascii: "0")
  }

  @inline(never)
  func long(
    _ node: UnsafeMutablePointer<InputNode>, _ start: Bytes, _ end: Bytes
  ) throws(TextProblem) {
    try long(node, UnsafeRawBufferPointer(start: start, count: end - start))
  }

  func long(
    _ node: UnsafeMutablePointer<InputNode>, _ text: UnsafeRawBufferPointer
  ) throws(TextProblem) {
    try node.pointee.parser.append(text, to: node.pointee.builder.takeUnretainedValue())
  }

  /// A plain number that ends at `end`.
  @inline(__always)
  private func number(
    _ node: UnsafeMutablePointer<InputNode>, _ start: Bytes, _ end: Bytes
  ) -> Bool {
    var at = start
    let isNegative = start.pointee == UInt8(ascii: "-")
    if isNegative { at += 1 }
    var mantissa: UInt64 = 0
    var count = digits(&at, &mantissa)
    if count == 0 { return false }
    var fraction = 0
    if at < end, at.pointee == UInt8(ascii: ".") {
      at += 1
      fraction = digits(&at, &mantissa)
      count &+= fraction
    }
    if at != end || count > 18 { return false }
    return store(node, mantissa, isNegative: isNegative, digits: count, fraction: fraction)
  }

  /// Second since 1970 at the start of the day in the ten bytes; nil when they are no plain date.
  @inline(__always)
  private func date(_ node: UnsafeMutablePointer<InputNode>, _ start: Bytes) -> Int64? {
    let head = Swar.load(start)
    let tail = UnsafeRawPointer(start + 8).loadUnaligned(as: UInt16.self)
    if head == node.pointee.dateHead, tail == node.pointee.dateTail {
      return node.pointee.dateSecond
    }
    return newDate(node, start)
  }

  @inline(never)
  private func newDate(_ node: UnsafeMutablePointer<InputNode>, _ start: Bytes) -> Int64? {
    let text = UnsafeRawBufferPointer(start: start, count: 10)
    let day: Int32
    // The long way meets the same problem and reports it.
    do throws(TextProblem) { day = try ValueParser.date(text) } catch { return nil }
    node.pointee.dateHead = Swar.load(start)
    node.pointee.dateTail = UnsafeRawPointer(start + 8).loadUnaligned(as: UInt16.self)
    node.pointee.dateSecond = Int64(day) * 86_400
    return node.pointee.dateSecond
  }

  /// `yyyy-MM-dd?HH:mm:ss[.digits]`, with `Z` when the type has a zone.
  @inline(__always)
  private func timestamp(
    _ node: UnsafeMutablePointer<InputNode>, _ start: Bytes, _ end: Bytes
  ) -> Bool {
    var last = end
    if node.pointee.op == .zoned, (end - 1).pointee == UInt8(ascii: "Z") { last -= 1 }
    guard last - start >= 19, let day = date(node, start) else { return false }
    let middle = start[10]
    if middle != UInt8(ascii: " ") && middle != UInt8(ascii: "T") { return false }
    // Both colons and all digits at once: xor leaves 0 and 0…9.
    let x = Swar.load(start + 11) ^ 0x3030_3a30_303a_3030
    if ((x &+ 0x7676_7676_7676_7676) | x) & Swar.high != 0 || x & 0x0000_ff00_00ff_0000 != 0 {
      return false
    }
    let hour = Int64((x & 0xf) &* 10 &+ (x >> 8) & 0xf)
    let minute = Int64((x >> 24 & 0xf) &* 10 &+ (x >> 32) & 0xf)
    let second = Int64((x >> 48 & 0xf) &* 10 &+ (x >> 56) & 0xf)
    if hour > 23 || minute > 59 || second > 59 { return false }
    let total = day &+ hour &* 3600 &+ minute &* 60 &+ second
    var fraction: UInt64 = 0
    var count = 0
    if last - start > 19 {
      var at = start + 20
      if start[19] != UInt8(ascii: ".") { return false }
      count = digits(&at, &fraction)
      if at != last || count == 0 { return false }
    }
    let precision = Int(node.pointee.digits)
    if count > precision { return false }
    // Years of four digits cannot overflow any of these.
    if precision <= 3 {
      node.pointee.append(total &* 1_000 &+ Int64(bitPattern: fraction &* tens[3 &- count]))
    } else if precision <= 6 {
      node.pointee.append(total &* 1_000_000 &+ Int64(bitPattern: fraction &* tens[6 &- count]))
    } else {
      let nanosecond = Int128(fraction &* tens[9 &- count])
      node.pointee.append(Int128(total) * 1_000_000_000 + nanosecond)
    }
    return true
  }
}
