/// A SQL LIKE pattern: `%` any text, `_` one character, backslash takes the next one literally.
///
/// Matching is greedy with one point of return, linear in practice and never exponential.
public struct LikePattern: Sendable {
  private enum Part: Equatable { case literal(UInt8), one, many }
  private let parts: [Part]

  public init(_ pattern: [UInt8]) {
    var parts: [Part] = []
    var i = 0
    while i < pattern.count {
      switch pattern[i] {
      case UInt8(ascii: "\\") where i + 1 < pattern.count:
        i += 1
        parts.append(.literal(pattern[i]))
      case UInt8(ascii: "%"): if parts.last != .many { parts.append(.many) }
      case UInt8(ascii: "_"): parts.append(.one)
      default: parts.append(.literal(pattern[i]))
      }
      i += 1
    }
    self.parts = parts
  }

  /// The text that every match begins with.
  public static func literalPrefix(_ pattern: [UInt8]) -> [UInt8] {
    var prefix: [UInt8] = []
    for part in LikePattern(pattern).parts {
      guard case .literal(let byte) = part else { break }
      prefix.append(byte)
    }
    return prefix
  }

  public func matches(_ text: UnsafeRawBufferPointer) -> Bool {
    var at = 0
    var part = 0
    var retryPart = -1
    var retryAt = 0
    while at < text.count {
      if part < parts.count, case .many = parts[part] {
        retryPart = part
        retryAt = at
        part += 1
      } else if part < parts.count, let next = step(parts[part], text, at) {
        at = next
        part += 1
      } else if retryPart >= 0 {
        retryAt += 1
        at = retryAt
        part = retryPart + 1
      } else {
        return false
      }
    }
    while part < parts.count, case .many = parts[part] { part += 1 }
    return part == parts.count
  }

  private func step(_ part: Part, _ text: UnsafeRawBufferPointer, _ at: Int) -> Int? {
    switch part {
    case .literal(let byte): return text[at] == byte ? at + 1 : nil
    case .one:
      // One character of UTF-8: its first byte and the continuation bytes behind.
      var end = at + 1
      while end < text.count && text[end] & 0xc0 == 0x80 { end += 1 }
      return end
    case .many: return at
    }
  }
}
