import Columns

/// Strings of records: into a text column, or as bytes for other uses.
extension JSONRecordParser {
  /// The string at the quote, appended to a text column; sixteen bytes are copied while looked at.
  ///
  /// - Returns: its end.
  func text(_ node: Node, _ start: Bytes) throws(RecordProblem) -> Bytes {
    var at = start + 1
    let builder = node.pointee.builder
    // A string is never longer than its text, and some bytes may be written over its end.
    let target = builder._withUnsafeGuaranteedRef { $0.spareBytes(recordEnd - at + 16) }
    var out = target
    var seen: UInt64 = 0
    while true {
      let words = Swar.loadTwo(at)
      out.storeBytes(of: words, as: SIMD2<UInt64>.self)
      let hits = Swar.stringHits(words)
      if hits.x | hits.y == 0 {
        seen |= words.x | words.y
        at += 16
        out += 16
        continue
      }
      // Only what stands before the hit belongs to the string.
      var plain = hits.x.trailingZeroBitCount >> 3
      seen |= words.x & (hits.x &- 1) & ~hits.x
      if hits.x == 0 {
        plain = 8 &+ hits.y.trailingZeroBitCount >> 3
        seen |= words.y & (hits.y &- 1) & ~hits.y
      }
      at += plain
      out += plain
      if at.pointee == UInt8(ascii: "\"") { break }
      let letter = scalars.escapes[Int(at[1])]
      if letter != 0, at.pointee == UInt8(ascii: "\\") {
        out.storeBytes(of: letter, as: UInt8.self)
        at += 2
        out += 1
      } else {
        (at, out) = try escape(at, out, start)
      }
    }
    let count = out - target
    if seen & Swar.high != 0 || node.pointee.digits < count {
      try check(
        UnsafeRawBufferPointer(start: target, count: count), node, start,
        isASCII: seen & Swar.high == 0)
    }
    builder._withUnsafeGuaranteedRef { builder in
      builder.advanceBytes(count)
      builder.spareOffsets(1)[0] = Int32(truncatingIfNeeded: builder.byteCount)
      builder.advance(1)
    }
    return at + 1
  }

  @inline(never)
  private func check(
    _ text: UnsafeRawBufferPointer, _ node: Node, _ start: Bytes, isASCII: Bool
  ) throws(RecordProblem) {
    if !isASCII, !UTF8Text.isValid(text) { throw problem(.notUTF8, start, node) }
    if text.count > Int(node.pointee.digits),
      UTF8Text.characterCount(text) > Int(node.pointee.digits)
    {
      var problem = problem(.value, start, node)
      problem.problem = .tooLong
      throw problem
    }
  }

  /// The string at the quote; valid until the next call. In place unless it holds escapes.
  func string(_ at: inout Bytes) throws(RecordProblem) -> UnsafeBufferPointer<UInt8> {
    let start = at
    at += 1
    let first = at
    at = Swar.stringEnd(at)
    if at.pointee == UInt8(ascii: "\"") {
      at += 1
      return UnsafeBufferPointer(start: first, count: at - 1 - first)
    }
    at = start
    return try unescaped(&at)
  }

  @inline(never)
  private func unescaped(_ at: inout Bytes) throws(RecordProblem) -> UnsafeBufferPointer<UInt8> {
    let start = at
    at += 1
    scratch.removeAll()
    scratch.reserve(recordEnd - at + 8)
    var out = scratch.base
    while at.pointee != UInt8(ascii: "\"") {
      if at.pointee == UInt8(ascii: "\\") || at.pointee < 0x20 {
        (at, out) = try escape(at, out, start)
      } else {
        out.storeBytes(of: at.pointee, as: UInt8.self)
        out += 1
        at += 1
      }
    }
    at += 1
    let count = out - scratch.base
    // Scanners of what comes out may load words over its end, and must see no digit there.
    (scratch.base + count).storeBytes(of: 0, as: UInt64.self)
    return UnsafeBufferPointer(
      start: scratch.base.assumingMemoryBound(to: UInt8.self), count: count)
  }

  /// What a backslash stands for; any other byte that stops a string is an offence.
  ///
  /// Halves of surrogate pairs cannot be text and become U+FFFD, as in browsers.
  @inline(never)
  private func escape(
    _ place: Bytes, _ target: UnsafeMutableRawPointer, _ start: Bytes
  ) throws(RecordProblem) -> (Bytes, UnsafeMutableRawPointer) {
    var (at, out) = (place, target)
    guard at.pointee == UInt8(ascii: "\\") else {
      throw at == recordEnd ? problem(.unterminated, start) : problem(.control, at)
    }
    let plain = scalars.escapes[Int(at[1])]
    if plain == 0 {
      guard at[1] == UInt8(ascii: "u"), var code = hex(at + 2) else { throw problem(.escape, at) }
      at += 6
      if code >> 10 == 0x36, at.pointee == UInt8(ascii: "\\"), at[1] == UInt8(ascii: "u"),
        let low = hex(at + 2), low >> 10 == 0x37
      {
        code = 0x10000 + (code & 0x3ff) << 10 + low & 0x3ff
        at += 6
      }
      put(Unicode.Scalar(code)?.value ?? 0xfffd, &out)
      return (at, out)
    }
    out.storeBytes(of: plain, as: UInt8.self)
    return (at + 2, out + 1)
  }

  private func hex(_ at: Bytes) -> UInt32? {
    var code: UInt32 = 0
    for i in 0..<4 {
      // Stops at the line feed behind the record.
      let digit = ValueParser.hexValue(at[i])
      if digit > 15 { return nil }
      code = code << 4 | UInt32(digit)
    }
    return code
  }

  private func put(_ code: UInt32, _ out: inout UnsafeMutableRawPointer) {
    func byte(_ value: UInt32) {
      out.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
      out += 1
    }
    switch code {
    case ..<0x80: byte(code)
    case ..<0x800:
      byte(0xc0 | code >> 6)
      byte(0x80 | code & 0x3f)
    case ..<0x10000:
      byte(0xe0 | code >> 12)
      byte(0x80 | code >> 6 & 0x3f)
      byte(0x80 | code & 0x3f)
    default:
      byte(0xf0 | code >> 18)
      byte(0x80 | code >> 12 & 0x3f)
      byte(0x80 | code >> 6 & 0x3f)
      byte(0x80 | code & 0x3f)
    }
  }
}

/// Passes over values that no column takes, checking their grammar.
enum JSONSkipper {
  typealias Bytes = UnsafePointer<UInt8>

  static func skip(
    _ at: inout Bytes, _ parser: JSONRecordParser, depth: Int = 0
  ) throws(RecordProblem) {
    switch at.pointee {
    case UInt8(ascii: "\""): try string(&at, parser)
    case UInt8(ascii: "t"): try parser.word(&at, 0x6575_7274, 4)
    case UInt8(ascii: "n"): try parser.word(&at, 0x6c6c_756e, 4)
    case UInt8(ascii: "f"):
      at += 1
      try parser.word(&at, 0x6573_6c61, 4)
    case UInt8(ascii: "-"), 0x30...0x39: try number(&at, parser)
    case UInt8(ascii: "{"), UInt8(ascii: "["): try nested(&at, parser, depth: depth + 1)
    default: throw parser.problem(.noValue, at)
    }
  }

  private static func nested(
    _ at: inout Bytes, _ parser: JSONRecordParser, depth: Int
  ) throws(RecordProblem) {
    if depth > JSONValue.depthLimit { throw parser.problem(.deep, at) }
    let isObject = at.pointee == UInt8(ascii: "{")
    let closing = isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")
    at += 1
    parser.skipSpace(&at)
    if at.pointee == closing {
      at += 1
      return
    }
    while true {
      if isObject {
        guard at.pointee == UInt8(ascii: "\"") else { throw parser.problem(.memberName, at) }
        try string(&at, parser)
        parser.skipSpace(&at)
        guard at.pointee == UInt8(ascii: ":") else { throw parser.problem(.colon, at) }
        at += 1
        parser.skipSpace(&at)
      }
      try skip(&at, parser, depth: depth)
      parser.skipSpace(&at)
      let byte = at.pointee
      guard byte == closing || byte == UInt8(ascii: ",") else { throw parser.problem(.comma, at) }
      at += 1
      if byte == closing { return }
      parser.skipSpace(&at)
    }
  }

  private static func string(
    _ at: inout Bytes, _ parser: JSONRecordParser
  ) throws(RecordProblem) {
    let start = at
    at += 1
    while true {
      at = Swar.stringEnd(at)
      if at.pointee == UInt8(ascii: "\"") {
        at += 1
        return
      }
      if at.pointee != UInt8(ascii: "\\") {
        throw parser.problem(at == parser.recordEnd ? .unterminated : .control, start)
      }
      // The character after a backslash is no end of the string, unless it is the record's.
      at += at[1] < 0x20 ? 1 : 2
    }
  }

  /// A number by the grammar of JSON.
  static func number(_ at: inout Bytes, _ parser: JSONRecordParser) throws(RecordProblem) {
    let start = at
    if at.pointee == UInt8(ascii: "-") { at += 1 }
    let isZero = at.pointee == 0x30
    let whole = digits(&at)
    if whole == 0 || (isZero && whole > 1) { throw parser.problem(.number, start) }
    if at.pointee == UInt8(ascii: ".") {
      at += 1
      if digits(&at) == 0 { throw parser.problem(.number, start) }
    }
    if at.pointee | 0x20 == UInt8(ascii: "e") {
      at += 1
      if at.pointee == UInt8(ascii: "+") || at.pointee == UInt8(ascii: "-") { at += 1 }
      if digits(&at) == 0 { throw parser.problem(.number, start) }
    }
  }

  private static func digits(_ at: inout Bytes) -> Int {
    let start = at
    while at.pointee &- 0x30 <= 9 { at += 1 }
    return at - start
  }
}
