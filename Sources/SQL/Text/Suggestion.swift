/// The name a user probably meant.
enum Suggestion {
  /// The nearest candidate, if it is near enough to be a slip: the same but for case, or an edit
  /// distance (with swaps of neighbours) of at most a third of the length.
  ///
  /// Ties go to the earlier candidate. Only the first 2,000 candidates are looked at.
  static func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
    let wanted = Array(name.lowercased().unicodeScalars.prefix(64))
    var best: (name: String, distance: Int)?
    for candidate in candidates.prefix(2_000) {
      let other = Array(candidate.lowercased().unicodeScalars.prefix(64))
      let allowed = max(1, min(wanted.count, other.count) / 3)
      if abs(other.count - wanted.count) > allowed { continue }
      let distance = editDistance(wanted, other)
      if distance > allowed || (best.map { $0.distance <= distance } ?? false) { continue }
      // One-letter names are all one edit apart.
      if distance > 0, min(wanted.count, other.count) < 2 { continue }
      best = (candidate, distance)
    }
    return best?.name
  }

  /// `did you mean 'x'?`, or empty.
  static func hint(for name: String, among candidates: some Sequence<String>) -> String {
    guard let found = nearest(to: name, among: candidates) else { return "" }
    if found.lowercased() == name.lowercased() {
      return "did you mean '\(found)'? Names are case-sensitive"
    }
    return "did you mean '\(found)'?"
  }

  /// Insertions, deletions, substitutions and swaps of neighbours that turn one into the other
  /// (optimal string alignment).
  static func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
    var before: [Int] = []
    var previous = Array(0...b.count)
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var cost = min(row[j] + 1, previous[j + 1] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
        row.append(cost)
      }
      before = previous
      previous = row
    }
    return previous[b.count]
  }
}
