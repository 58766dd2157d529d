import Columns
import Formats
import Store

/// Rows sent to a web service, in batches, each answered before the epoch is prepared: at least once. After a
/// crash an epoch is sent again; `Idempotency-Key` is the same for the same batch of the same epoch, so that
/// a service may tell.
final class HTTPSink: Sink {
  private let table: ConnectorTable
  private let options: HTTPOptions
  private let encoder: RowEncoder
  private let client: HTTPClient
  private let time: any Timekeeper
  private let body = ByteWriter(capacity: 1 << 16)
  private var rowCount = 0
  private var epoch: Int64 = 1
  private var batch = 0

  init(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError) {
    self.table = table
    options = try HTTPOptions(table)
    encoder = try RowEncoder(table.type, options.format)
    client = try HTTPClient(options)
    time = environment.time
  }

  func write(_ rows: Batch, kinds: Buffer?) throws(TerraceError) {
    let codes = kinds?.pointer(UInt8.self)
    defer { withExtendedLifetime(kinds) {} }
    for row in 0..<rows.count {
      let kind = codes.flatMap { RowKind(rawValue: $0[row]) } ?? .insert
      if kind != .insert, !options.format.isChanges {
        throw TerraceError(
          .invalid, "format '\(options.format.kind.rawValue)' cannot tell updates and deletes",
          hint: "formats such as debezium-json can"
        ).with("table", table.name)
      }
      if options.body == .array {
        body.append(rowCount == 0 ? UInt8(ascii: "[") : UInt8(ascii: ","))
      }
      _ = try encoder.append(rows, row, isAdded: kind.weight > 0, to: body)
      if options.body == .lines { body.append(0x0a) }
      rowCount += 1
      if rowCount >= options.batchRows || body.count >= options.batchBytes { try send() }
    }
  }

  private func send() throws(TerraceError) {
    if rowCount == 0 { return }
    if options.body == .array { body.append(UInt8(ascii: "]")) }
    // What comes after a crash may be cut otherwise: only the same bytes have the same key.
    let key = "\(table.name)-\(epoch)-\(batch)-" + Self.digits(FileState.hash(body.bytes))
    var delay = options.delayMillis
    var attempt = 0
    while true {
      switch client.send(body.bytes, key: key) {
      case .done:
        body.removeAll()
        rowCount = 0
        batch += 1
        return
      case .refused(let error): throw told(error)
      case .later(let error, let seconds):
        attempt += 1
        if attempt > options.retries { throw told(error) }
        time.sleep(millis: max(Int(min(delay, 60_000)), min(seconds, 60) * 1000))
        delay = min(delay, 15_000) * 2
      }
    }
  }

  private func told(_ error: TerraceError) -> TerraceError {
    // The address may have a password in it, and a query that is one.
    let host = options.url.split(separator: "/").dropFirst().first ?? ""
    let name = host.split(separator: "@").last.map(String.init) ?? ""
    return error.with("table", table.name).with("host", name)
  }

  private static func digits(_ hash: UInt64) -> String { String(hash, radix: 16) }

  func prepare(epoch: Int64) throws(TerraceError) -> String {
    self.epoch = epoch
    try send()
    self.epoch = epoch + 1
    batch = 0
    return String(epoch)
  }

  func publish(_ prepared: String) throws(TerraceError) {}

  func recover(_ prepared: String?) throws(TerraceError) -> SinkRecovery {
    epoch = (prepared.flatMap { Int64($0) } ?? 0) + 1
    batch = 0
    return .complete
  }

  func close() {}
}
