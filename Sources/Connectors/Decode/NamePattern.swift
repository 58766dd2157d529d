import Columns

/// A regular expression that a whole name must match; none matches every name.
struct NamePattern {
  private let pattern: Regex<AnyRegexOutput>?

  init(_ text: String?, option: String) throws(TerraceError) {
    guard let text else {
      pattern = nil
      return
    }
    do {
      pattern = try Regex(text)
    } catch {
      throw TerraceError(.invalid, "not a regular expression").with("option", option)
        .with("value", text)
    }
  }

  func matches(_ name: String) -> Bool {
    guard let pattern else { return true }
    // A pattern that fails while it runs matches nothing.
    return (try? pattern.wholeMatch(in: name)) != nil
  }

  func matches(_ names: Column, _ row: Int) -> Bool {
    if pattern == nil { return true }
    if names.isNull(row) { return false }
    return matches(String(decoding: names.bytes(row), as: UTF8.self))
  }
}
