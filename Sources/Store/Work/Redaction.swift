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
    "encryptionkey", "authorization", "privatekey", "apikey", "jaasconfig", "keypem", "keystorekey",
    "cookie",
  ]
  /// Of headers of HTTP, which people name as they like.
  private static let headerWords = ["auth", "key", "sign", "session"]

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
    if plain.hasPrefix("httpheader"), headerWords.contains(where: { plain.contains($0) }) {
      return true
    }
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

  /// The text without secrets: those noted, `'password' = '…'` in any quotes, `//user:…@`, `password=…` and
  /// `?sig=…` of URLs, private keys.
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
  /// The same in lower case.
  private let lower: [UInt8]
  private var holes: [Range<Int>] = []

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    lower = bytes.map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 }
  }

  /// Nil when there is nothing to take out.
  func cleaned() -> [UInt8]? {
    var scan = self
    scan.findOptions()
    scan.findURLs()
    scan.findKeys()
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

  /// Whether `http` or `https` ends at `end`.
  private func isWeb(_ end: Int) -> Bool {
    ["http", "https"].contains { scheme in
      end >= scheme.utf8.count && lower[(end - scheme.utf8.count)..<end].elementsEqual(scheme.utf8)
    }
  }

  /// `-----BEGIN PRIVATE KEY-----…`, up to its end, the quote that closes it, or the end of the text.
  private mutating func findKeys() {
    let mark = Array("PRIVATE KEY-----".utf8)
    guard bytes.count > mark.count else { return }
    var i = 0
    while i < bytes.count - mark.count {
      defer { i += 1 }
      guard bytes[i] == mark[0], bytes[i..<i + mark.count].elementsEqual(mark) else { continue }
      let from = i + mark.count
      var to = from
      while to < bytes.count, !isQuote(bytes[to]),
        !(bytes[to] == UInt8(ascii: "-") && bytes[to...].starts(with: "-----END".utf8))
      { to += 1 }
      if to > from { holes.append(from..<to) }
      i = to
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
          // Without a password it is a token to web services, and a user to databases.
          if colon == nil, k > i + 3, isWeb(i) { holes.append(i + 3..<k) }
          break
        }
        if byte <= 0x20 || byte == UInt8(ascii: "/") || isQuote(byte) { break }
        if byte == UInt8(ascii: ":"), colon == nil { colon = k }
      }
    }
    let before = Set("?&_-".utf8)
    for word in [
      "password=", "secret=", "token=", "authorization: ", "sig=", "signature=", "key=", "auth=",
    ] {
      let isPart = word.utf8.count <= 4 || word == "signature=" || word == "auth="
      let wanted = Array(word.utf8)
      guard lower.count > wanted.count else { continue }
      for i in 0..<lower.count - wanted.count where lower[i] == wanted[0] {
        guard lower[i..<i + wanted.count].elementsEqual(wanted) else { continue }
        // Such words are names of parameters only behind these.
        if isPart, i == 0 || !before.contains(bytes[i - 1]) { continue }
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
