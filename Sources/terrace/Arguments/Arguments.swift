import Columns

/// What a command line said, after the parser has checked it against its ``Command``.
struct Arguments: Sendable {
  /// From `terrace` on: `["terrace", "table", "read"]`.
  let path: [String]
  private var values: [String: [String]] = [:]
  private var words: [String: [String]] = [:]

  init(path: [String]) { self.path = path }

  mutating func set(_ flag: Flag, _ value: String) { values[flag.name, default: []].append(value) }
  mutating func set(_ operand: Operand, _ value: String) {
    words[operand.name, default: []].append(value)
  }

  /// Whether the flag was given; by its long name.
  func has(_ flag: String) -> Bool { values[flag] != nil }

  /// The value of a flag, the last one when it was given twice.
  func text(_ flag: String) -> String? { values[flag]?.last }

  func all(_ flag: String) -> [String] { values[flag] ?? [] }

  /// A required operand; the parser has seen to it that it is there.
  func operand(_ name: String) -> String { words[name]?.last ?? "" }

  func operandIfGiven(_ name: String) -> String? { words[name]?.last }

  func operands(_ name: String) -> [String] { words[name] ?? [] }

  /// The value of a flag as a whole number that is at least `minimum`.
  func integer(_ flag: String, from minimum: Int = 0) throws(TerraceError) -> Int? {
    guard let text = text(flag) else { return nil }
    guard let number = Int(text) else {
      throw TerraceError(.invalid, "\(flag) takes a whole number, not “\(text)”")
    }
    guard number >= minimum else {
      throw TerraceError(.invalid, "\(flag) must be at least \(minimum), not \(number)")
    }
    return number
  }

  /// `key=value` pairs of a repeated flag, in the order given.
  func pairs(_ flag: String) throws(TerraceError) -> [(key: String, value: String)] {
    var pairs: [(key: String, value: String)] = []
    for text in all(flag) {
      guard let sign = text.firstIndex(of: "="), sign != text.startIndex else {
        throw TerraceError(
          .invalid, "\(flag) takes KEY=VALUE, not “\(text)”", hint: "for example \(flag) bucket=2")
      }
      pairs.append((String(text[..<sign]), String(text[text.index(after: sign)...])))
    }
    return pairs
  }

  /// Refuses two flags of which only one can be meant. Names of those given are in the message.
  func atMostOne(of flags: String...) throws(TerraceError) {
    let given = flags.filter { has($0) }
    if given.count > 1 {
      throw TerraceError(
        .invalid, "\(given.joined(separator: " and ")) cannot be used together")
    }
  }
}
