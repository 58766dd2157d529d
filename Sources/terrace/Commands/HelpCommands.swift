import Columns
import Formats
import Warehouse

extension Terrace {
  static let versionCommand: Command = Command(
    name: "version", summary: "Print the version",
    flags: [format],
    run: { (arguments, console) throws(TerraceError) in
      if arguments.text("--format") == "json" {
        let value = JSONValue.members([
          ("version", .string(versionNumber)), ("tableFormat", .string("Apache Paimon")),
        ])
        try console.output.line(value.text())
      } else {
        try console.output.line("terrace \(versionNumber)")
      }
    })

  static let helpCommand: Command = Command(
    name: "help", summary: "Say more about a command",
    operands: [Operand("COMMAND", "its words, such as “table read”", .any)],
    examples: ["terrace help table read"],
    run: { (arguments, console) throws(TerraceError) in
      var command = root
      var path = [root.name]
      for word in arguments.operands("COMMAND") {
        guard let next = command.subcommand(word) else {
          throw TerraceError(
            .invalid, "\(path.joined(separator: " ")) has no command “\(word)”",
            hint: NearestName.hint(word, among: command.subcommands.map(\.name), else: "it has "))
        }
        path += command.operands.map(\.usage)
        command = next
        path.append(next.name)
      }
      try console.output.write(Help.page(command, path: path, global: globalFlags))
    })
}
