import Columns
import Formats
import Store
import Warehouse

extension Terrace {
  static let repairCommand: Command = Command(
    name: "repair", summary: "Make the metastore anew from the warehouse and the specs",
    details: """
      Databases, tables and the partitions of tags become what the warehouse holds. A metastore that is
      missing is made; a damaged one is set aside first. Jobs go on where their tables say.
      """,
    flags: [Flag("--dry-run", "-n", nil, "tell what would be done, and do nothing"), format],
    examples: ["terrace -C myshop repair --dry-run"],
    run: { (arguments, console) throws(TerraceError) in
      if arguments.has("--warehouse") || arguments.has("--config") {
        throw TerraceError(
          .invalid, "a metastore belongs to a project", hint: "name the project with -C DIR")
      }
      let project = try OpenProject(
        folder: arguments.text("--project") ?? ".", Environment())
      let isDry = arguments.has("--dry-run")
      let changes = try project.repair(isDry: isDry)
      var listing = Listing("kind", "change", "name")
      for change in changes {
        listing.add(.string(change.kind), .string(change.action), .string(change.name))
      }
      try console.show(
        listing, arguments.printFormat,
        nothing: "Nothing to repair: the metastore agrees with the warehouse.")
      if isDry, !changes.isEmpty { console.note("This was a dry run: nothing was changed.") }
    })
}
