/// Patterns of SIMILAR TO (SQL:2016 8.6): `%` any text, `_` any character, `| * + ? {n} ( ) [ ]` as in
/// regular expressions, every other sign stands for itself.
enum SimilarPattern {
  /// - Returns: a regular expression for the whole text; nil for a pattern that breaks off.
  static func regex(_ pattern: [Unicode.Scalar], escape: Unicode.Scalar?) -> String? {
    var out = String.UnicodeScalarView()
    var isClass = false
    var i = 0
    while i < pattern.count {
      let c = pattern[i]
      i += 1
      if c == escape {
        guard i < pattern.count else { return nil }
        quote(pattern[i], &out)
        i += 1
      } else if isClass {
        if c == "]" { isClass = false }
        if c == "\\" || c == "[" || c == "&" { out.append("\\") }
        out.append(c)
      } else {
        switch c {
        case "%": out.append(contentsOf: "(?:.|\\s)*".unicodeScalars)
        case "_": out.append(contentsOf: "(?:.|\\s)".unicodeScalars)
        case "[":
          isClass = true
          out.append(c)
          if i < pattern.count, pattern[i] == "^" {
            out.append("^")
            i += 1
          }
        case "|", "*", "+", "?", "{", "}", "(", ")": out.append(c)
        default: quote(c, &out)
        }
      }
    }
    return isClass ? nil : "^(?:" + String(out) + ")$"
  }

  private static func quote(_ c: Unicode.Scalar, _ out: inout String.UnicodeScalarView) {
    if c.isASCII, !c.properties.isAlphabetic, !("0"..."9").contains(c), c.value > 0x20 {
      out.append("\\")
    }
    out.append(c)
  }
}
