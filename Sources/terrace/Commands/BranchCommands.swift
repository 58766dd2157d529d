import Columns
import Formats
import Store
import Warehouse

extension Terrace {
  private static let branchName = Operand("NAME", "of the branch")

  static let branchCommands: Command = Command(
    name: "branch", summary: "Branches of a table: create, list, delete, rename",
    details: "A branch is read and written as DATABASE.TABLE$branch_NAME, or with --branch NAME.",
    subcommands: [
      Command(
        name: "create", summary: "Start a branch", operands: [.table, branchName],
        flags: [
          Flag("--tag", "-t", "TAG", "start with the rows of this tag (default: without rows)")
        ],
        run: { (arguments, console) throws(TerraceError) in
          let (branches, table) = try branches(arguments)
          let name = arguments.operand("NAME")
          if try branches.list().contains(name) {
            throw TerraceError(.invalid, "branch \(name) is there already")
          }
          try branches.create(name, tag: arguments.text("--tag"))
          let origin = arguments.text("--tag").map { " from tag '\($0)'" } ?? ""
          try console.say("Branch '\(name)' created\(origin) on table '\(table)'.")
        }),
      Command(
        name: "list", summary: "List the branches of a table", operands: [.table],
        flags: [format],
        run: { (arguments, console) throws(TerraceError) in
          var listing = Listing("branch")
          for name in try branches(arguments).0.list() { listing.add(.string(name)) }
          try console.show(listing, arguments.printFormat, nothing: "No branches found.")
        }),
      Command(
        name: "delete", summary: "Delete a branch", operands: [.table, branchName],
        aliases: ["drop"],
        run: { (arguments, console) throws(TerraceError) in
          let (branches, table) = try branches(arguments)
          let name = arguments.operand("NAME")
          try mustHave(name, branches, table)
          try branches.delete(name)
          try console.say("Branch '\(name)' deleted from table '\(table)'.")
        }),
      Command(
        name: "rename", summary: "Rename a branch",
        operands: [.table, branchName, Operand("TARGET", "its new name")],
        run: { (arguments, console) throws(TerraceError) in
          let warehouse = try arguments.warehouse()
          let (branches, table) = try branches(arguments)
          let (name, target) = (arguments.operand("NAME"), arguments.operand("TARGET"))
          try mustHave(name, branches, table)
          if try branches.list().contains(target) {
            throw TerraceError(.invalid, "branch \(target) is there already")
          }
          try warehouse.rename(branch: name, of: table, to: target)
          try console.say("Branch '\(name)' renamed to '\(target)' on table '\(table)'.")
        }),
      Command(
        name: "fast-forward", summary: "Take the main line to a branch (not supported yet)",
        operands: [.table, branchName],
        run: { (arguments, _) throws(TerraceError) in
          let (branches, table) = try branches(arguments)
          try mustHave(arguments.operand("NAME"), branches, table)
          throw TerraceError(.unsupported, "fast-forwarding a branch")
        }),
    ])

  private static func branches(
    _ arguments: Arguments
  ) throws(TerraceError) -> (Branches, TableName) {
    let warehouse = try arguments.warehouse()
    let name = try arguments.tableName()
    try warehouse.mustHave(name)
    return (Branches(try warehouse.path(of: name), warehouse.environment), name)
  }

  private static func mustHave(
    _ name: String, _ branches: Branches, _ table: TableName
  ) throws(TerraceError) {
    let names = try branches.list()
    if names.contains(name) { return }
    throw TerraceError(
      .notFound, "branch \(name) of \(table)",
      hint: NearestName.hint(name, among: names, else: "there are "))
  }
}
