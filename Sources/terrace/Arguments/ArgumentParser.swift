import Columns
import Warehouse

/// What a command line asks for.
enum Request {
  case run(Command, Arguments)
  case help(Command, path: [String])
  /// A command that only groups others was named alone.
  case incomplete(Command, path: [String])
}

/// Reads a command line against a tree of commands.
///
/// Flags may stand anywhere after the command they belong to; `--` ends them; `--name=value`,
/// `-nvalue` and joined switches (`-iv`) are understood. Flags of an outer command, such as
/// `--warehouse`, are accepted after inner ones too, unless the inner command has its own meaning
/// for the same name.
struct ArgumentParser {
  private let root: Command
  private var chain: [Command]
  private var path: [String]
  private var arguments: Arguments
  /// Operands of the innermost command so far.
  private var filled = 0
  private var wantsHelp = false
  /// An operand that an outer command lacks.
  private var missing: Operand?
  /// The path with the operands of outer commands, for usage lines.
  private var usagePath: [String]

  init(_ root: Command) {
    self.root = root
    chain = [root]
    path = [root.name]
    usagePath = path
    arguments = Arguments(path: path)
  }

  static let help = Flag("--help", "-h", nil, "show this help")

  mutating func parse(_ words: [String]) throws(TerraceError) -> Request {
    var given: [(Flag, String)] = []
    var plain: [(Operand, String)] = []
    var rest = words[...]
    var flagsEnded = false
    while let word = rest.popFirst() {
      if !flagsEnded, word == "--" {
        flagsEnded = true
      } else if !flagsEnded, word.hasPrefix("--"), !ArgumentParser.isText(word) {
        if let pair = try longFlag(word, &rest) { given += pair }
      } else if !flagsEnded, word.count > 1, word.hasPrefix("-"), !ArgumentParser.isText(word) {
        given += try shortFlags(word, &rest)
      } else if let operand = try descendOrFill(word) {
        plain.append((operand, word))
      }
    }
    let command = current
    if wantsHelp { return .help(command, path: usagePath) }
    guard command.run != nil else { return .incomplete(command, path: usagePath) }
    if let missing { throw usage("\(missing.name) is missing", command) }
    try requireOperands(of: command)
    arguments = Arguments(path: path)
    for (flag, value) in given {
      if arguments.has(flag.name), !flag.repeats {
        throw usage("\(flag.name) was given twice", command)
      }
      arguments.set(flag, value)
    }
    for (operand, value) in plain { arguments.set(operand, value) }
    return .run(command, arguments)
  }

  /// No flag has white space in its name: this is SQL that begins with a comment.
  private static func isText(_ word: String) -> Bool {
    word.prefix { $0 != "=" }.contains { $0.isWhitespace }
  }

  private var current: Command { chain[chain.count - 1] }

  /// Takes the word as an operand of the innermost command, or as the name of one further in.
  private mutating func descendOrFill(_ word: String) throws(TerraceError) -> Operand? {
    let command = current
    let inner = command.subcommand(word)
    if filled < command.operands.count, inner == nil {
      let operand = command.operands[filled]
      if operand.count == .one || operand.count == .optional { filled += 1 }
      return operand
    }
    guard !command.subcommands.isEmpty else {
      throw usage("“\(word)” is one word too many", command)
    }
    guard let next = inner else { throw unknownCommand(word, in: command) }
    // Asking for help needs no operands, so what is missing is only told when the command is to run.
    if filled < command.operands.count, missing == nil { missing = command.operands[filled] }
    usagePath += command.operands.map(\.usage)
    usagePath.append(next.name)
    chain.append(next)
    path.append(next.name)
    filled = 0
    return nil
  }

  private func requireOperands(of command: Command) throws(TerraceError) {
    guard filled < command.operands.count else { return }
    let operand = command.operands[filled]
    if operand.count == .one { throw usage("\(operand.name) is missing", command) }
  }

  private mutating func longFlag(
    _ word: String, _ rest: inout ArraySlice<String>
  ) throws(TerraceError) -> [(Flag, String)]? {
    var name = word
    var attached: String?
    if let sign = word.firstIndex(of: "=") {
      name = String(word[..<sign])
      attached = String(word[word.index(after: sign)...])
    }
    if name == ArgumentParser.help.name {
      if attached != nil { throw usage("\(name) takes no value", current) }
      wantsHelp = true
      return nil
    }
    let flag = try find(name)
    guard flag.value != nil else {
      if attached != nil { throw usage("\(flag.name) takes no value", current) }
      return [(flag, "")]
    }
    return try values(of: flag, attached: attached, &rest)
  }

  private mutating func shortFlags(
    _ word: String, _ rest: inout ArraySlice<String>
  ) throws(TerraceError) -> [(Flag, String)] {
    var found: [(Flag, String)] = []
    var letters = word.dropFirst()
    while let letter = letters.popFirst() {
      // A command without a flag -h of its own asks for help with it.
      let flag = try find("-\(letter)", of: word)
      if flag.name == ArgumentParser.help.name {
        wantsHelp = true
        continue
      }
      if flag.value == nil {
        found.append((flag, ""))
        continue
      }
      var attached = letters.isEmpty ? nil : String(letters)
      if let text = attached, text.hasPrefix("=") { attached = String(text.dropFirst()) }
      found += try values(of: flag, attached: attached, &rest)
      break
    }
    return found
  }

  private func values(
    of flag: Flag, attached: String?, _ rest: inout ArraySlice<String>
  ) throws(TerraceError) -> [(Flag, String)] {
    var values: [String] = []
    if let attached {
      values = [attached]
    } else if let next = rest.first, !looksLikeFlag(next) {
      values = [rest.removeFirst()]
    }
    guard !values.isEmpty else {
      throw usage("\(flag.name) needs \(flag.value ?? "a value")", current)
    }
    while flag.takesSeveral, let next = rest.first, !looksLikeFlag(next) {
      values.append(rest.removeFirst())
    }
    if !flag.choices.isEmpty, let odd = values.first(where: { !flag.choices.contains($0) }) {
      throw TerraceError(
        .invalid, "\(flag.name) is one of \(flag.choices.joined(separator: ", ")), not “\(odd)”",
        hint: NearestName.hint(odd, among: flag.choices) ?? "")
    }
    return values.map { (flag, $0) }
  }

  /// A value may begin with a dash (`-5`), but not be one of the flags in reach.
  private func looksLikeFlag(_ word: String) -> Bool {
    guard word.hasPrefix("-"), word.count > 1 else { return false }
    let name = word.prefix { $0 != "=" }
    if name == "--" || name == "--help" { return true }
    return chain.contains { $0.flags.contains { $0.answers(to: String(name)) } }
  }

  private func find(_ name: String, of word: String? = nil) throws(TerraceError) -> Flag {
    for command in chain.reversed() {
      if let flag = command.flags.first(where: { $0.answers(to: name) }) { return flag }
    }
    let known = chain.flatMap { $0.flags.map(\.name) }
    let within = word.map { $0.count > 2 ? " in \($0)" : "" } ?? ""
    throw TerraceError(
      .invalid,
      path.count == 1
        ? "there is no flag \(name)\(within)"
        : "“\(path.joined(separator: " "))” has no flag \(name)\(within)",
      hint: NearestName.hint(name, among: known)
        ?? "\(path.joined(separator: " ")) --help lists its flags")
  }

  private func unknownCommand(_ word: String, in command: Command) -> TerraceError {
    let names = command.subcommands.map(\.name)
    var hint = NearestName.hint(word, among: names)
    if hint == nil, command.name == root.name {
      let deeper = root.subcommands.filter { $0.subcommand(word) != nil }
      if !deeper.isEmpty {
        hint =
          "did you mean " + deeper.map { "“terrace \($0.name) \(word)”" }.joined(separator: " or ")
          + "?"
      }
    }
    return TerraceError(
      .invalid,
      path.count == 1
        ? "there is no command “\(word)”"
        : "“\(path.joined(separator: " "))” has no command “\(word)”",
      hint: hint ?? "it has \(names.joined(separator: ", "))")
  }

  private func usage(_ message: String, _ command: Command) -> TerraceError {
    TerraceError(
      .invalid, message, hint: "usage: " + Help.usage(command, path: usagePath))
  }
}
