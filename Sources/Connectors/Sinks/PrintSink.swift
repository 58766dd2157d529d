import Columns
import Formats
import Glibc

/// Every change as a line on standard output, as Flink's: `+I[1, a]`, behind `identifier> ` if one is
/// given. Lines are written at once: after a crash some come again.
final class PrintSink: Sink {
  private let prefix: String
  private let texts: [RowText]
  private let lines = ByteWriter(capacity: 1 << 16)
  private let out: any ByteSink

  /// - Parameter out: takes whole lines; nil: standard output, or the error output if it is asked for.
  init(_ table: ConnectorTable, out: (any ByteSink)? = nil) throws(TerraceError) {
    var options = ConnectorOptions(table)
    prefix = options.text("print-identifier").map { $0.isEmpty ? "" : $0 + "> " } ?? ""
    let isError = try options.flag("standard-error")
    options.allow(["sink.parallelism"])
    try options.finish()
    texts = table.type.fields.map { RowText($0.type) }
    if let out { self.out = out } else { self.out = DescriptorSink(isError ? 2 : 1) }
  }

  func write(_ rows: Batch, kinds: Buffer?) throws(TerraceError) {
    let codes = kinds?.pointer(UInt8.self)
    defer { withExtendedLifetime((rows, kinds)) {} }
    for row in 0..<rows.count {
      lines.append(prefix)
      lines.append((codes.flatMap { RowKind(rawValue: $0[row]) } ?? .insert).text)
      lines.append(UInt8(ascii: "["))
      for (index, text) in texts.enumerated() {
        if index > 0 { lines.append(", " as StaticString) }
        text.append(rows.columns[index], row, to: lines)
      }
      lines.append("]\n" as StaticString)
      if lines.count > 1 << 16 { try flush() }
    }
    try flush()
  }

  private func flush() throws(TerraceError) {
    try out.write(lines.bytes)
    lines.removeAll()
  }

  func prepare(epoch: Int64) throws(TerraceError) -> String { "" }
  func publish(_ prepared: String) throws(TerraceError) {}
  func recover(_ prepared: String?) throws(TerraceError) -> SinkRecovery { .complete }
  func close() {}
}

/// An open file descriptor that is written at once and not closed.
final class DescriptorSink: ByteSink {
  let name = "standard output"
  private let descriptor: Int32

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  func write(_ bytes: UnsafeRawBufferPointer) throws(TerraceError) {
    guard let base = bytes.baseAddress else { return }
    var done = 0
    while done < bytes.count {
      let wrote = Glibc.write(descriptor, base + done, bytes.count - done)
      if wrote >= 0 {
        done += wrote
      } else if errno != EINTR {
        throw TerraceError(.unavailable, "cannot print")
          .with("reason", String(cString: strerror(errno)))
      }
    }
  }
}

/// Takes everything and keeps nothing.
final class BlackholeSink: Sink {
  init(_ table: ConnectorTable) throws(TerraceError) {
    var options = ConnectorOptions(table)
    options.allow(["sink.parallelism"])
    try options.finish()
  }

  func write(_ rows: Batch, kinds: Buffer?) throws(TerraceError) {}
  func prepare(epoch: Int64) throws(TerraceError) -> String { "" }
  func publish(_ prepared: String) throws(TerraceError) {}
  func recover(_ prepared: String?) throws(TerraceError) -> SinkRecovery { .complete }
  var keepsRows: Bool { false }
  var canClear: Bool { true }
  func clear() {}
  func close() {}
}
