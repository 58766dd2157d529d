import Columns
import Formats
import Store
import Warehouse

extension Terrace {
  static let parquetCommands: Command = Command(
    name: "parquet", summary: "Parquet files: cat, meta, schema, copy",
    subcommands: [
      Command(
        name: "cat", summary: "Print the rows of a Parquet file", operands: [file],
        flags: [select, filter, limit("all"), format],
        examples: ["terrace parquet cat data-….parquet -s id,amount -w \"amount > 5\" -f csv"],
        run: { (arguments, console) throws(TerraceError) in
          let parquet = try openParquet(arguments)
          let request = try ReadRequest(
            arguments, type: parquet.type, owner: parquet.source.name, console: console, limit: 0)
          let query = request.query
          let scan = try parquet.scan(
            RowType(query.scanColumns.map { parquet.type.fields[$0] }),
            predicate: query.scanCondition)
          while request.wantsMore, let batch = try scan.next() {
            try request.print(scanned: batch)
          }
          try request.finish()
        }),
      Command(
        name: "meta", summary: "Show row groups, encodings, statistics, indexes and checksums",
        details: "CSV and JSON have one line a column chunk, or a page with --pages.",
        operands: [file],
        flags: [Flag("--pages", "", nil, "list every page"), format],
        run: parquetMeta),
      Command(
        name: "schema", summary: "List the columns and the types they are read as",
        operands: [file], flags: [format],
        run: { (arguments, console) throws(TerraceError) in
          let listing = ParquetListing.columns(try openParquet(arguments))
          try console.show(listing, arguments.printFormat, nothing: "No columns.")
        }),
      Command(
        name: "copy", summary: "Write a Parquet file anew, with other settings",
        operands: [file, Operand("TARGET", "path of the new file")],
        flags: [
          Flag(
            "--codec", "", "CODEC", "compression (default: zstd)",
            choices: ["none", "snappy", "gzip", "lz4", "zstd"]),
          Flag("--level", "", "N", "of zstd and gzip (default: 1)"),
          Flag("--delta", "", nil, "use the DELTA encodings and BYTE_STREAM_SPLIT"),
          Flag("--pages-v2", "", nil, "write data pages of version 2"),
          Flag("--row-group-rows", "", "N", "rows of a row group"),
          Flag("--bloom", "", "COLUMN=RATE", "a bloom filter, such as id=0.01", repeats: true),
        ],
        run: copyParquet),
    ])

  private static func openParquet(_ arguments: Arguments) throws(TerraceError) -> ParquetFile {
    try ParquetFile(try LocalFileIO().open(arguments.operand("FILE")))
  }

  private static func parquetMeta(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let parquet = try openParquet(arguments)
    let listing =
      arguments.has("--pages")
      ? try ParquetListing.pages(parquet) : try ParquetListing.chunks(parquet)
    if arguments.printFormat == .table {
      for (name, value) in ParquetListing.summary(parquet) {
        let gap = String(repeating: " ", count: max(1, 16 - DisplayText.width(name)))
        try console.output.line(DisplayText.oneLine(name + gap + value))
      }
      if listing.isEmpty { return }
      try console.output.line("")
    }
    try console.show(listing, arguments.printFormat, nothing: "No row groups.")
  }

  private static func copyParquet(
    _ arguments: Arguments, _ console: Console
  ) throws(TerraceError) {
    let parquet = try openParquet(arguments)
    var options = ParquetWriteOptions()
    if let codec = arguments.text("--codec").flatMap({ Codec(rawValue: $0) }) {
      options.codec = codec
    }
    if let level = try arguments.integer("--level", from: 1) { options.level = min(level, 22) }
    options.deltaEncodings = arguments.has("--delta")
    options.dataPageV2 = arguments.has("--pages-v2")
    if let rows = try arguments.integer("--row-group-rows", from: 1) { options.rowGroupRows = rows }
    for (column, rate) in try arguments.pairs("--bloom") {
      guard let value = Double(rate), value > 0, value < 1 else {
        throw TerraceError(.invalid, "a bloom filter's rate is between 0 and 1, not “\(rate)”")
      }
      guard parquet.type.index(of: column) != nil else {
        throw TerraceError(
          .invalid, "\(parquet.source.name) has no column \(column)",
          hint: NearestName.hint(column, among: parquet.type.fields.map(\.name), else: "it has "))
      }
      options.bloomFilters[column] = value
    }
    try writeNew(arguments.operand("TARGET"), console) { (sink) throws(TerraceError) in
      let writer = try ParquetWriter(sink, type: parquet.type, options: options)
      let scan = try parquet.scan(parquet.type)
      while let batch = try scan.next() { try writer.write(batch) }
      return try writer.finish().rows
    }
  }
}
