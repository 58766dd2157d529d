package import Columns

/// The regular expressions of Java that need no look-around and no back reference.
///
/// Leftmost match, alternatives and greediness in Java's order. A backtracking search that never
/// visits the same instruction at the same place twice (R. Cox, "Regular Expression Matching: the
/// Virtual Machine Approach", 2009): time is bounded by pattern × text, whatever the pattern.
package struct Regex: Sendable {
  private indirect enum Node {
    case empty, any, begin, end, wordEdge(Bool)
    case set(ScalarSet)
    case sequence([Node])
    case choice([Node])
    case group(Node, Int?)
    case repeated(Node, Int, Int?, lazy: Bool)
  }

  private enum Step {
    case any, begin, end, wordEdge(Bool), match
    case set(ScalarSet)
    /// Tries the first, then the second.
    case split(Int, Int)
    case jump(Int)
    case save(Int)
  }

  struct ScalarSet: Sendable {
    var ranges: [ClosedRange<UInt32>] = []
    var isNegated = false

    func contains(_ c: UInt32) -> Bool { ranges.contains { $0.contains(c) } != isNegated }

    mutating func add(_ other: ScalarSet) {
      if !other.isNegated { return ranges.append(contentsOf: other.ranges) }
      var from: UInt32 = 0
      for range in other.ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
        if range.lowerBound > from { ranges.append(from...range.lowerBound - 1) }
        from = max(from, range.upperBound + 1)
      }
      ranges.append(from...0x10ffff)
    }
  }

  private var program: [Step] = []
  /// Capturing groups, the whole match not counted.
  package private(set) var groupCount = 0

  private static let stepsMax = 20_000
  private static let visitsMax = 1 << 27

  /// - Throws: `invalid`, when the pattern is broken; `unsupported` for look-around and the like.
  package init(_ pattern: String) throws(TerraceError) {
    var parser = Parser(pattern)
    let node = try parser.all()
    groupCount = parser.groups
    try emit(.group(node, 0), parser)
    program.append(.match)
  }

  // MARK: - Matching

  /// The first match at or after `from`: begin and end of the whole and of each group, -1 where a
  /// group took no part.
  func match(_ text: [UInt32], from: Int = 0) throws(TerraceError) -> [Int]? {
    guard program.count * (text.count + 1) <= Regex.visitsMax else {
      throw TerraceError(.invalid, "a regular expression over too long a text")
        .with("length", text.count)
    }
    // A state that failed once fails again, whatever the start: visits are shared by all starts.
    var visited = [UInt64](repeating: 0, count: program.count * (text.count + 1) / 64 + 1)
    for start in from...max(from, text.count) {
      if let found = run(text, start, &visited) { return found }
    }
    return nil
  }

  private func run(_ text: [UInt32], _ start: Int, _ visited: inout [UInt64]) -> [Int]? {
    var slots = [Int](repeating: -1, count: (groupCount + 1) * 2)
    // Steps to try: (instruction, place), or a slot to give its old value back (-1 - slot, value).
    var stack: [(Int, Int)] = [(0, start)]
    while let (next, place) = stack.popLast() {
      if next < 0 {
        slots[-1 - next] = place
        continue
      }
      var pc = next
      var at = place
      search: while true {
        let bit = pc * (text.count + 1) + at
        if visited[bit >> 6] >> UInt64(bit & 63) & 1 != 0 { break search }
        visited[bit >> 6] |= 1 << UInt64(bit & 63)
        switch program[pc] {
        case .match: return slots
        case .any:
          if at >= text.count || text[at] == 10 || text[at] == 13 { break search }
          at += 1
          pc += 1
        case .set(let set):
          if at >= text.count || !set.contains(text[at]) { break search }
          at += 1
          pc += 1
        case .begin:
          if at != 0 { break search }
          pc += 1
        case .end:
          // Java's $ also stands before a last line break.
          if at != text.count && !(at == text.count - 1 && text[at] == 10) { break search }
          pc += 1
        case .wordEdge(let wanted):
          let before = at > 0 && Regex.word.contains(text[at - 1])
          let after = at < text.count && Regex.word.contains(text[at])
          if (before != after) != wanted { break search }
          pc += 1
        case .jump(let target): pc = target
        case .split(let first, let second):
          stack.append((second, at))
          pc = first
        case .save(let slot):
          stack.append((-1 - slot, slots[slot]))
          slots[slot] = at
          pc += 1
        }
      }
    }
    return nil
  }

  /// All matches that do not overlap.
  /// The parts between matches, as Java's `split`: empty ones at the end are left out where no limit is given.
  func split(_ text: [UInt32], limit: Int = 0) throws(TerraceError) -> [ArraySlice<UInt32>] {
    var parts: [ArraySlice<UInt32>] = []
    var from = 0
    for slots in try matches(text) {
      if limit > 0, parts.count == limit - 1 { break }
      // A match of nothing at the beginning divides nothing.
      if slots[1] == 0 { continue }
      parts.append(text[from..<slots[0]])
      from = slots[1]
    }
    parts.append(text[from...])
    if limit == 0 { while parts.count > 1, parts.last?.isEmpty ?? false { parts.removeLast() } }
    return parts
  }

  func matches(_ text: [UInt32]) throws(TerraceError) -> [[Int]] {
    var found: [[Int]] = []
    var from = 0
    while from <= text.count, let slots = try match(text, from: from) {
      found.append(slots)
      from = slots[1] > slots[0] ? slots[1] : slots[1] + 1
    }
    return found
  }

  // MARK: - Compiling

  private mutating func emit(_ node: Node, _ parser: Parser) throws(TerraceError) {
    if program.count > Regex.stepsMax { throw parser.invalid("the pattern is too large") }
    switch node {
    case .empty: break
    case .any: program.append(.any)
    case .begin: program.append(.begin)
    case .end: program.append(.end)
    case .wordEdge(let wanted): program.append(.wordEdge(wanted))
    case .set(let set): program.append(.set(set))
    case .sequence(let parts): for part in parts { try emit(part, parser) }
    case .choice(let parts):
      var jumps: [Int] = []
      for (i, part) in parts.enumerated() {
        let split = program.count
        if i + 1 < parts.count { program.append(.split(split + 1, 0)) }
        try emit(part, parser)
        if i + 1 < parts.count {
          jumps.append(program.count)
          program.append(.jump(0))
          program[split] = .split(split + 1, program.count)
        }
      }
      for jump in jumps { program[jump] = .jump(program.count) }
    case .group(let inner, let number):
      if let number { program.append(.save(number * 2)) }
      try emit(inner, parser)
      if let number { program.append(.save(number * 2 + 1)) }
    case .repeated(let inner, let low, let high, let lazy):
      for _ in 0..<low { try emit(inner, parser) }
      guard let high else {
        let split = program.count
        program.append(.jump(0))
        try emit(inner, parser)
        program.append(.jump(split))
        let end = program.count
        program[split] = lazy ? .split(end, split + 1) : .split(split + 1, end)
        return
      }
      var splits: [Int] = []
      for _ in low..<high {
        splits.append(program.count)
        program.append(.jump(0))
        try emit(inner, parser)
      }
      let end = program.count
      for split in splits {
        program[split] = lazy ? .split(end, split + 1) : .split(split + 1, end)
      }
    }
  }

  static let digit = ScalarSet(ranges: [48...57])
  static let word = ScalarSet(ranges: [48...57, 65...90, 95...95, 97...122])
  static let space = ScalarSet(ranges: [9...13, 32...32])

  /// Recursive descent over the pattern.
  private struct Parser {
    let text: String
    let c: [UInt32]
    var at = 0
    var groups = 0
    var ignoresCase = false
    var depth = 0

    init(_ text: String) {
      self.text = text
      c = text.unicodeScalars.map(\.value)
    }

    func invalid(_ what: String) -> TerraceError {
      TerraceError(.invalid, "broken regular expression: \(what)")
        .with("pattern", "'\(text.prefix(100))'").with("position", at)
    }

    private func unsupported(_ what: String) -> TerraceError {
      TerraceError(.unsupported, "\(what) in a regular expression")
        .with("pattern", "'\(text.prefix(100))'")
    }

    private func isAt(_ s: Unicode.Scalar) -> Bool { at < c.count && c[at] == s.value }

    private mutating func accept(_ s: Unicode.Scalar) -> Bool {
      if isAt(s) {
        at += 1
        return true
      }
      return false
    }

    mutating func all() throws(TerraceError) -> Node {
      let node = try choice()
      if at < c.count { throw invalid("an unmatched ')'") }
      return node
    }

    private mutating func choice() throws(TerraceError) -> Node {
      depth += 1
      defer { depth -= 1 }
      if depth > 100 { throw invalid("groups are nested too deeply") }
      var parts = [try sequence()]
      while accept("|") { parts.append(try sequence()) }
      return parts.count == 1 ? parts[0] : .choice(parts)
    }

    private mutating func sequence() throws(TerraceError) -> Node {
      var parts: [Node] = []
      while at < c.count, !isAt("|"), !isAt(")") { parts.append(try quantified()) }
      return .sequence(parts)
    }

    private mutating func quantified() throws(TerraceError) -> Node {
      let node = try atom()
      var low = 0
      var high: Int?
      if accept("*") {
      } else if accept("+") {
        low = 1
      } else if accept("?") {
        high = 1
      } else if isAt("{") {
        at += 1
        guard let m = number() else { throw invalid("a number is missing after '{'") }
        low = m
        high = m
        if accept(",") { high = number() }
        guard accept("}") else { throw invalid("'}' is missing") }
        if let high, high < low { throw invalid("a repetition counts down") }
        if max(low, high ?? 0) > 1000 { throw invalid("a repetition of over 1000 times") }
      } else {
        return node
      }
      let lazy = accept("?")
      if !lazy, accept("+") { throw unsupported("a possessive repetition") }
      return .repeated(node, low, high, lazy: lazy)
    }

    private mutating func number() -> Int? {
      var value = 0
      let start = at
      while at < c.count, at - start < 5, c[at] >= 48, c[at] <= 57 {
        value = value * 10 + Int(c[at] - 48)
        at += 1
      }
      return at > start ? value : nil
    }

    private mutating func atom() throws(TerraceError) -> Node {
      let start = c[at]
      at += 1
      switch Unicode.Scalar(start) {
      case ".": return .any
      case "^": return .begin
      case "$": return .end
      case "[": return .set(try set())
      case "(": return try group()
      case "\\": return try escape()
      case "*", "+", "?": throw invalid("nothing to repeat")
      default: return .set(literal(start))
      }
    }

    private func literal(_ value: UInt32) -> ScalarSet {
      guard ignoresCase, let scalar = Unicode.Scalar(value) else {
        return ScalarSet(ranges: [value...value])
      }
      let forms = [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping]
      return ScalarSet(
        ranges: [value...value]
          + forms.compactMap { form in
            let scalars = Array(form.unicodeScalars)
            return scalars.count == 1 ? scalars[0].value...scalars[0].value : nil
          })
    }

    private mutating func group() throws(TerraceError) -> Node {
      var number: Int?
      if accept("?") {
        if accept(":") {
        } else if accept("i") {
          guard accept(")") else { throw unsupported("such a flag") }
          ignoresCase = true
          return .empty
        } else if isAt("<"), at + 1 < c.count, c[at + 1] != 0x3d, c[at + 1] != 0x21 {
          while at < c.count, !isAt(">") { at += 1 }
          at += 1
          groups += 1
          number = groups
        } else {
          throw unsupported("look-around")
        }
      } else {
        groups += 1
        number = groups
      }
      let inner = try choice()
      guard accept(")") else { throw invalid("')' is missing") }
      return .group(inner, number)
    }

    private mutating func escape() throws(TerraceError) -> Node {
      guard at < c.count else { throw invalid("nothing after '\\'") }
      switch Unicode.Scalar(c[at]) {
      case "b":
        at += 1
        return .wordEdge(true)
      case "B":
        at += 1
        return .wordEdge(false)
      case "A":
        at += 1
        return .begin
      case "z", "Z":
        at += 1
        return .end
      default: return .set(try escapedSet())
      }
    }

    private mutating func escapedSet() throws(TerraceError) -> ScalarSet {
      guard at < c.count, let letter = Unicode.Scalar(c[at]) else {
        throw invalid("nothing after '\\'")
      }
      at += 1
      func not(_ set: ScalarSet) -> ScalarSet { ScalarSet(ranges: set.ranges, isNegated: true) }
      switch letter {
      case "d": return Regex.digit
      case "D": return not(Regex.digit)
      case "w": return Regex.word
      case "W": return not(Regex.word)
      case "s": return Regex.space
      case "S": return not(Regex.space)
      case "n": return ScalarSet(ranges: [10...10])
      case "r": return ScalarSet(ranges: [13...13])
      case "t": return ScalarSet(ranges: [9...9])
      case "f": return ScalarSet(ranges: [12...12])
      case "u", "x":
        let width = letter == "u" ? 4 : 2
        guard at + width <= c.count,
          let value = UInt32(
            String(String.UnicodeScalarView(c[at..<at + width].compactMap(Unicode.Scalar.init))),
            radix: 16)
        else { throw invalid("hexadecimal digits are missing") }
        at += width
        return ScalarSet(ranges: [value...value])
      case "0"..."9": throw unsupported("a back reference")
      case "a"..."z", "A"..."Z": throw unsupported("'\\\(letter)'")
      default: return literal(letter.value)
      }
    }

    private mutating func set() throws(TerraceError) -> ScalarSet {
      var out = ScalarSet()
      out.isNegated = accept("^")
      var isFirst = true
      while !isAt("]") || isFirst {
        guard at < c.count else { throw invalid("']' is missing") }
        isFirst = false
        if accept("\\") {
          out.add(try escapedSet())
          continue
        }
        if isAt("[") || (isAt("&") && at + 1 < c.count && c[at + 1] == 0x26) {
          throw unsupported("a set inside a set")
        }
        let low = c[at]
        at += 1
        guard isAt("-"), at + 1 < c.count, c[at + 1] != 0x5d else {
          out.add(literal(low))
          continue
        }
        at += 1
        var high = c[at]
        at += 1
        if high == 0x5c, let only = try escapedSet().ranges.first { high = only.lowerBound }
        guard low <= high else { throw invalid("a range counts down") }
        out.ranges.append(low...high)
      }
      at += 1
      return out
    }
  }
}
