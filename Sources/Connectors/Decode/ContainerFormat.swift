import Columns
import Formats
import Store

/// How files of Parquet and Avro are written, by the options of their formats.
struct ContainerFormat {
  var parquet = ParquetWriteOptions()
  var avroCodec = AvroCodec.snappy

  /// Settings of parquet-mr; those that are said of one column too end with `#column`.
  private static let parquetNames: Set = [
    "block.size", "page.size", "dictionary.page.size", "enable.dictionary",
    "page.row.count.limit", "page.write-checksum.enabled", "writer.version",
    "column.statistics.enabled", "bloom.filter.enabled", "bloom.filter.fpp",
  ]

  init() {}

  init(
    parquet options: inout ConnectorOptions, _ prefix: String
  ) throws(TerraceError) {
    var entries = ["parquet.block.size": "128 mb", "parquet.page.row.count.limit": "20000"]
    let columns = options.table.type.fields.map(\.name)
    for (name, value) in options.table.options where name.hasPrefix(prefix + ".") {
      let own = String(name.dropFirst(prefix.count + 1))
      let parts = own.split(separator: "#", maxSplits: 1).map(String.init)
      guard Self.parquetNames.contains(parts[0]), parts.count < 2 || columns.contains(parts[1])
      else { continue }
      options.allow([name])
      entries["parquet." + own] = value
    }
    // How many rows a reader asks for at once is its own business.
    options.allow(["\(prefix).batch-size"])
    try Self.only("true", ["\(prefix).utc-timezone", "\(prefix).write.int64.timestamp"], &options)
    do throws(TerraceError) {
      parquet = try TableOptions(entries).parquetWriteOptions(columns: columns)
    } catch { throw error.with("table", options.table.name) }
    let codecs: KeyValuePairs<String, Codec> = [
      "zstd": .zstd, "uncompressed": .none, "none": .none, "snappy": .snappy, "gzip": .gzip,
      "lz4_raw": .lz4,
    ]
    let name = options.text("\(prefix).compression")?.lowercased() ?? "zstd"
    guard let codec = codecs.first(where: { $0.key == name })?.value else {
      throw TerraceError(
        .unsupported, "'\(prefix).compression' = '\(name)'",
        hint: "it takes " + codecs.map(\.key).joined(separator: ", ")
      ).with("table", options.table.name).with("option", "\(prefix).compression")
    }
    parquet.codec = codec
    let level = "\(prefix).compression.codec.zstd.level"
    if let number = try options.integer(level) {
      guard (1...22).contains(number) else { throw options.wrong(level, "a number from 1 to 22") }
      parquet.level = Int(number)
    }
  }

  init(
    avro options: inout ConnectorOptions, _ prefix: String
  ) throws(TerraceError) {
    try Self.only("binary", ["\(prefix).encoding"], &options)
    try Self.only("true", ["\(prefix).timestamp_mapping.legacy"], &options)
    let name = options.text("\(prefix).codec")?.lowercased() ?? "snappy"
    guard let codec = AvroCodec(rawValue: name == "none" ? "null" : name) else {
      throw TerraceError(
        .unsupported, "'\(prefix).codec' = '\(name)'",
        hint: "it takes " + AvroCodec.allCases.map(\.rawValue).joined(separator: ", ")
      ).with("table", options.table.name).with("option", "\(prefix).codec")
    }
    avroCodec = codec
  }

  /// Options of which one value is what is done here.
  private static func only(
    _ value: String, _ names: [String], _ options: inout ConnectorOptions
  ) throws(TerraceError) {
    for name in names {
      guard let told = options.text(name), told.lowercased() != value else { continue }
      throw TerraceError(
        .unsupported, "'\(name)' = '\(told)'", hint: "it is always '\(value)' here"
      ).with("table", options.table.name).with("option", name)
    }
  }
}
