internal import Columns

/// Finds values in JSON text without building a tree (RFC 8259). Strict: what it passes is JSON.
struct JSONScanner {
  private let text: UnsafeRawBufferPointer
  private static let depthMax = 512

  /// - Parameter text: must stay where it is while the scanner is used.
  init(_ text: UnsafeRawBufferPointer) { self.text = text }

  /// The whole text is one value, with white space around it.
  var isValid: Bool {
    guard let range = value(skipSpace(0), 0) else { return false }
    return skipSpace(range.upperBound) == text.count
  }

  /// The first byte of the value, which says its kind; nil when there is none.
  var first: UInt8? {
    let at = skipSpace(0)
    return at < text.count ? text[at] : nil
  }

  func skipSpace(_ from: Int) -> Int {
    var at = from
    while at < text.count, [0x20, 0x09, 0x0a, 0x0d].contains(text[at]) { at += 1 }
    return at
  }

  /// The extent of the value that begins at `at`.
  func value(_ at: Int, _ depth: Int) -> Range<Int>? {
    guard at < text.count, depth < JSONScanner.depthMax else { return nil }
    switch text[at] {
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      var end: Int?
      let ok = members(at, depth) { _, _ in true }
      end = ok
      return end.map { at..<$0 }
    case UInt8(ascii: "\""): return string(at)
    case UInt8(ascii: "t"): return word("true", at)
    case UInt8(ascii: "f"): return word("false", at)
    case UInt8(ascii: "n"): return word("null", at)
    default: return number(at)
    }
  }

  private func word(_ word: StaticString, _ at: Int) -> Range<Int>? {
    let n = word.utf8CodeUnitCount
    guard at + n <= text.count else { return nil }
    for i in 0..<n where text[at + i] != word.utf8Start[i] { return nil }
    return at..<at + n
  }

  private func string(_ from: Int) -> Range<Int>? {
    var at = from + 1
    while at < text.count {
      let c = text[at]
      if c == UInt8(ascii: "\"") { return from..<at + 1 }
      if c < 0x20 { return nil }
      at += c == UInt8(ascii: "\\") ? 2 : 1
    }
    return nil
  }

  private func number(_ from: Int) -> Range<Int>? {
    var at = from
    func digits() -> Bool {
      let start = at
      while at < text.count, text[at] >= 0x30, text[at] <= 0x39 { at += 1 }
      return at > start
    }
    if at < text.count, text[at] == UInt8(ascii: "-") { at += 1 }
    let start = at
    guard digits(), !(text[start] == 0x30 && at - start > 1) else { return nil }
    if at < text.count, text[at] == UInt8(ascii: ".") {
      at += 1
      if !digits() { return nil }
    }
    if at < text.count, text[at] | 0x20 == UInt8(ascii: "e") {
      at += 1
      if at < text.count, text[at] == UInt8(ascii: "+") || text[at] == UInt8(ascii: "-") { at += 1 }
      if !digits() { return nil }
    }
    return from..<at
  }

  /// Goes through the members of an object (with the extents of their names) or an array (nil), as
  /// long as `visit` says so.
  ///
  /// - Returns: where the object or array ends; nil when it is broken.
  func members(
    _ from: Int, _ depth: Int, _ visit: (Range<Int>?, Range<Int>) -> Bool
  ) -> Int? {
    let isObject = text[from] == UInt8(ascii: "{")
    let close = isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")
    var at = skipSpace(from + 1)
    if at < text.count, text[at] == close { return at + 1 }
    var wants = true
    while at < text.count {
      var name: Range<Int>?
      if isObject {
        guard text[at] == UInt8(ascii: "\""), let found = string(at) else { return nil }
        name = found
        at = skipSpace(found.upperBound)
        guard at < text.count, text[at] == UInt8(ascii: ":") else { return nil }
        at = skipSpace(at + 1)
      }
      guard let value = value(at, depth + 1) else { return nil }
      if wants { wants = visit(name, value) }
      at = skipSpace(value.upperBound)
      guard at < text.count else { return nil }
      if text[at] == close { return at + 1 }
      guard text[at] == UInt8(ascii: ",") else { return nil }
      at = skipSpace(at + 1)
    }
    return nil
  }

  /// The value at a path; nil when there is none or the text is broken on the way.
  func find(_ path: JSONPath) -> Range<Int>? {
    guard var here = value(skipSpace(0), 0), skipSpace(here.upperBound) == text.count else {
      return nil
    }
    for step in path.steps {
      let open = text[here.lowerBound]
      var found: Range<Int>?
      var index = 0
      switch step {
      case .member(let wanted):
        guard open == UInt8(ascii: "{") else { return nil }
        _ = members(here.lowerBound, 0) { name, value in
          guard let name, unescaped(name) == wanted else { return true }
          found = value
          return false
        }
      case .element(let wanted):
        guard open == UInt8(ascii: "[") else { return nil }
        _ = members(here.lowerBound, 0) { _, value in
          if index == wanted { found = value }
          index += 1
          return found == nil
        }
      }
      guard let found else { return nil }
      here = found
    }
    return here
  }

  /// The text of a string value, its quotes and escapes taken away.
  func unescaped(_ range: Range<Int>) -> [UInt8] {
    var out: [UInt8] = []
    var at = range.lowerBound + 1
    let end = range.upperBound - 1
    var high: UInt32 = 0
    while at < end {
      guard text[at] == UInt8(ascii: "\\"), at + 1 < end else {
        out.append(text[at])
        at += 1
        continue
      }
      let c = text[at + 1]
      at += 2
      switch c {
      case UInt8(ascii: "n"): out.append(0x0a)
      case UInt8(ascii: "t"): out.append(0x09)
      case UInt8(ascii: "r"): out.append(0x0d)
      case UInt8(ascii: "b"): out.append(0x08)
      case UInt8(ascii: "f"): out.append(0x0c)
      case UInt8(ascii: "u"):
        var code: UInt32 = 0
        for i in 0..<4 where at + i < end {
          code = code << 4 | UInt32(FormCoding.nibble(text[at + i]) ?? 0)
        }
        at = min(at + 4, end)
        if code & 0xfc00 == 0xd800 {
          high = code
          continue
        }
        if code & 0xfc00 == 0xdc00, high != 0 {
          code = 0x10000 + (high & 0x3ff) << 10 + (code & 0x3ff)
        }
        high = 0
        out += Array(String(Unicode.Scalar(code) ?? "\u{fffd}").utf8)
      default: out.append(c)
      }
    }
    return out
  }
}

/// `$.a.b[0]['c']`: the paths that lead to one value.
struct JSONPath: Sendable {
  enum Step: Sendable { case member([UInt8]), element(Int) }
  private(set) var steps: [Step] = []

  /// - Throws: `invalid`, when it is no path; `unsupported` for wildcards and filters.
  init(_ text: String) throws(TerraceError) {
    var rest = Substring(text)
    for mode in ["lax ", "strict "] where rest.hasPrefix(mode) { rest = rest.dropFirst(mode.count) }
    func broken() -> TerraceError {
      TerraceError(.invalid, "broken JSON path").with("path", "'\(text)'")
    }
    guard rest.hasPrefix("$") else { throw broken() }
    rest = rest.dropFirst()
    while let c = rest.first {
      rest = rest.dropFirst()
      // `$.["a.b"]` says the same as `$["a.b"]`.
      if c == ".", rest.first == "[" { continue }
      if c == "." {
        let name = rest.prefix { $0 != "." && $0 != "[" }
        if name == "*" || name.isEmpty {
          throw TerraceError(.unsupported, "a wildcard in a JSON path").with("path", "'\(text)'")
        }
        steps.append(.member(Array(name.utf8)))
        rest = rest.dropFirst(name.count)
      } else if c == "[", let end = rest.firstIndex(of: "]") {
        let inner = rest[..<end]
        rest = rest[rest.index(after: end)...]
        if let index = Int(inner), index >= 0 {
          steps.append(.element(index))
        } else if inner.count >= 2, let quote = inner.first, quote == "'" || quote == "\"",
          inner.last == quote
        {
          steps.append(.member(Array(inner.dropFirst().dropLast().utf8)))
        } else {
          throw TerraceError(.unsupported, "'[\(inner)]' in a JSON path").with("path", "'\(text)'")
        }
      } else {
        throw broken()
      }
    }
  }
}
