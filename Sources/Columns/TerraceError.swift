/// What went wrong, of which kind, and the facts gathered on the way up.
///
/// The kind tells the caller what to do; the facts tell the user where to look:
/// `corrupted: files of a sorted run overlap (left=data-7.parquet right=data-9.parquet)`.
public struct TerraceError: Error, Sendable, CustomStringConvertible {
  public enum Kind: String, Sendable {
    /// The bytes break their format. Stop; do not write to this table.
    case corrupted
    /// Another writer was first. Read the table again and decide anew.
    case conflict
    /// No such table, snapshot, tag, file.
    case notFound = "not found"
    /// The user asked for something that makes no sense.
    case invalid
    /// A feature that Terrace knows by name and does not have.
    case unsupported = "not supported"
    /// The operating system or a server refused. Trying again may help.
    case unavailable
    /// Somebody else holds what is needed.
    case held
  }

  public let kind: Kind
  public let message: String
  public private(set) var facts: [(name: String, value: String)]
  /// What the user may do about it; empty when there is nothing to say.
  public private(set) var hint: String

  public init(_ kind: Kind, _ message: String, hint: String = "") {
    self.kind = kind
    self.message = message
    self.facts = []
    self.hint = hint
  }

  /// The same error with one more fact. Facts are printed in the order they were added.
  public func with(_ name: String, _ value: some CustomStringConvertible) -> TerraceError {
    var copy = self
    copy.facts.append((name, value.description))
    return copy
  }

  public func hint(_ text: String) -> TerraceError {
    var copy = self
    copy.hint = text
    return copy
  }

  public var description: String {
    var text = "\(kind.rawValue): \(message)"
    if !facts.isEmpty {
      text += " (" + facts.map { "\($0.name)=\($0.value)" }.joined(separator: " ") + ")"
    }
    return text
  }
}
