import Columns
import Formats

/// How the records of a source are written, by the option `format`.
struct RecordFormat {
  enum Kind: String, CaseIterable {
    case json, csv, raw, parquet, avro
    case debezium = "debezium-json"
    case canal = "canal-json"
    case maxwell = "maxwell-json"
    case ogg = "ogg-json"
  }

  /// What becomes of records that are no rows.
  enum Reject: String, Hashable, Sendable, CaseIterable {
    case deadLetter = "dead-letter"
    case fail, skip

    /// The option `on-error`.
    init(_ options: inout ConnectorOptions) throws(TerraceError) {
      let word = try options.choice("on-error", Reject.allCases.map(\.rawValue))
      self = Reject(rawValue: word) ?? .deadLetter
    }
  }

  var kind: Kind
  var reject = Reject.deadLetter
  /// `json.fail-on-missing-field`.
  var requiresMembers = false
  var hasSchema = false
  var csv = CSVOptions()
  /// Of Parquet and Avro.
  var container = ContainerFormat()
  /// Rows are written as `terrace table import` reads them: for exports.
  var isForImport = false
  var allowsComments = false
  /// Canal: records of other databases and tables are passed over.
  var database: String?
  var tableName: String?

  /// No text that anybody writes, for CSV without a null literal.
  static let noNull = "\u{10FFFF}"

  /// How bytes, decimals and times stand in JSON.
  var conventions = JSONConventions.flink
  /// Of `raw`.
  var charset = "UTF-8"
  var isLittleEndian = false
  /// Of JSON that is written.
  var writesISO = false
  var leavesNullsOut = false
  var nullKeys = JSONCell.NullKeys.fail

  var isChanges: Bool {
    switch kind {
    case .debezium, .canal, .maxwell, .ogg: true
    case .json, .csv, .raw, .parquet, .avro: false
    }
  }
  /// Files of rows that do not grow, whose places are numbers of rows.
  var isContainer: Bool { kind == .parquet || kind == .avro }
  var isJSON: Bool { kind == .json || isChanges }
  var isForMessages: Bool { kind != .parquet }

  /// - Parameters:
  ///   - option: the name of the option that names the format.
  ///   - lead: what stands before the names of its options: `key.`, `value.`.
  init(
    _ options: inout ConnectorOptions, option: String = "format", lead: String = ""
  ) throws(TerraceError) {
    let name = try options.required(option)
    guard let kind = Kind(rawValue: name.lowercased()) else {
      throw TerraceError(
        .unsupported, "format '\(name)'",
        hint: name.hasSuffix("avro-confluent")
          ? "schemas of a registry are not read; 'avro' takes messages written with the table's own schema"
          : "formats: " + Kind.allCases.map(\.rawValue).joined(separator: ", ")
      ).with("table", options.table.name)
    }
    self.kind = kind
    isForImport = options.table.isExport
    reject = try Reject(&options)
    let prefix = lead + kind.rawValue
    if isContainer {
      container =
        try kind == .avro
        ? ContainerFormat(avro: &options, prefix) : ContainerFormat(parquet: &options, prefix)
      return
    }
    if kind == .raw {
      charset = options.text("\(prefix).charset") ?? charset
      let endian = try options.choice("\(prefix).endianness", ["big-endian", "little-endian"])
      isLittleEndian = endian == "little-endian"
      return
    }
    let nullsErrors = try options.flag("\(prefix).ignore-parse-errors")
    if nullsErrors { reject = .skip }
    conventions.nullsErrors = nullsErrors
    if kind == .csv {
      try readCSV(&options, prefix, nullsErrors: nullsErrors)
      return
    }
    // SQL's and ISO's forms are both read, whichever is named.
    let standard = try options.choice("\(prefix).timestamp-format.standard", ["SQL", "ISO-8601"])
    writesISO = standard == "ISO-8601"
    let nullKey = options.text("\(prefix).map-null-key.literal") ?? "null"
    switch try options.choice("\(prefix).map-null-key.mode", ["FAIL", "DROP", "LITERAL"]) {
    case "DROP": nullKeys = .drop
    case "LITERAL": nullKeys = .literal(nullKey)
    default: break
    }
    // Decimals are always plain, and the parser is our own.
    options.allow([
      "\(prefix).encode.decimal-as-plain-number",
      "\(prefix).decode.json-parser.enabled",
    ])
    leavesNullsOut = try options.flag("\(prefix).encode.ignore-null-fields")
    if kind == .json { requiresMembers = try options.flag("\(prefix).fail-on-missing-field") }
    if requiresMembers, try options.flag("\(prefix).ignore-parse-errors") {
      throw TerraceError(
        .invalid,
        "\(prefix).fail-on-missing-field and \(prefix).ignore-parse-errors shouldn't both be true"
      ).with("table", options.table.name)
    }
    if kind == .debezium { try readDebezium(&options, prefix) }
    if kind == .canal {
      database = options.text("\(prefix).database.include")
      tableName = options.text("\(prefix).table.include")
    }
  }

  /// Debezium's own names, for events without their schema: how the connector was told to write.
  private mutating func readDebezium(
    _ options: inout ConnectorOptions, _ prefix: String
  ) throws(TerraceError) {
    hasSchema = try options.flag("\(prefix).schema-include")
    conventions.epochs = .byType
    conventions.decimals = .either
    switch options.table.options["\(prefix).decimal.handling.mode"]?.lowercased() {
    case "precise": conventions.decimals = .bytes
    case "string", "double": conventions.decimals = .text
    default: break
    }
    _ = try options.choice(
      "\(prefix).decimal.handling.mode", ["precise", "string", "double"])
    let binary = try options.choice(
      "\(prefix).binary.handling.mode", ["bytes", "base64", "base64-url-safe", "hex"])
    if binary == "hex" { conventions.binary = .hex }
    let time = try options.choice(
      "\(prefix).time.precision.mode",
      ["adaptive", "adaptive_time_microseconds", "connect", "microseconds", "nanoseconds"])
    switch time {
    case "connect": conventions.epochs = .connect
    case "microseconds": conventions.epochs = .micros
    case "nanoseconds": conventions.epochs = .nanos
    default: break
    }
  }

  /// Bytes that a value of a type of fixed width has; 0 for others.
  static func rawWidth(_ type: DataType) -> Int {
    switch type.kind {
    case .boolean, .tinyint: 1
    case .smallint: 2
    case .int, .float: 4
    case .bigint, .double: 8
    default: 0
    }
  }

  private mutating func readCSV(
    _ options: inout ConnectorOptions, _ prefix: String, nullsErrors: Bool
  ) throws(TerraceError) {
    if let byte = try options.byte("\(prefix).field-delimiter") { csv.delimiter = byte }
    if let byte = try options.byte("\(prefix).quote-character") { csv.quote = byte }
    csv.escape = try options.byte("\(prefix).escape-character")
    if try options.flag("\(prefix).disable-quote-character") { csv.quote = CSVOptions.noQuote }
    allowsComments = try options.flag("\(prefix).allow-comments")
    if isForImport { return }
    csv.hasHeader = false
    var flink = CSVOptions.Flink()
    flink.nullsErrors = nullsErrors
    if let text = options.text("\(prefix).array-element-delimiter"), !text.isEmpty {
      flink.elementDelimiter = text
    }
    csv.flink = flink
    // Without one, only missing numbers and times are null; an empty text is one.
    csv.null = options.text("\(prefix).null-literal") ?? Self.noNull
    csv.emptyIsNull = true
    // Numbers are always written plainly.
    options.allow(["\(prefix).write-bigdecimal-in-scientific-notation"])
  }

  /// What reads records of this format.
  ///
  /// - Parameters:
  ///   - type: the columns wanted.
  ///   - declared: all columns of a record, in their order.
  ///   - keys: numbers in `type` of the columns of the primary key.
  func decoder(
    _ type: RowType, declared: RowType, keys: [Int], style: ChangeStyle,
    metadata: [FormatMetadata]
  ) throws(TerraceError) -> any RecordDecoder {
    switch kind {
    case .debezium, .ogg:
      return ImagesDecoder(self, type, keys: keys, style: style, metadata: metadata)
    case .canal, .maxwell:
      return try OldValuesDecoder(self, type, keys: keys, style: style, metadata: metadata)
    case .raw: return try RawDecoder(self, type)
    case .avro: return try AvroMessageDecoder(type, declared: declared)
    case .json, .csv, .parquet: return try PlainDecoder(self, type, declared: declared)
    }
  }

  /// - Throws: `invalid`, `unsupported` for columns that have no text or bytes in this format.
  func check(_ declared: RowType) throws(TerraceError) {
    if kind == .csv { try csv.check(declared) }
    guard kind == .raw else { return }
    guard declared.count == 1 else {
      throw TerraceError(.invalid, "format 'raw' wants a table of one column")
        .with("columns", declared.count)
    }
    let type = declared.fields[0].type
    switch type.kind {
    case .char, .varchar, .binary, .varbinary: return
    default:
      if Self.rawWidth(type) == 0 {
        throw TerraceError(.unsupported, "format 'raw' for \(type.text)")
      }
    }
  }
}
