import Columns

/// Passes over values that no column takes, checking their grammar.
enum JSONSkipper {
  typealias Bytes = UnsafePointer<UInt8>

  /// - Returns: the end of the value at `start`.
  static func skip(
    _ start: Bytes, _ parser: JSONRecordParser, depth: Int = 0
  ) throws(RecordProblem) -> Bytes {
    switch start.pointee {
    case UInt8(ascii: "\""): return try string(start, parser)
    case UInt8(ascii: "-"), 0x30...0x39: return try number(start, parser)
    case UInt8(ascii: "{"), UInt8(ascii: "["): return try nested(start, parser, depth: depth + 1)
    case UInt8(ascii: "n"): return try parser.word(start, 0x6c6c_756e)
    case UInt8(ascii: "t"): return try parser.word(start, 0x6575_7274)
    case UInt8(ascii: "f"): return try parser.word(start + 1, 0x6573_6c61)
    default: throw parser.problem(.noValue, start)
    }
  }

  private static func nested(
    _ start: Bytes, _ parser: JSONRecordParser, depth: Int
  ) throws(RecordProblem) -> Bytes {
    if depth > JSONValue.depthLimit { throw parser.problem(.deep, start) }
    let isObject = start.pointee == UInt8(ascii: "{")
    let closing = isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")
    var at = start + 1
    parser.skipSpace(&at)
    if at.pointee == closing { return at + 1 }
    while true {
      if isObject {
        guard at.pointee == UInt8(ascii: "\"") else { throw parser.problem(.memberName, at) }
        at = try string(at, parser)
        parser.skipSpace(&at)
        guard at.pointee == UInt8(ascii: ":") else { throw parser.problem(.colon, at) }
        at += 1
        parser.skipSpace(&at)
      }
      // Most members are strings and numbers, and a call for each would cost as much again.
      let first = at.pointee
      if first == UInt8(ascii: "\"") {
        at = try string(at, parser)
      } else if first &- 0x30 <= 9 {
        at = try number(at, parser)
      } else {
        at = try skip(at, parser, depth: depth)
      }
      parser.skipSpace(&at)
      let byte = at.pointee
      guard byte == closing || byte == UInt8(ascii: ",") else { throw parser.problem(.comma, at) }
      at += 1
      if byte == closing { return at }
      parser.skipSpace(&at)
    }
  }

  @inline(__always)
  private static func string(
    _ start: Bytes, _ parser: JSONRecordParser
  ) throws(RecordProblem) -> Bytes {
    let end = Swar.stringEnd(start + 1)
    return end.pointee == UInt8(ascii: "\"") ? end + 1 : try escaped(end, start, parser)
  }

  /// The rest of a string with escapes, from the first one on.
  @inline(never)
  private static func escaped(
    _ place: Bytes, _ start: Bytes, _ parser: JSONRecordParser
  ) throws(RecordProblem) -> Bytes {
    var at = place
    while at.pointee != UInt8(ascii: "\"") {
      if at.pointee != UInt8(ascii: "\\") {
        throw parser.problem(at == parser.recordEnd ? .unterminated : .control, start)
      }
      // The character after a backslash is no end of the string, unless it is the record's.
      at = Swar.stringEnd(at + (at[1] < 0x20 ? 1 : 2))
    }
    return at + 1
  }

  /// A number by the grammar of JSON.
  @inline(__always)
  static func number(_ start: Bytes, _ parser: JSONRecordParser) throws(RecordProblem) -> Bytes {
    var at = start
    if at.pointee == UInt8(ascii: "-") { at += 1 }
    let first = at
    at = digits(at)
    if at == first || (first.pointee == 0x30 && at - first > 1) {
      throw parser.problem(.number, start)
    }
    if at.pointee == UInt8(ascii: ".") {
      let fraction = at + 1
      at = digits(fraction)
      if at == fraction { throw parser.problem(.number, start) }
    }
    if at.pointee | 0x20 == UInt8(ascii: "e") {
      at += 1
      if at.pointee == UInt8(ascii: "+") || at.pointee == UInt8(ascii: "-") { at += 1 }
      let exponent = at
      at = digits(exponent)
      if at == exponent { throw parser.problem(.number, start) }
    }
    return at
  }

  /// The first byte that is no digit.
  @inline(__always)
  private static func digits(_ start: Bytes) -> Bytes {
    var at = start
    while true {
      let hit = Swar.nonDigits(Swar.load(at) ^ 0x3030_3030_3030_3030)
      if hit != 0 { return at + hit.trailingZeroBitCount >> 3 }
      at += 8
    }
  }
}
