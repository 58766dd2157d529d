import CLanes
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
    // Not zero once a byte was no ASCII.
    var high: UInt32 = 0
    while true {
      out.storeBytes(of: Swar.loadTwo(at), as: SIMD2<UInt64>.self)
      let hits = t_string_mask(at)
      if hits == 0 {
        high |= t_high_mask(at)
        at += 16
        out += 16
        continue
      }
      // Only what stands before the hit belongs to the string.
      high |= t_high_mask(at) & (hits ^ (hits &- 1))
      let plain = hits.trailingZeroBitCount
      at += plain
      out += plain
      if at.pointee != UInt8(ascii: "\"") {
        let more: UInt32
        (at, out, more) = try withEscapes(at, out, start)
        high |= more
      }
      break
    }
    let count = out - target
    if high != 0 || node.pointee.digits < count {
      try check(
        UnsafeRawBufferPointer(start: target, count: count), node, start, at, isASCII: high == 0)
    }
    builder._withUnsafeGuaranteedRef { builder in
      builder.advanceBytes(count)
      builder.spareOffsets(1)[0] = Int32(truncatingIfNeeded: builder.byteCount)
      builder.advance(1)
    }
    return at + 1
  }

  /// The rest of a string from its first backslash on: its end, that of the text, and whether it is ASCII (0).
  ///
  /// All hits of sixteen bytes are found at once, so that no step waits for the one before.
  @inline(never)
  private func withEscapes(
    _ place: Bytes, _ target: UnsafeMutableRawPointer, _ start: Bytes
  ) throws(RecordProblem) -> (Bytes, UnsafeMutableRawPointer, UInt32) {
    var (at, out) = (place, target)
    var high: UInt32 = 0
    let letters = UnsafePointer(scalars.escapes)
    while true {
      var hits = t_string_mask(at)
      // What follows the string in these bytes may count too: then it is looked at once more, in vain.
      high |= t_high_mask(at)
      var from = 0
      while hits != 0 {
        let hit = hits.trailingZeroBitCount
        out.storeBytes(of: Swar.loadTwo(at + from), as: SIMD2<UInt64>.self)
        out += hit &- from
        let letter = letters[Int(at[hit &+ 1])]
        if at[hit] != UInt8(ascii: "\\") || letter == 0 {
          if at[hit] == UInt8(ascii: "\"") { return (at + hit, out, high) }
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
    // As it was read, with its quotes: what was just written could not be loaded in other pieces without waiting.
    if !isASCII, !UTF8Blocks.isValid(start, count: end + 1 - start) {
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
