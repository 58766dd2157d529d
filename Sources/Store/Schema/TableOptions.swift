package import Columns

/// The options that are set on a table, under Paimon's names, and what they mean when they are not.
///
/// Unknown options are kept: another engine may know them. Readers throw kind `invalid` when the
/// text of a value makes no sense.
package struct TableOptions: Hashable, Sendable {
  package var entries: [String: String]

  package init(_ entries: [String: String] = [:]) { self.entries = entries }

  package subscript(name: String) -> String? {
    get { entries[name] }
    set { entries[name] = newValue }
  }

  // MARK: Values by type

  package func text(_ name: String, _ fallback: String) -> String { entries[name] ?? fallback }

  package func int(_ name: String) throws(TerraceError) -> Int? {
    try read(name, "an integer") { Int($0.trimmed) }
  }

  package func number(_ name: String) throws(TerraceError) -> Double? {
    try read(name, "a number") { Double($0.trimmed) }
  }

  package func flag(_ name: String, _ fallback: Bool) throws(TerraceError) -> Bool {
    try read(name, "true or false") { OptionValue.boolean($0.trimmed) } ?? fallback
  }

  package func bytes(_ name: String) throws(TerraceError) -> Int? {
    try read(name, "a memory size such as 128 mb") { OptionValue.memoryBytes($0) }
  }

  package func millis(_ name: String) throws(TerraceError) -> Int64? {
    try read(name, "a duration such as 10 min") { OptionValue.durationMillis($0) }
  }

  /// One of the words of an enumeration, in any case, with `_` for `-`.
  package func word<Word: RawRepresentable & CaseIterable>(
    _ name: String, _ fallback: Word
  ) throws(TerraceError) -> Word where Word.RawValue == String {
    let wanted = Word.allCases.map(\.rawValue).joined(separator: ", ")
    return try read(name, "one of \(wanted)") { text in
      let word = text.trimmed.lowercased().replacing("_", with: "-")
      return Word.allCases.first { $0.rawValue.lowercased() == word }
    } ?? fallback
  }

  private func read<Value>(
    _ name: String, _ wanted: String, _ parse: (String) -> Value?
  ) throws(TerraceError) -> Value? {
    guard let text = entries[name] else { return nil }
    if let value = parse(text) { return value }
    throw TerraceError(.invalid, "the value of an option is not \(wanted)").with("option", name)
      .with("value", shown(text))
  }
}
