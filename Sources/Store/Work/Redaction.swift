import Columns
import Synchronization

/// Keeps secrets out of everything that is printed or stored beside the data: values of options whose names
/// say that they are secret, what `${env:…}` and `${file:…}` stood for, and passwords in URLs.
package enum Redaction {
  package static let mask = "******"
  private static let known = Mutex<[String]>([])

  /// As Paimon decides it: letters and digits of the name, in lower case, contain one of these.
  private static let words = [
    "password", "passwd", "passphrase", "secret", "token", "credential", "accesskey", "accountkey",
    "encryptionkey", "authorization", "privatekey", "apikey", "jaasconfig", "keypem",
  ]

  package static func isSecret(_ key: String) -> Bool {
    let plain = String(
      decoding: key.utf8.compactMap { byte -> UInt8? in
        switch byte {
        case 0x30...0x39, 0x61...0x7a: byte
        case 0x41...0x5a: byte | 0x20
        default: nil
        }
      }, as: UTF8.self)
    if words.contains(where: { plain.contains($0) }) { return true }
    return key.lowercased().split(whereSeparator: { !$0.isLetter }).contains("sas")
  }

  /// `${env:NAME}`, `${file:path}`: it says where the secret is, and is none.
  package static func isReference(_ value: String) -> Bool {
    value.hasPrefix("${") && value.hasSuffix("}")
      && value.dropFirst(2).dropLast().allSatisfy { $0 != "}" }
  }

  /// An option's value as it may be shown.
  package static func shown(_ key: String, _ value: String) -> String {
    if isSecret(key), !value.isEmpty, !isReference(value) { return mask }
    return clean(value)
  }

  /// From now on this text is taken out of everything cleaned. Texts of up to three bytes are not: they
  /// would be found in every word.
  package static func note(_ secret: String) {
    if secret.utf8.count < 4 || isReference(secret) { return }
    known.withLock { known in
      if known.contains(secret) { return }
      known.append(secret)
      // The longest first: one may begin like another.
      known.sort { $0.utf8.count > $1.utf8.count }
    }
  }

  /// The text without secrets: those noted, `'password' = '…'` in any quotes, and `//user:…@` and
  /// `password=…` of URLs.
  package static func clean(_ text: String) -> String {
    var text = text
    for secret in known.withLock({ $0 }) {
      for form in Set([
        secret, secret.replacing("'", with: "''"), secret.replacing("\"", with: "\\\""),
      ])
      where text.contains(form) {
        text = text.replacing(form, with: mask)
      }
    }
    let bytes = Array(text.utf8)
    guard let cleaned = RedactionScan(bytes).cleaned() else { return text }
    return String(decoding: cleaned, as: UTF8.self)
  }
}

/// Finds secrets by what stands before them.
private struct RedactionScan {
  let bytes: [UInt8]
  private var holes: [Range<Int>] = []

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Nil when there is nothing to take out.
  func cleaned() -> [UInt8]? {
    var scan = self
    scan.findOptions()
    scan.findURLs()
    if scan.holes.isEmpty { return nil }
    var out: [UInt8] = []
    var at = 0
    for hole in scan.holes.sorted(by: { $0.lowerBound < $1.lowerBound }) where hole.lowerBound >= at
    {
      out += bytes[at..<hole.lowerBound]
      out += Array(Redaction.mask.utf8)
      at = hole.upperBound
    }
    return out + bytes[at...]
  }

  private func isQuote(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "`")
  }

  /// The end of the quoted text that begins at `at`, where its closing quote stands.
  private func end(of at: Int) -> Int? {
    let quote = bytes[at]
    var i = at + 1
    while i < bytes.count {
      if bytes[i] == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
        i += 2
        continue
      }
      if bytes[i] == quote {
        guard i + 1 < bytes.count, bytes[i + 1] == quote else { return i }
        i += 1
      }
      i += 1
    }
    return nil
  }

  private func afterSpace(_ at: Int) -> Int {
    var i = at
    while i < bytes.count, bytes[i] <= 0x20 { i += 1 }
    return i
  }

  private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  /// `'key' = 'value'`, `"key": "value"`: any quoted text may be a key, also one that the quote before
  /// ended, so that a stray quote somewhere hides nothing.
  private mutating func findOptions() {
    for close in bytes.indices where isQuote(bytes[close]) {
      var at = afterSpace(close + 1)
      guard at < bytes.count, bytes[at] == UInt8(ascii: "=") || bytes[at] == UInt8(ascii: ":")
      else { continue }
      at = afterSpace(at + 1)
      guard at < bytes.count, isQuote(bytes[at]) else { continue }
      var open = close - 1
      while open >= 0, bytes[open] != bytes[close], close - open < 200 { open -= 1 }
      guard open >= 0, bytes[open] == bytes[close], Redaction.isSecret(text(open + 1..<close))
      else { continue }
      // A value without an end, in a text that was cut, goes to the end of the line.
      var last = end(of: at) ?? bytes[at...].firstIndex(of: 0x0a) ?? bytes.count
      last = max(last, at + 1)
      if last > at + 1, !Redaction.isReference(text(at + 1..<last)) { holes.append(at + 1..<last) }
    }
  }

  private mutating func findURLs() {
    let mark = Array("://".utf8)
    for i in bytes.indices.dropLast(3)
    where bytes[i] == mark[0] && bytes[i + 1] == mark[1]
      && bytes[i + 2] == mark[2]
    {
      var colon: Int?
      for k in i + 3..<bytes.count {
        let byte = bytes[k]
        if byte == UInt8(ascii: "@") {
          if let colon, k > colon + 1 { holes.append(colon + 1..<k) }
          break
        }
        if byte <= 0x20 || byte == UInt8(ascii: "/") || isQuote(byte) { break }
        if byte == UInt8(ascii: ":"), colon == nil { colon = k }
      }
    }
    let lower = bytes.map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 }
    for word in ["password=", "secret=", "token=", "authorization: "] {
      let wanted = Array(word.utf8)
      guard lower.count > wanted.count else { continue }
      for i in 0..<lower.count - wanted.count where lower[i] == wanted[0] {
        guard lower[i..<i + wanted.count].elementsEqual(wanted) else { continue }
        let from = i + wanted.count
        var to = from
        let stops = Set("&;,)'\"`".utf8)
        while to < bytes.count, bytes[to] > 0x20 || (word.hasSuffix(" ") && bytes[to] == 0x20),
          !stops.contains(bytes[to])
        { to += 1 }
        let isReference = to > from && Redaction.isReference(text(from..<to))
        if to > from, !isReference, bytes[from] != UInt8(ascii: "*") { holes.append(from..<to) }
      }
    }
  }
}
