import Columns
import Formats
import Store
import Warehouse

extension Terrace {
  private static let consumerID = Operand("ID", "of the consumer")

  static let consumerCommands: Command = Command(
    name: "consumer",
    summary: "Consumers, which keep what they have not read: list, set, delete, …",
    subcommands: [
      Command(
        name: "list", summary: "List the consumers of a table and the snapshot each reads next",
        operands: [.table], flags: [format, .branch],
        run: { (arguments, console) throws(TerraceError) in
          var listing = Listing("consumer", "next_snapshot")
          for (id, next) in try consumers(arguments).0.list() {
            listing.add(.string(id), .int(next))
          }
          try console.show(listing, arguments.printFormat, nothing: "No consumers.")
        }),
      Command(
        name: "get", summary: "Show one consumer", operands: [.table, consumerID],
        flags: [format, .branch],
        run: { (arguments, console) throws(TerraceError) in
          let (consumers, table) = try consumers(arguments)
          let id = arguments.operand("ID")
          guard let next = try consumers.find(id) else { throw try none(id, consumers, table) }
          var listing = Listing("consumer", "next_snapshot")
          listing.add(.string(id), .int(next))
          try console.show(listing, arguments.printFormat, nothing: "")
        }),
      Command(
        name: "set", summary: "Put a consumer at a snapshot; makes it when there is none",
        operands: [.table, consumerID, Operand("SNAPSHOT", "id of the snapshot to be read next")],
        flags: [.branch], aliases: ["reset"],
        run: { (arguments, console) throws(TerraceError) in
          let (consumers, table) = try consumers(arguments)
          let id = arguments.operand("ID")
          let text = arguments.operand("SNAPSHOT")
          guard let next = Int64(text), next > 0 else {
            throw TerraceError(.invalid, "a snapshot's id is a number from 1 on, not “\(text)”")
          }
          try consumers.set(id, next: next)
          try console.say("Consumer '\(id)' of table '\(table)' reads snapshot \(next) next.")
        }),
      Command(
        name: "delete", summary: "Forget a consumer; snapshots it kept may then expire",
        operands: [.table, consumerID], flags: [.branch], aliases: ["drop"],
        run: { (arguments, console) throws(TerraceError) in
          let (consumers, table) = try consumers(arguments)
          let id = arguments.operand("ID")
          if try !consumers.delete(id) { throw try none(id, consumers, table) }
          try console.say("Consumer '\(id)' deleted from table '\(table)'.")
        }),
    ])

  private static func consumers(
    _ arguments: Arguments
  ) throws(TerraceError) -> (Consumers, TableName) {
    let warehouse = try arguments.warehouse()
    let name = try arguments.tableName()
    try warehouse.mustHave(name)
    return (Consumers(try warehouse.path(of: name), warehouse.environment), name)
  }

  private static func none(
    _ id: String, _ consumers: Consumers, _ table: TableName
  ) throws(TerraceError) -> TerraceError {
    TerraceError(
      .notFound, "consumer \(id) of \(table)",
      hint: NearestName.hint(id, among: try consumers.list().map(\.id), else: "there are "))
  }
}
