import Columns

/// A URL as JDBC drivers take it: `jdbc:…://host:port/database?key=value&…`.
struct JDBCURL {
  /// Nil when the URL has none.
  var host: String?
  var port: Int?
  var database: String
  /// In their order, `%41` and the like decoded.
  var properties: [(name: String, value: String)] = []

  /// - Parameters:
  ///   - schemes: that the option `url` may begin with.
  ///   - form: what it should look like.
  /// - Throws: `invalid` for other URLs, `unsupported` for those with several hosts.
  init(
    _ options: inout ConnectorOptions, schemes: [String], form: String
  ) throws(TerraceError) {
    let url = try options.required("url")
    guard let scheme = schemes.first(where: { url.hasPrefix($0) }) else {
      throw options.wrong("url", form)
    }
    var rest = url.dropFirst(scheme.count)
    if let mark = rest.firstIndex(of: "?") {
      for pair in rest[rest.index(after: mark)...].split(separator: "&") {
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        properties.append((String(parts[0]), parts.count == 2 ? PercentCode.decoded(parts[1]) : ""))
      }
      rest = rest[..<mark]
    }
    if rest.hasPrefix("//") {
      rest = rest.dropFirst(2)
      guard let slash = rest.firstIndex(of: "/") else { throw options.wrong("url", form) }
      var server = rest[..<slash]
      rest = rest[rest.index(after: slash)...]
      if server.contains(",") {
        throw TerraceError(.unsupported, "several hosts in one url")
          .with("table", options.table.name).with("option", "url")
      }
      // Colons in brackets are those of an address.
      let end = server.lastIndex(of: "]") ?? server.startIndex
      if let colon = server[end...].lastIndex(of: ":") {
        guard let number = Int(server[server.index(after: colon)...]), (1...65_535).contains(number)
        else { throw options.wrong("url", form) }
        port = number
        server = server[..<colon]
      }
      let bare = server.filter { $0 != "[" && $0 != "]" }
      if !bare.isEmpty { host = bare }
    }
    database = PercentCode.decoded(rest)
    if database.isEmpty { throw options.wrong("url", form) }
  }
}

extension ConnectorOptions {
  /// `table-name` of a target: what stands before the dot, if there is one, and the table.
  mutating func target() throws(TerraceError) -> (place: String?, table: String) {
    let parts = try required("table-name").split(separator: ".", maxSplits: 1).map(String.init)
    guard let table = parts.last else { throw wrong("table-name", "the name of a table") }
    return (parts.count == 2 ? parts[0] : nil, table)
  }

  /// Ends the options of a jdbc target. Those of Flink about batches have no meaning: an epoch is one; nor have
  /// those of scans and lookups, which one declaration for reading and writing has.
  mutating func finishTarget() throws(TerraceError) {
    _ = try integer("sink.buffer-flush.max-rows")
    _ = try duration("sink.buffer-flush.interval")
    allow([
      "driver", "sink.max-retries", "sink.parallelism", "connection.max-retry-timeout",
      "compatible-mode", "filter.handling.policy",
    ])
    allow(table.options.keys.filter { $0.hasPrefix("lookup.") || $0.hasPrefix("scan.") })
    try finish()
  }

  /// An unknown property of a URL.
  func unknownProperty(_ name: String, of server: String) -> TerraceError {
    TerraceError(.unsupported, "'\(name)' in a url of \(server)").with("table", table.name)
      .with("option", "url")
  }
}
