import Columns
import Formats
import Store
import Warehouse

/// Commands on single files, without a warehouse.
extension Terrace {
  static let file = Operand("FILE", "path of the file")
  static let select = Flag(
    "--select", "-s", "COLUMNS", "columns to print, between commas, in this order")
  static let filter = Flag(
    "--where", "-w", "CONDITION", "rows to print: \"amount > 5 AND name LIKE 'A%'\"")

  static func limit(_ fallback: String) -> Flag {
    Flag("--limit", "-l", "N", "rows to print at most, 0 for all (default: \(fallback))")
  }

  static let avroCommands: Command = Command(
    name: "avro", summary: "Avro files: cat, schema, copy",
    subcommands: [
      Command(
        name: "cat", summary: "Print the rows of an Avro file", operands: [file],
        flags: [select, filter, limit("all"), format],
        run: { (arguments, console) throws(TerraceError) in
          let path = arguments.operand("FILE")
          let reader = try AvroReader(try LocalFileIO().open(path))
          let request = try ReadRequest(
            arguments, type: reader.rowType, owner: path, console: console, limit: 0)
          while request.wantsMore, let batch = try reader.next() { try request.print(whole: batch) }
          try request.finish()
        }),
      Command(
        name: "schema", summary: "Print the schema in an Avro file's header", operands: [file],
        run: { (arguments, console) throws(TerraceError) in
          let source = try LocalFileIO().open(arguments.operand("FILE"))
          let text = try AvroFile.schemaText(source)
          // A schema that is no JSON is printed as it stands.
          let pretty = try? JSONValue.parse(text)
          try console.output.line(pretty?.text(pretty: true) ?? text)
        }),
      Command(
        name: "copy", summary: "Write an Avro file anew, with another codec",
        operands: [file, Operand("TARGET", "path of the new file")],
        flags: [
          Flag(
            "--codec", "", "CODEC", "compression (default: zstandard)",
            choices: AvroCodec.allCases.map(\.rawValue))
        ],
        run: { (arguments, console) throws(TerraceError) in
          let reader = try AvroReader(try LocalFileIO().open(arguments.operand("FILE")))
          var options = AvroWriteOptions()
          options.codec = arguments.text("--codec").flatMap(AvroCodec.init) ?? options.codec
          try writeNew(arguments.operand("TARGET"), console) { (sink) throws(TerraceError) in
            let writer = try AvroWriter(sink, type: reader.rowType, options: options)
            var rows = 0
            while let batch = try reader.next() {
              try writer.write(batch)
              rows += batch.count
            }
            try writer.finish()
            return rows
          }
        }),
    ])

  /// Makes a file of `content`, which returns its rows, and says so. Nothing is overwritten.
  static func writeNew(
    _ path: String, _ console: Console,
    _ content: (any FileSink) throws(TerraceError) -> Int
  ) throws(TerraceError) {
    let files = LocalFileIO()
    if try files.exists(path) {
      throw TerraceError(.invalid, "\(path) exists already", hint: "nothing is overwritten")
    }
    let sink = try files.create(path)
    do throws(TerraceError) {
      let rows = try content(sink)
      try sink.close()
      try console.say(
        "Wrote \(DisplayText.count(rows, "row")), \(DisplayText.bytes(sink.byteCount)), "
          + "to '\(path)'.")
    } catch {
      // Half a file is worth nothing; the first error is the one to tell.
      _ = try? files.delete(path)
      throw error
    }
  }

  static let manifestCommands: Command = Command(
    name: "manifest", summary: "Manifest files: cat",
    subcommands: [
      Command(
        name: "cat", summary: "Print the entries of a manifest, or of a manifest list",
        details: "The file must lie in the manifest folder of its table.",
        operands: [file], flags: [format],
        examples: ["terrace manifest cat wh/ods.db/orders/manifest/manifest-list-…-0"],
        run: { (arguments, console) throws(TerraceError) in
          let listing = try ManifestListing(arguments.operand("FILE")).listing()
          try console.show(listing, arguments.printFormat, nothing: "No entries.")
        })
    ])
}
