internal import Columns

/// Text as code points, which is what SQL counts.
enum CodePoints {
  static func count(_ bytes: UnsafeRawBufferPointer) -> Int {
    var n = 0
    for byte in bytes { n &+= bit(byte & 0xc0 != 0x80) }
    return n
  }

  /// Where code point `index` begins, or the end.
  static func offset(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> Int {
    var at = 0
    var left = index
    while at < bytes.count {
      if bytes[at] & 0xc0 != 0x80 {
        if left == 0 { return at }
        left -= 1
      }
      at += 1
    }
    return bytes.count
  }

  /// `length` code points from `start` on, both clipped.
  static func slice(
    _ bytes: UnsafeRawBufferPointer, _ start: Int, _ length: Int
  ) -> UnsafeRawBufferPointer {
    let from = offset(bytes, start)
    let rest = UnsafeRawBufferPointer(rebasing: bytes[from...])
    let end = length >= rest.count ? rest.count : offset(rest, length)
    return UnsafeRawBufferPointer(rebasing: rest[..<end])
  }
}

/// Finding bytes in bytes.
enum ByteSearch {
  /// Where `needle` begins in `text`, from `from` on; nil when it does not.
  static func find(
    _ text: UnsafeRawBufferPointer, _ needle: UnsafeRawBufferPointer, from: Int = 0
  ) -> Int? {
    if needle.isEmpty { return from <= text.count ? from : nil }
    var at = from
    while at + needle.count <= text.count {
      if text[at] == needle[0],
        equalBytes(UnsafeRawBufferPointer(rebasing: text[at..<at + needle.count]), needle)
      {
        return at
      }
      at += 1
    }
    return nil
  }

  /// The parts between separators; the whole text when the separator is empty.
  static func split(
    _ text: UnsafeRawBufferPointer, _ separator: UnsafeRawBufferPointer
  ) -> [UnsafeRawBufferPointer] {
    var parts: [UnsafeRawBufferPointer] = []
    var from = 0
    while !separator.isEmpty, let at = find(text, separator, from: from) {
      parts.append(UnsafeRawBufferPointer(rebasing: text[from..<at]))
      from = at + separator.count
    }
    parts.append(UnsafeRawBufferPointer(rebasing: text[from...]))
    return parts
  }
}

private func mapped(_ name: String, _ change: @escaping @Sendable (String) -> String) -> Function {
  .text(name, [.text], result: .type(.string)) { (call, i, out) throws(TerraceError) in
    out += Array(change(call.text(0, i)).utf8)
    return true
  }
}

private func padded(_ name: String, left: Bool) -> Function {
  .text(name, [.text, .int, .text]) { (call, i, out) throws(TerraceError) in
    let text = call.bytes(0, i)
    let length = call.int(1, i)
    let pad = call.bytes(2, i)
    if length < 0 || pad.isEmpty { return false }
    let have = CodePoints.count(text)
    if have >= length {
      out += CodePoints.slice(text, 0, length)
      return true
    }
    let padPoints = CodePoints.count(pad)
    guard length < 1 << 26 else { throw call.failure("the length is too large", length) }
    var fill: [UInt8] = []
    for _ in 0..<(length - have) / padPoints { fill += pad }
    fill += CodePoints.slice(pad, 0, (length - have) % padPoints)
    out += left ? fill + Array(text) : Array(text) + fill
    return true
  }
}

/// TRIM and its kin: characters of the second argument, or spaces, go.
private func trimmed(_ name: String, start: Bool, end: Bool) -> Function {
  .text(name, [.text, .text], optional: 1, result: .type(.string)) {
    (call, i, out) throws(TerraceError) in
    var rest = Substring(call.text(0, i)).unicodeScalars
    let set = call.arguments.count > 1 ? Set(call.text(1, i).unicodeScalars) : [" "]
    if start { while let c = rest.first, set.contains(c) { rest.removeFirst() } }
    if end { while let c = rest.last, set.contains(c) { rest.removeLast() } }
    out += Array(String(rest).utf8)
    return true
  }
}

private func substring(_ name: String) -> Function {
  .text(name, [.text, .int, .int], optional: 1) { (call, i, out) throws(TerraceError) in
    let text = call.bytes(0, i)
    let start = call.int(1, i)
    let length = call.int(2, i, default: Int.max)
    if length < 0 { return false }
    let count = CodePoints.count(text)
    // 0 acts as 1; a negative start counts from the end, and one before the beginning finds nothing.
    let from = start > 0 ? start - 1 : start == 0 ? 0 : count &+ start
    if from < 0 || from >= count { return true }
    out += CodePoints.slice(text, from, min(length, count - from))
    return true
  }
}

/// INSTR from the end: the `turn`th place at or before the one that `start` (-1: the last) names.
private func backward(_ text: String, _ needle: String, _ start: Int, _ turn: Int) -> Int32 {
  let (whole, part) = (Array(text.unicodeScalars), Array(needle.unicodeScalars))
  var left = turn
  var at = min(whole.count &+ start, whole.count - part.count)
  while at >= 0 {
    if whole[at..<at + part.count].elementsEqual(part) {
      left -= 1
      if left == 0 { return Int32(at + 1) }
    }
    at -= 1
  }
  return 0
}

/// The position of a text in a text, from 1; 0 when it is not there.
private func position(_ name: String, text: Int, needle: Int) -> Function {
  .value(
    name, text == 0 ? [.text, .text, .int, .int] : [.text, .text, .int],
    optional: text == 0 ? 2 : 1, .int
  ) {
    (call, i) throws(TerraceError) -> Int32? in
    let whole = call.bytes(text, i)
    var start = call.int(2, i, default: 1)
    if text == 1 {
      if call.bytes(needle, i).isEmpty { return 1 }
      start = max(1, start)
    } else if start < 0 {
      return backward(
        call.text(text, i), call.text(needle, i), start, call.int(3, i, default: 1))
    }
    if start < 1 { return 0 }
    var from = CodePoints.offset(whole, start - 1)
    if from == whole.count && start > 1 && CodePoints.count(whole) < start - 1 { return 0 }
    for turn in 0..<max(1, call.int(3, i, default: 1)) {
      guard
        let at = ByteSearch.find(whole, call.bytes(needle, i), from: turn == 0 ? from : from + 1)
      else { return 0 }
      from = at
    }
    let head = UnsafeRawBufferPointer(rebasing: whole[..<from])
    return Int32(CodePoints.count(head) + 1)
  }
}

private func concatenation(_ name: String, repeats: Bool) -> Function {
  .text(name, repeats ? [.text] : [.text, .text], repeats: repeats, result: .type(.string)) {
    (call, i, out) throws(TerraceError) in
    for k in call.arguments.indices { out += call.bytes(k, i) }
    return true
  }
}

private func everyByte(
  _ name: String, _ test: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
) -> Function {
  Function(name, [.text], .notNull(.boolean), seesNulls: true) {
    (call) throws(TerraceError) -> Column in
    try call.test { (i) in !call.arguments[0].isNull(i) && test(call.bytes(0, i)) }
  }
}

let textFunctions: [Function] = [
  .value("CHAR_LENGTH", [.text], .int) { (call, i) throws(TerraceError) -> Int32? in
    Int32(CodePoints.count(call.bytes(0, i)))
  },
  mapped("UPPER") { $0.uppercased() }, mapped("LOWER") { $0.lowercased() },
  mapped("REVERSE") { String(String.UnicodeScalarView($0.unicodeScalars.reversed())) },
  mapped("INITCAP") { text in
    var out = ""
    var inWord = false
    for c in text.unicodeScalars {
      let isWord = c.properties.isAlphabetic || ("0"..."9").contains(c)
      out += inWord ? String(c).lowercased() : String(c).uppercased()
      inWord = isWord
    }
    return out
  },
  trimmed("TRIM", start: true, end: true), trimmed("BTRIM", start: true, end: true),
  trimmed("LTRIM", start: true, end: false), trimmed("RTRIM", start: false, end: true),
  substring("SUBSTRING"), substring("SUBSTR"),
  .text("LEFT", [.text, .int]) { (call, i, out) throws(TerraceError) in
    out += CodePoints.slice(call.bytes(0, i), 0, max(0, call.int(1, i)))
    return true
  },
  .text("RIGHT", [.text, .int]) { (call, i, out) throws(TerraceError) in
    let text = call.bytes(0, i)
    let n = max(0, call.int(1, i))
    out += CodePoints.slice(text, max(0, CodePoints.count(text) - n), n)
    return true
  },
  position("INSTR", text: 0, needle: 1), position("POSITION", text: 1, needle: 0),
  position("LOCATE", text: 1, needle: 0),
  .text("REPLACE", [.text, .text, .text]) { (call, i, out) throws(TerraceError) in
    let text = call.bytes(0, i)
    if call.bytes(1, i).isEmpty {
      // It is found before and behind every character, as in Java.
      out += call.bytes(2, i)
      for c in call.text(0, i).unicodeScalars {
        out += Array(String(c).utf8)
        out += call.bytes(2, i)
      }
      return true
    }
    let parts = ByteSearch.split(text, call.bytes(1, i))
    for (k, part) in parts.enumerated() {
      if k > 0 { out += call.bytes(2, i) }
      out += part
    }
    return true
  },
  .text("OVERLAY", [.text, .text, .int, .int], optional: 1) { (call, i, out) throws(TerraceError) in
    let text = call.bytes(0, i)
    let start = call.int(2, i)
    let count = CodePoints.count(text)
    let length = call.int(3, i, default: CodePoints.count(call.bytes(1, i)))
    if start < 1 || start > count {
      out += text
      return true
    }
    out += CodePoints.slice(text, 0, start - 1)
    out += call.bytes(1, i)
    if length > 0 { out += CodePoints.slice(text, start - 1 + length, count) }
    return true
  },
  .text("TRANSLATE", [.text, .text, .text]) { (call, i, out) throws(TerraceError) in
    let from = Array(call.text(1, i).unicodeScalars)
    let to = Array(call.text(2, i).unicodeScalars)
    var text = String.UnicodeScalarView()
    for c in call.text(0, i).unicodeScalars {
      guard let at = from.firstIndex(of: c) else {
        text.append(c)
        continue
      }
      if at < to.count { text.append(to[at]) }
    }
    out += Array(String(text).utf8)
    return true
  },
  .text("REPEAT", [.text, .int]) { (call, i, out) throws(TerraceError) in
    let text = call.bytes(0, i)
    let n = max(0, call.int(1, i))
    guard n * max(text.count, 1) < 1 << 28 else { throw call.failure("the text is too long", n) }
    for _ in 0..<n { out += text }
    return true
  },
  padded("LPAD", left: true), padded("RPAD", left: false),
  concatenation("CONCAT", repeats: true), concatenation("||", repeats: false),
  Function(
    "CONCAT_WS", [.text, .text], optional: 1, repeats: true, .nullable(.string), seesNulls: true
  ) {
    (call) throws(TerraceError) -> Column in
    let out = ColumnBuilder(call.type, capacity: call.count)
    var row: [UInt8] = []
    for i in 0..<call.count {
      if call.arguments[0].isNull(i) {
        out.appendNull()
        continue
      }
      row.removeAll(keepingCapacity: true)
      var isFirst = true
      for argument in call.arguments.dropFirst() where !argument.isNull(i) {
        if !isFirst { row += call.bytes(0, i) }
        isFirst = false
        row += argument.bytes(i)
      }
      row.withUnsafeBytes { out.append(bytes: $0) }
    }
    return out.finish()
  },
  .text("SPLIT_INDEX", [.text, .text, .int]) { (call, i, out) throws(TerraceError) in
    let text = call.bytes(0, i)
    if text.isEmpty { return false }
    let at = call.int(2, i)
    if call.bytes(1, i).isEmpty {
      // Without a separator, blanks are.
      let words = call.text(0, i).split(
        omittingEmptySubsequences: false, whereSeparator: \.isWhitespace)
      guard words.indices.contains(at) else { return false }
      out += Array(words[at].utf8)
      return true
    }
    let parts = ByteSearch.split(text, call.bytes(1, i))
    guard parts.indices.contains(at) else { return false }
    out += parts[at]
    return true
  },
  .condition("STARTSWITH", [.text, .text]) { (call, i) throws(TerraceError) -> Bool in
    let (text, head) = (call.bytes(0, i), call.bytes(1, i))
    return head.count <= text.count
      && equalBytes(UnsafeRawBufferPointer(rebasing: text[..<head.count]), head)
  },
  .condition("ENDSWITH", [.text, .text]) { (call, i) throws(TerraceError) -> Bool in
    let (text, tail) = (call.bytes(0, i), call.bytes(1, i))
    return tail.count <= text.count
      && equalBytes(UnsafeRawBufferPointer(rebasing: text[(text.count - tail.count)...]), tail)
  },
  .value("ASCII", [.text], .int) { (call, i) throws(TerraceError) -> Int32? in
    // A byte of Java has a sign.
    Int32(Int8(bitPattern: call.bytes(0, i).first ?? 0))
  },
  .text("CHR", [.bigint]) { (call, i, out) throws(TerraceError) in
    let code = call.fixed(0, Int64.self)[i]
    if code < 0 { return true }
    let byte = UInt8(truncatingIfNeeded: code & 255)
    out += Array(String(Character(Unicode.Scalar(byte))).utf8)
    return true
  },
  everyByte("IS_ALPHA") { text in
    !text.isEmpty
      && String(decoding: text, as: UTF8.self).unicodeScalars.allSatisfy(\.properties.isAlphabetic)
  },
  everyByte("IS_DIGIT") { text in
    !text.isEmpty && text.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
  },
  everyByte("IS_DECIMAL") { text in
    !text.isEmpty && (Decimal.parse(text) != nil || TextCast.double(text) != nil)
  },
  Function("ELT", [.int, .text], repeats: true, .nullable(.string), seesNulls: true) {
    (call) throws(TerraceError) -> Column in
    let out = ColumnBuilder(call.type, capacity: call.count)
    for i in 0..<call.count {
      let at = call.arguments[0].isNull(i) ? 0 : call.int(0, i)
      if at >= 1, at < call.arguments.count, !call.arguments[at].isNull(i) {
        out.append(bytes: call.bytes(at, i))
      } else {
        out.appendNull()
      }
    }
    return out.finish()
  },
]
