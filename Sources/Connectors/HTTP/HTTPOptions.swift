import Columns
import Store

/// The options of a sink that sends rows to a web service.
///
/// | option | meaning | default |
/// |---|---|---|
/// | `url` | `https://…` or `http://…` | |
/// | `method` | POST, PUT or PATCH | POST |
/// | `format` | of the rows: json, csv, debezium-json, … | |
/// | `http.body` | `lines`: a row a line; `array`: a JSON array | lines |
/// | `http.header.NAME` | a header; secrets by `${env:…}` | |
/// | `http.batch.rows`, `http.batch.bytes` | rows and bytes of a request at most | 500, 1 MB |
/// | `sslrootcert` | a file (PEM) of the authorities to trust, for others than the system's | |
/// | `http.timeout` | of a request | 30 s |
/// | `http.retries`, `http.retry-delay` | after 408, 429, 5xx and lost connections; the delay doubles | 3, 500 ms |
struct HTTPOptions {
  enum Body { case lines, array }

  let url: String
  let method: String
  let format: RecordFormat
  let body: Body
  let headers: [String]
  let batchRows: Int
  let batchBytes: Int
  let timeoutMillis: Int64
  let retries: Int
  /// Nil: the system's.
  let authorities: String?
  let delayMillis: Int64

  init(_ table: ConnectorTable) throws(TerraceError) {
    var options = ConnectorOptions(table)
    url = try options.required("url")
    guard url.hasPrefix("https://") || url.hasPrefix("http://") || url.hasPrefix("${") else {
      throw options.wrong("url", "an address that begins with https:// or http://")
    }
    method = try options.choice("method", ["POST", "PUT", "PATCH"])
    format = try RecordFormat(&options)
    if format.isContainer {
      throw TerraceError(.unsupported, "format '\(format.kind.rawValue)' over HTTP")
        .with("table", table.name)
    }
    body = try options.choice("http.body", ["lines", "array"]) == "array" ? .array : .lines
    if body == .array, !format.isJSON {
      throw TerraceError(.invalid, "'http.body' = 'array' wants a JSON format")
        .with("table", table.name)
    }
    headers = try Self.headers(&options, format, body)
    batchRows = Int(try Self.between("http.batch.rows", 1, 100_000, 500, &options))
    let size = options.text("http.batch.bytes") ?? "1 mb"
    guard let bytes = OptionValue.memoryBytes(size), bytes > 0, bytes <= 64 << 20 else {
      throw options.wrong("http.batch.bytes", "a size up to 64 MB")
    }
    batchBytes = bytes
    timeoutMillis = try options.duration("http.timeout") ?? 30_000
    retries = Int(try Self.between("http.retries", 0, 100, 3, &options))
    delayMillis = try options.duration("http.retry-delay") ?? 500
    authorities = options.text("sslrootcert").map {
      FileListing.resolved($0, folder: table.folder)
    }
    options.allow(["sink.parallelism"])
    try options.finish()
  }

  private static func between(
    _ name: String, _ least: Int64, _ most: Int64, _ none: Int64, _ options: inout ConnectorOptions
  ) throws(TerraceError) -> Int64 {
    guard let value = try options.integer(name) else { return none }
    guard (least...most).contains(value) else {
      throw options.wrong(name, "a number from \(least) to \(most)")
    }
    return value
  }

  private static func headers(
    _ options: inout ConnectorOptions, _ format: RecordFormat, _ body: Body
  ) throws(TerraceError) -> [String] {
    let prefix = "http.header."
    var headers: [String] = []
    for name in options.table.options.keys.sorted() where name.hasPrefix(prefix) {
      let value = options.text(name) ?? ""
      let header = name.dropFirst(prefix.count)
      // A line end would begin a header, or a body, of somebody else's making.
      let isClean = header.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ":") }
      guard isClean, !header.isEmpty, value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
        throw TerraceError(.invalid, "a header's name or value has characters that none may have")
          .with("table", options.table.name).with("option", name)
      }
      headers.append("\(header): \(value)")
    }
    if !headers.contains(where: { $0.lowercased().hasPrefix("content-type:") }) {
      let type =
        !format.isJSON
        ? format.kind == .csv ? "text/csv" : "application/octet-stream"
        : body == .array ? "application/json" : "application/x-ndjson"
      headers.append("Content-Type: \(type)")
    }
    return headers
  }
}
