import Columns
import Formats
import Store
import Warehouse

/// Commands that look into tables.
extension Terrace {
  static let tableContentCommands: [Command] = [
    Command(
      name: "snapshot", summary: "Print the latest snapshot as JSON", operands: [.table],
      flags: [format, .branch], run: getSnapshot),
    Command(
      name: "list-partitions", summary: "List the partitions of a table", operands: [.table],
      flags: [
        Flag("--pattern", "-p", "PATTERN", "only these, such as “dt=2026*”"), format, .branch,
      ],
      run: { (arguments, console) throws(TerraceError) in
        var listing = Listing(
          "Partition", "RecordCount", "FileSizeInBytes", "FileCount", "LastFileCreationTime")
        let partitions = try PartitionList.read(
          try arguments.warehouse(), try arguments.tableName(),
          pattern: arguments.text("--pattern"))
        for partition in partitions {
          listing.add(
            .string(partition.name), .int(partition.recordCount), .int(partition.byteCount),
            JSONValue(partition.fileCount), JSONValue(partition.lastCreationMillis))
        }
        try console.show(listing, arguments.printFormat, nothing: "No partitions.")
      }),
  ]
}
