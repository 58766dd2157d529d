/// The text of `--help`, made from the commands themselves.
enum Help {
  /// `terrace table read TABLE [flags]`
  static func usage(_ command: Command, path: [String]) -> String {
    var words = path
    words += command.operands.map(\.usage)
    if !command.subcommands.isEmpty { words.append("COMMAND") }
    if !command.flags.isEmpty { words.append("[flags]") }
    return words.joined(separator: " ")
  }

  /// The whole page of one command. `global` are the flags that every command takes.
  static func page(_ command: Command, path: [String], global: [Flag]) -> String {
    var text = "\(command.summary)\n\nUsage: \(usage(command, path: path))\n"
    if !command.details.isEmpty { text += "\n\(command.details)\n" }
    let operands = command.operands.filter { !$0.summary.isEmpty }
    text += section("Arguments", operands.map { ($0.name, $0.summary) })
    text += section("Commands", command.subcommands.map { ($0.name, $0.summary) })
    let own = path.count == 1 ? [] : command.flags
    text += section("Flags", own.map { ($0.usage, $0.summary) })
    text += section(
      path.count == 1 ? "Flags of every command" : "Everywhere",
      global.map { ($0.usage, $0.summary) })
    if !command.examples.isEmpty {
      text += "\nExamples:\n" + command.examples.map { "  \($0)\n" }.joined()
    }
    if path.count == 1 { text += "\n“terrace help COMMAND” says more about a command.\n" }
    return text
  }

  private static func section(_ title: String, _ rows: [(String, String)]) -> String {
    guard !rows.isEmpty else { return "" }
    let column = min(30, rows.map { $0.0.count }.max() ?? 0) + 2
    var text = "\n\(title):\n"
    for (name, summary) in rows {
      let lines = wrap(summary, to: 96 - column)
      if name.count + 2 > column {
        text += "  \(name)\n"
      } else {
        text += "  " + name + String(repeating: " ", count: column - name.count)
      }
      for (index, line) in lines.enumerated() {
        let hangs = index > 0 || name.count + 2 > column
        text += (hangs ? String(repeating: " ", count: column + 2) : "") + line + "\n"
      }
    }
    return text
  }

  private static func wrap(_ text: String, to width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, line.count + 1 + word.count > width {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    if !line.isEmpty || lines.isEmpty { lines.append(line) }
    return lines
  }
}
