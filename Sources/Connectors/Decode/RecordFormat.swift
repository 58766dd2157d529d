import Columns
import Formats

/// How the records of a source are written, by the option `format`.
struct RecordFormat {
  enum Kind: String, CaseIterable {
    case json, csv, parquet
    case debezium = "debezium-json"
    case canal = "canal-json"
  }

  /// What becomes of records that are no rows.
  enum Reject { case deadLetter, fail, skip }

  var kind: Kind
  var reject = Reject.deadLetter
  /// `json.fail-on-missing-field`.
  var requiresMembers = false
  var hasSchema = false
  var csv = CSVOptions()
  var allowsComments = false
  /// Canal: records of other databases and tables are passed over.
  var database: String?
  var tableName: String?

  /// No text that anybody writes, for CSV without a null literal.
  static let noNull = "\u{10FFFF}"

  var isChanges: Bool { kind == .debezium || kind == .canal }
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
        hint: "formats: " + Kind.allCases.map(\.rawValue).joined(separator: ", ")
      ).with("table", options.table.name)
    }
    self.kind = kind
    switch try options.choice("on-error", ["dead-letter", "fail", "skip"]) {
    case "fail": reject = .fail
    case "skip": reject = .skip
    default: reject = .deadLetter
    }
    let prefix = lead + kind.rawValue
    if kind == .parquet {
      options.allow(options.table.options.keys.filter { $0.hasPrefix(prefix + ".") })
      return
    }
    if try options.flag("\(prefix).ignore-parse-errors") { reject = .skip }
    if kind == .csv {
      try readCSV(&options, prefix)
      return
    }
    // SQL's and ISO's forms are both read, whichever is named.
    _ = try options.choice("\(prefix).timestamp-format.standard", ["SQL", "ISO-8601"])
    _ = try options.choice("\(prefix).map-null-key.mode", ["FAIL", "DROP", "LITERAL"])
    options.allow([
      "\(prefix).map-null-key.literal", "\(prefix).encode.decimal-as-plain-number",
      "\(prefix).encode.ignore-null-fields", "\(prefix).decode.json-parser.enabled",
    ])
    if kind == .json { requiresMembers = try options.flag("\(prefix).fail-on-missing-field") }
    if requiresMembers, try options.flag("\(prefix).ignore-parse-errors") {
      throw TerraceError(
        .invalid,
        "\(prefix).fail-on-missing-field and \(prefix).ignore-parse-errors shouldn't both be true"
      ).with("table", options.table.name)
    }
    if kind == .debezium { hasSchema = try options.flag("\(prefix).schema-include") }
    if kind == .canal {
      database = options.text("\(prefix).database.include")
      tableName = options.text("\(prefix).table.include")
    }
  }

  private mutating func readCSV(
    _ options: inout ConnectorOptions, _ prefix: String
  ) throws(TerraceError) {
    if let byte = try options.byte("\(prefix).field-delimiter") { csv.delimiter = byte }
    if let byte = try options.byte("\(prefix).quote-character") { csv.quote = byte }
    csv.escape = try options.byte("\(prefix).escape-character")
    // A byte that no text of UTF-8 has.
    if try options.flag("\(prefix).disable-quote-character") { csv.quote = 0xff }
    allowsComments = try options.flag("\(prefix).allow-comments")
    csv.hasHeader = false
    // Without one, only missing numbers and times are null; an empty text is one.
    csv.null = options.text("\(prefix).null-literal") ?? Self.noNull
    csv.emptyIsNull = true
    options.allow([
      "\(prefix).array-element-delimiter", "\(prefix).write-bigdecimal-in-scientific-notation",
    ])
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
    case .debezium:
      return DebeziumDecoder(self, type, keys: keys, style: style, metadata: metadata)
    case .canal:
      return try CanalDecoder(self, type, keys: keys, style: style, metadata: metadata)
    case .json, .csv, .parquet: return try PlainDecoder(self, type, declared: declared)
    }
  }
}
