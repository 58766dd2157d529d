import Columns
import Store

/// The options of one table, taken one by one; what nobody takes is a mistake.
struct ConnectorOptions {
  let table: ConnectorTable
  private var known: [String]

  init(_ table: ConnectorTable) {
    self.table = table
    known = ["connector"]
  }

  /// Options that have a meaning elsewhere: as sinks or in other engines.
  mutating func allow(_ names: [String]) { known += names }

  mutating func text(_ name: String) -> String? {
    known.append(name)
    return table.options[name]
  }

  mutating func required(_ name: String) throws(TerraceError) -> String {
    guard let value = text(name), !value.isEmpty else {
      throw TerraceError(.invalid, "the option '\(name)' is missing").with("table", table.name)
        .with("option", name)
    }
    return value
  }

  mutating func flag(_ name: String) throws(TerraceError) -> Bool {
    guard let value = text(name) else { return false }
    guard let flag = OptionValue.boolean(value) else { throw wrong(name, "true or false") }
    return flag
  }

  mutating func integer(_ name: String) throws(TerraceError) -> Int64? {
    guard let value = text(name) else { return nil }
    guard let number = Int64(value.trimmed) else { throw wrong(name, "a whole number") }
    return number
  }

  /// Of engines with a thread a part: it has no effect here, but is a number.
  mutating func parallelism(_ name: String) throws(TerraceError) {
    if let number = try integer(name), number < 1 { throw wrong(name, "a whole number from 1 on") }
  }

  mutating func port(_ standard: Int) throws(TerraceError) -> Int {
    guard let port = try integer("port") else { return standard }
    guard (1...65_535).contains(port) else { throw wrong("port", "a port number") }
    return Int(port)
  }

  mutating func duration(_ name: String) throws(TerraceError) -> Int64? {
    guard let value = text(name) else { return nil }
    guard let millis = OptionValue.durationMillis(value), millis >= 0 else {
      throw wrong(name, "a duration such as '10 s'")
    }
    return millis
  }

  /// One of a few words, in any case; the first one is the default.
  mutating func choice(_ name: String, _ words: [String]) throws(TerraceError) -> String {
    guard let value = text(name) else { return words[0] }
    guard let word = words.first(where: { $0.lowercased() == value.lowercased() }) else {
      throw wrong(name, words.joined(separator: ", "))
    }
    return word
  }

  /// A single byte, such as a delimiter; Java escapes are understood.
  mutating func byte(_ name: String) throws(TerraceError) -> UInt8? {
    guard let value = text(name) else { return nil }
    switch value {
    case "\\t": return 0x09
    case "\\\\": return UInt8(ascii: "\\")
    default: break
    }
    if value.hasPrefix("\\u"), let code = UInt8(value.dropFirst(2), radix: 16), code < 0x80 {
      return code
    }
    let bytes = Array(value.utf8)
    guard bytes.count == 1, bytes[0] < 0x80 else { throw wrong(name, "one ASCII character") }
    return bytes[0]
  }

  func wrong(_ name: String, _ wanted: String) -> TerraceError {
    TerraceError(.invalid, "the option '\(name)' takes \(wanted)").with("table", table.name)
      .with("option", name).with("value", table.options[name] ?? "")
  }

  /// - Throws: `invalid` for the first option (by name) that nobody asked for.
  func finish() throws(TerraceError) {
    for name in table.options.keys.sorted() where !known.contains(name) {
      throw TerraceError(
        .invalid, "unknown option '\(name)'", hint: Self.hint(name, known)
      ).with("table", table.name).with("option", name)
    }
  }

  private static func hint(_ name: String, _ known: [String]) -> String {
    let near = known.map { ($0, distance(Array(name.utf8), Array($0.utf8))) }.min { $0.1 < $1.1 }
    if let near, near.1 <= max(2, name.utf8.count / 3) { return "did you mean '\(near.0)'?" }
    // Those of the same part, `csv.` or `scan.`, are what was looked for.
    let part = name.prefix { $0 != "." } + "."
    let alike = known.filter { $0.hasPrefix(part) }
    let shown = Set(alike.isEmpty ? known : alike).sorted()
    return "known: " + shown.prefix(12).joined(separator: ", ") + (shown.count > 12 ? ", …" : "")
  }

  /// Levenshtein's.
  private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var row = Array(0...b.count)
    for i in 0..<a.count {
      var corner = row[0]
      row[0] = i + 1
      for j in 0..<b.count {
        let next = min(row[j] + 1, row[j + 1] + 1, corner + (a[i] == b[j] ? 0 : 1))
        corner = row[j + 1]
        row[j + 1] = next
      }
    }
    return row[b.count]
  }
}
