/// Which of the known names somebody may have meant.
package enum NearestName {
  /// The known name nearest to `word`, when it is near enough to be meant.
  ///
  /// Near enough: one slip in three letters, as edit distance counts them (insertion, deletion,
  /// replacement, and swapped neighbours: Damerau's distance, optimal string alignment), letter case
  /// aside; or one name begins with the other.
  package static func find(_ word: String, among known: [String]) -> String? {
    let wanted = Array(word.lowercased().unicodeScalars.prefix(64))
    guard !wanted.isEmpty else { return nil }
    var best: (name: String, distance: Int)?
    for name in known {
      let letters = Array(name.lowercased().unicodeScalars.prefix(64))
      var distance = Self.distance(wanted, letters)
      if wanted.count >= 3, letters.starts(with: wanted) || wanted.starts(with: letters) {
        distance = min(distance, 1)
      }
      let slips = max(wanted.count, letters.count) / 3
      if distance <= slips, distance < best?.distance ?? Int.max { best = (name, distance) }
    }
    return best?.name
  }

  /// `did you mean orders?`, or nil when nothing is near.
  package static func hint(_ word: String, among known: [String]) -> String? {
    find(word, among: known).map { "did you mean \($0)?" }
  }

  /// `did you mean orders?`, else `prefix` and the first few of the known names.
  package static func hint(_ word: String, among known: [String], else prefix: String) -> String {
    if let hint = hint(word, among: known) { return hint }
    guard !known.isEmpty else { return "" }
    let shown = known.prefix(12).joined(separator: ", ")
    return prefix + shown + (known.count > 12 ? ", … (\(known.count) in all)" : "")
  }

  private static func distance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
    if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
    var before = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in 1...a.count {
      var row = [Int](repeating: i, count: b.count + 1)
      for j in 1...b.count {
        let same = a[i - 1] == b[j - 1]
        row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1))
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
          row[j] = min(row[j], before[j - 2] + 1)
        }
      }
      before = last
      last = row
    }
    return last[b.count]
  }
}
