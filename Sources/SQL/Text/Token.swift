/// The smallest piece of SQL with a meaning.
struct Token: Sendable {
  enum Kind: UInt8, Sendable {
    /// A bare word; ``Token/keyword`` is set when the grammar knows it.
    case word
    /// `` `quoted` ``
    case quoted
    case string
    /// `U&'\00e4'`
    case unicodeString
    /// `X'0aff'`
    case binaryString
    case integer
    /// Digits with a point.
    case decimal
    /// With an exponent.
    case approximate
    case leftParenthesis, rightParenthesis, leftBracket, rightBracket, comma, semicolon, dot, colon
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
    case plus, dash, star, slash, percent, concat, question
    /// `=>`, which names an argument.
    case arrow
    /// `/*+` and its `*/`
    case hintStart, hintEnd
    case endOfText
  }

  var kind: Kind
  var keyword: Keyword?
  var start: Int32
  var end: Int32

  var span: SourceSpan { SourceSpan(Int(start), Int(end)) }
}
