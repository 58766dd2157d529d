import Formats

/// What `terrace generate` has written: for each stream, in a fixed order, a folder of files.
package struct GenerationOutcome: Sendable {
  /// What the lines of the files are: `event`, `change`.
  package let noun: String
  package let streams: [(name: String, lines: Int, files: Int, bytes: Int)]
  /// Whether all of it was written.
  package let isWhole: Bool

  package var lines: Int { streams.reduce(0) { $0 + $1.lines } }

  package var json: String {
    let streams = self.streams.map { stream in
      JSONValue.Member(
        stream.name,
        .members([
          (noun + "s", .int(Int64(stream.lines))), ("files", .int(Int64(stream.files))),
          ("bytes", .int(Int64(stream.bytes))),
        ]))
    }
    return JSONValue.members([
      (noun + "s", .int(Int64(lines))), ("streams", .object(streams)), ("complete", .bool(isWhole)),
    ]).text()
  }
}
