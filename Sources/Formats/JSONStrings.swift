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
      // Only what stands before the hit belongs to the string. No branch: nobody foresees which word it is in.
      let isSecond = hits.x == 0
      let hit = isSecond ? hits.y : hits.x
      let before = (hit &- 1) & ~hit
      seen |= isSecond ? words.x | words.y & before : words.x & before
      let plain = hit.trailingZeroBitCount >> 3 &+ (isSecond ? 8 : 0)
      at += plain
      out += plain
      if at.pointee != UInt8(ascii: "\"") {
        let more: UInt64
        (at, out, more) = try withEscapes(at, out, start)
        seen |= more
      }
      break
    }
    let count = out - target
    if seen & Swar.high != 0 || node.pointee.digits < count {
      try check(
        UnsafeRawBufferPointer(start: target, count: count), node, start, at,
        isASCII: seen & Swar.high == 0)
    }
    builder._withUnsafeGuaranteedRef { builder in
      builder.advanceBytes(count)
      builder.spareOffsets(1)[0] = Int32(truncatingIfNeeded: builder.byteCount)
      builder.advance(1)
    }
    return at + 1
  }

  /// The rest of a string from its first backslash on: its end and that of the text, and bytes of it or'ed.
  ///
  /// All hits of sixteen bytes are found at once, so that no step waits for the one before.
  @inline(never)
  private func withEscapes(
    _ place: Bytes, _ target: UnsafeMutableRawPointer, _ start: Bytes
  ) throws(RecordProblem) -> (Bytes, UnsafeMutableRawPointer, UInt64) {
    var (at, out) = (place, target)
    var seen: UInt64 = 0
    let letters = UnsafePointer(scalars.escapes)
    while true {
      let words = Swar.loadTwo(at)
      var hits = Swar.stringMask(words)
      var from = 0
      while hits != 0 {
        let hit = hits.trailingZeroBitCount
        out.storeBytes(of: Swar.loadTwo(at + from), as: SIMD2<UInt64>.self)
        out += hit &- from
        if at[hit] == UInt8(ascii: "\"") {
          let bits = UInt64(truncatingIfNeeded: 8 &* (hit & 7))
          let below = (1 &<< bits) &- 1
          seen |= hit < 8 ? words.x & below : words.x | words.y & below
          return (at + hit, out, seen)
        }
        let letter = letters[Int(at[hit &+ 1])]
        if letter == 0 || at[hit] != UInt8(ascii: "\\") {
          seen |= words.x | words.y
          (at, out) = try escape(at + hit, out, start)
          break
        }
        out.storeBytes(of: letter, as: UInt8.self)
        out += 1
        from = hit &+ 2
        // What is escaped may be a quote or a backslash.
        hits &= ~(3 &<< UInt32(truncatingIfNeeded: hit))
      }
      if hits != 0 { continue }
      seen |= words.x | words.y
      if from < 16 {
        out.storeBytes(of: Swar.loadTwo(at + from), as: SIMD2<UInt64>.self)
        out += 16 &- from
        from = 16
      }
      at += from
    }
  }

  @inline(never)
  private func check(
    _ text: UnsafeRawBufferPointer, _ node: Node, _ start: Bytes, _ end: Bytes, isASCII: Bool
  ) throws(RecordProblem) {
    // As it was read: what was just written could not be loaded in other pieces without waiting.
    if !isASCII, !UTF8Text.isValid(UnsafeRawBufferPointer(start: start, count: end - start)) {
      throw problem(.notUTF8, start, node)
    }
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
