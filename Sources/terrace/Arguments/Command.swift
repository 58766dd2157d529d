import Columns

/// One command as a value: what it is called, what it takes, what it does.
///
/// The parser and the help text are both made from these values, so they cannot disagree.
struct Command: Sendable {
  let name: String
  /// One line, without a full stop.
  let summary: String
  /// Further lines for `--help`; empty when the summary says it all.
  var details = ""
  var operands: [Operand] = []
  var flags: [Flag] = []
  /// Complete command lines, each with what it does after ` # `.
  var examples: [String] = []
  var subcommands: [Command] = []
  /// Other names that are understood, but not shown first.
  var aliases: [String] = []
  /// Nil for a command that only groups others.
  var run: (@Sendable (Arguments, Console) throws(TerraceError) -> Void)?

  func subcommand(_ name: String) -> Command? {
    subcommands.first { $0.name == name || $0.aliases.contains(name) }
  }
}

/// A word of a command line that is not a flag.
struct Operand: Sendable {
  enum Count: Sendable {
    case one
    case optional
    case oneOrMore
    case any
  }

  let name: String
  let summary: String
  let count: Count

  init(_ name: String, _ summary: String, _ count: Count = .one) {
    self.name = name
    self.summary = summary
    self.count = count
  }

  /// As shown in a usage line: `TABLE`, `[NAME]`, `FILE…`.
  var usage: String {
    switch count {
    case .one: name
    case .optional: "[\(name)]"
    case .oneOrMore: "\(name)…"
    case .any: "[\(name)…]"
    }
  }
}

/// `--name`, with a value or without.
struct Flag: Sendable {
  /// With its two dashes.
  let name: String
  /// With its dash; empty when there is none.
  let short: String
  /// What the value is called in help; nil for a switch.
  let value: String?
  let summary: String
  /// The words allowed as the value; empty for any.
  let choices: [String]
  /// May be given several times.
  let repeats: Bool
  /// Takes all following words up to the next flag, as `--remove a b` does.
  let takesSeveral: Bool
  /// Other spellings that are understood.
  let aliases: [String]

  init(
    _ name: String, _ short: String = "", _ value: String? = nil, _ summary: String,
    choices: [String] = [], repeats: Bool = false, takesSeveral: Bool = false,
    aliases: [String] = []
  ) {
    self.name = name
    self.short = short
    self.value = value
    self.summary = summary
    self.choices = choices
    self.repeats = repeats || takesSeveral
    self.takesSeveral = takesSeveral
    self.aliases = aliases
  }

  func answers(to name: String) -> Bool {
    name == self.name || (name == short && !short.isEmpty) || aliases.contains(name)
  }

  /// As shown in a list of flags: `-s, --select COLUMNS`.
  var usage: String {
    let lead = short.isEmpty ? name : "\(short), \(name)"
    if !choices.isEmpty { return lead + " " + choices.joined(separator: "|") }
    return lead + (value.map { " " + $0 } ?? "") + (takesSeveral ? "…" : "")
  }
}
