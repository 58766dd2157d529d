/// Why a text is not a value of the wanted type.
public enum TextProblem: UInt8, Error, Sendable {
  case empty, notBoolean, notInteger, outOfRange, notNumber, tooManyDigits, tooFine, notDate
  case noSuchDay, notTime, notTimestamp, zoned, notHex, notBase64, tooLong, notText, nested

  /// One clause for a message: `not an integer`.
  public var reason: String {
    switch self {
    case .empty: "empty text"
    case .notBoolean: "not true or false"
    case .notInteger: "not an integer"
    case .outOfRange: "out of the type's range"
    case .notNumber: "not a number"
    case .tooManyDigits: "more digits before the point than the type holds"
    case .tooFine: "more digits after the point than the type holds"
    case .notDate: "not a date yyyy-MM-dd"
    case .noSuchDay: "no such day in the calendar"
    case .notTime: "not a time HH:mm:ss"
    case .notTimestamp: "not a timestamp yyyy-MM-dd HH:mm:ss"
    case .zoned: "a time zone in a TIMESTAMP without one"
    case .notHex: "not bytes 0x…"
    case .notBase64: "not bytes in base64"
    case .tooLong: "longer than the type allows"
    case .notText: "not UTF-8"
    case .nested: "nested values have no text of their own"
    }
  }

  /// What the user may do about it.
  public var hint: String {
    switch self {
    case .outOfRange: "use a wider type"
    case .tooManyDigits: "use a DECIMAL of more digits"
    case .tooFine: "use a larger scale or precision, or round before"
    case .zoned: "use TIMESTAMP_LTZ"
    case .tooLong: "use STRING or BYTES"
    default: ""
    }
  }
}
