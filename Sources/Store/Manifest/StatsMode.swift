package import Columns

/// What manifests say about a column of a file.
package enum StatsMode: Hashable, Sendable {
  /// Nothing.
  case none
  /// How many rows are null.
  case counts
  /// Bounds as well, texts and bytes cut to so many characters or bytes.
  case truncate(Int)
  /// Bounds as they are.
  case full

  package init?(_ text: String) {
    let word = text.trimmed.lowercased()
    switch word {
    case "none": self = .none
    case "counts": self = .counts
    case "full": self = .full
    default:
      guard word.hasPrefix("truncate("), word.hasSuffix(")"),
        let length = Int(word.dropFirst(9).dropLast()), length > 0
      else { return nil }
      self = .truncate(length)
    }
  }
}

extension TableOptions {
  package var statsMode: StatsMode {
    get throws(TerraceError) { try statsMode(named: "metadata.stats-mode") ?? .truncate(16) }
  }

  /// The mode of one column.
  package func statsMode(of column: String) throws(TerraceError) -> StatsMode {
    let general = try statsMode
    return try statsMode(named: "fields.\(column).stats-mode") ?? general
  }

  private func statsMode(named name: String) throws(TerraceError) -> StatsMode? {
    guard let text = entries[name] else { return nil }
    guard let mode = StatsMode(text) else {
      throw TerraceError(
        .invalid, "the value of an option is not none, counts, truncate(n) or full"
      )
      .with("option", name).with("value", shown(text))
    }
    return mode
  }
}
