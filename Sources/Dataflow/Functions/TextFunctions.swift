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

/// Lower case as Java has it: a sigma that ends a word is another letter.
private func lowered(_ text: String) -> String {
  guard text.unicodeScalars.contains("\u{3A3}") else { return text.lowercased() }
  let scalars = Array(text.unicodeScalars)
  func isCased(_ range: some Sequence<Int>) -> Bool {
    range.first { !scalars[$0].properties.isCaseIgnorable }
      .map { scalars[$0].properties.isCased } ?? false
  }
  var out = ""
  for (i, c) in scalars.enumerated() {
    let isLast = c == "\u{3A3}" && isCased((0..<i).reversed()) && !isCased(i + 1..<scalars.count)
    out += isLast ? "\u{3C2}" : String(c).lowercased()
  }
  return out
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
    // 0 acts as 1; a negative start counts from the end.
    let from = start > 0 ? start - 1 : start == 0 ? 0 : count + start
    if from < 0 || from >= count { return true }
    out += CodePoints.slice(text, from, min(length, count - from))
    return true
  }
}

/// The position of a text in a text, from 1; 0 when it is not there.
private func position(_ name: String) -> Function {
  .value(name, [.text, .text, .int], optional: 1, .int) {
    (call, i) throws(TerraceError) -> Int32? in
    Int32(found(call.bytes(1, i), call.bytes(0, i), from: call.int(2, i, default: 1)))
  }
}

/// - Parameter from: a position; those before the first are the first.
private func found(
  _ whole: UnsafeRawBufferPointer, _ needle: UnsafeRawBufferPointer, from start: Int
) -> Int {
  // What is nothing is found first, wherever the search begins.
  if needle.isEmpty { return 1 }
  let from = CodePoints.offset(whole, max(0, start - 1))
  guard let at = ByteSearch.find(whole, needle, from: from) else { return 0 }
  return CodePoints.count(UnsafeRawBufferPointer(rebasing: whole[..<at])) + 1
}

/// The n-th position from a place on; from a negative place on backwards, counted from the end.
private func instr(_ call: FunctionCall, _ i: Int) throws(TerraceError) -> Int {
  let (whole, needle) = (call.bytes(0, i), call.bytes(1, i))
  let (start, turns) = (call.int(2, i, default: 1), call.int(3, i, default: 1))
  if turns < 1 { throw call.failure("the occurrence is counted from 1", turns) }
  if needle.isEmpty { return 1 }
  if start >= 0 {
    var at = max(1, start) - 1
    for _ in 0..<turns {
      at = found(whole, needle, from: at + 1)
      if at == 0 { return 0 }
    }
    return at
  }
  let size = CodePoints.count(needle)
  var last = CodePoints.count(whole) + start + 1 - size + 1
  var left = turns
  while last >= 1 {
    let rest = CodePoints.slice(whole, last - 1, size)
    if equalBytes(rest, needle) {
      left -= 1
      if left == 0 { return last }
    }
    last -= 1
  }
  return 0
}

private func concatenation(_ name: String, repeats: Bool) -> Function {
  .text(name, repeats ? [.text] : [.text, .text], repeats: repeats, result: .type(.string)) {
    (call, i, out) throws(TerraceError) in
    for k in call.arguments.indices { out += call.bytes(k, i) }
    return true
  }
}

/// - Parameter ofNumbers: what is said of any number.
private func everyByte(
  _ name: String, ofNumbers: Bool = false,
  _ test: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
) -> Function {
  Function(
    name, [.any],
    .rule { (a) throws(TerraceError) -> DataType in
      guard [.text, .number].contains(TypeRules.family(a[0].type)) else { throw invalid(name, a) }
      return DataType.boolean.notNull
    }, seesNulls: true
  ) { (call) throws(TerraceError) -> Column in
    let isText = TypeRules.family(call.arguments[0].type) == .text
    return try call.test { (i) in
      !call.arguments[0].isNull(i) && (isText ? test(call.bytes(0, i)) : ofNumbers)
    }
  }
}

/// The part of a text between separators; a number is the character that separates, and nothing is blanks.
private let splitIndex = Function(
  "SPLIT_INDEX", [.text, .any, .int],
  .rule { (a) throws(TerraceError) -> DataType in
    guard TypeRules.family(a[1].type) == .text || a[1].type.kind == DataType.int.kind else {
      throw invalid("SPLIT_INDEX", a)
    }
    return DataType.string
  }
) { (call) throws(TerraceError) -> Column in
  let isText = TypeRules.family(call.arguments[1].type) == .text
  return try call.build { (out, i) in
    let (text, at) = (call.bytes(0, i), call.int(2, i))
    var separator: [UInt8] = []
    if isText {
      separator = Array(call.bytes(1, i))
    } else if (1...255).contains(call.int(1, i)) {
      separator = Array(String(Unicode.Scalar(UInt8(call.int(1, i)))).utf8)
    } else {
      return out.appendNull()
    }
    let parts =
      separator.isEmpty
      ? text.split(omittingEmptySubsequences: false) { $0 <= 0x20 }
        .map { UnsafeRawBufferPointer(rebasing: $0) }
      : separator.withUnsafeBytes { ByteSearch.split(text, $0) }
    if text.isEmpty || !parts.indices.contains(at) { return out.appendNull() }
    out.append(bytes: parts[at])
  }
}

let textFunctions: [Function] = [
  .value("CHAR_LENGTH", [.text], .int) { (call, i) throws(TerraceError) -> Int32? in
    Int32(CodePoints.count(call.bytes(0, i)))
  },
  mapped("UPPER") { $0.uppercased() }, mapped("LOWER", lowered),
  mapped("REVERSE") { String(String.UnicodeScalarView($0.unicodeScalars.reversed())) },
  mapped("INITCAP") { text in
    var out = ""
    var inWord = false
    for c in text.unicodeScalars {
      // Words are of ASCII letters and digits, as in Flink.
      let isWord = c.isASCII && (c.properties.isAlphabetic || ("0"..."9").contains(c))
      out += !isWord ? String(c) : inWord ? String(c).lowercased() : String(c).uppercased()
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
  position("POSITION"), position("LOCATE"),
  .value("INSTR", [.text, .text, .int, .int], optional: 2, .int) {
    (call, i) throws(TerraceError) -> Int32? in Int32(try instr(call, i))
  },
  .text("REPLACE", [.text, .text, .text]) { (call, i, out) throws(TerraceError) in
    let text = call.bytes(0, i)
    if call.bytes(1, i).isEmpty {
      // Nothing is before each character and at the end.
      for byte in text {
        if byte & 0xc0 != 0x80 { out += call.bytes(2, i) }
        out.append(byte)
      }
      out += call.bytes(2, i)
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
    // As Flink has it: the rest goes when nothing is replaced.
    if length > 0, start + length <= count {
      out += CodePoints.slice(text, start - 1 + length, count)
    }
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
  splitIndex,
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
    Int32(Int8(bitPattern: call.bytes(0, i).first ?? 0))
  },
  // Java's: over UTF-16, 31 times what was before.
  .value("HASH_CODE", [.text], .int) { (call, i) throws(TerraceError) -> Int32? in
    call.text(0, i).utf16.reduce(Int32(0)) { $0 &* 31 &+ Int32($1) }
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
  everyByte("IS_DIGIT", ofNumbers: true) { text in
    !text.isEmpty
      && String(decoding: text, as: UTF8.self).unicodeScalars
        .allSatisfy { $0.properties.generalCategory == .decimalNumber }
  },
  everyByte("IS_DECIMAL", ofNumbers: true) { text in
    !text.isEmpty && (Decimal.parse(text) != nil || TextCast.double(TextCast.trimmed(text)) != nil)
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
