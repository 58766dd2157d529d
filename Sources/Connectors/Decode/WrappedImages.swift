import Columns
import Formats

/// Reads Debezium's events with or without `{"schema":…,"payload":…}` around them. What numbers and bytes
/// of a column mean is taken from the schema.
final class WrappedImages {
  private let conventions: JSONConventions
  private let reader: JSONBlockDecoder
  private let memberCount: Int
  private let columns: [String]
  /// The schema that the reader is set to.
  private var schema: [UInt8] = []

  init(
    _ members: [(String, DataType)], _ conventions: JSONConventions, _ metadata: [FormatMetadata]
  ) {
    self.conventions = conventions
    memberCount = members.count
    // The row after is whole; the row before may be read for its key alone.
    if case .row(let fields) = members[ImagesDecoder.Member.after].1.kind {
      columns = fields.map(\.name)
    } else {
      columns = []
    }
    var all = members
    all.append(("payload", .row(RowType(members).fields)))
    all.append(("schema", .string))
    reader = JSONBlockDecoder(
      RowType(all), keepsPlaces: true, passesNull: true, conventions: conventions)
  }

  /// Decodes a block; when another schema is met than the one that counted so far, once more.
  func decode(_ text: RecordText) -> DecodedBlock {
    var block = reader.decode(text)
    if let found = firstSchema(block.batch), found != schema {
      schema = found
      use(found)
      block = reader.decode(text)
    }
    return block
  }

  /// The envelopes outside and inside.
  func parts(_ batch: Batch) -> (outer: Batch, payload: Payload) {
    let outer = batch.project(Array(0..<memberCount))
    return (outer, Payload(batch.columns[memberCount]))
  }

  /// The column of the payload.
  struct Payload {
    private let column: Column
    init(_ column: Column) { self.column = column }
    var columns: [Column] { column.children }
    func isNull(_ record: Int) -> Bool { column.isNull(record) }
  }

  private func firstSchema(_ batch: Batch) -> [UInt8]? {
    let column = batch.columns[memberCount + 1]
    for record in 0..<batch.count where !column.isNull(record) {
      return Array(column.bytes(record))
    }
    return nil
  }

  private func use(_ text: [UInt8]) {
    let buffer = text.withUnsafeBytes { Buffer(copying: $0) }
    defer { withExtendedLifetime(buffer) {} }
    // A schema that cannot be read says nothing of the columns.
    guard let document = try? JSONValue.parse(buffer.bytes) else { return }
    for image in document["fields"]?.asArray ?? [] {
      guard let name = image["field"]?.asString, name == "before" || name == "after" else {
        continue
      }
      for column in columns {
        let field = image["fields"]?.asArray?.first { $0["field"]?.asString == column }
        reader.use(Self.conventions(field, conventions), at: ["payload", name, column])
      }
    }
  }

  /// What the names of Debezium's and Kafka Connect's types say.
  private static func conventions(
    _ field: JSONValue?, _ base: JSONConventions
  ) -> JSONConventions {
    var own = base
    switch field?["name"]?.asString {
    case "io.debezium.time.Date", "org.apache.kafka.connect.data.Date": own.epochs = .days
    case "io.debezium.time.Timestamp", "io.debezium.time.Time",
      "org.apache.kafka.connect.data.Timestamp", "org.apache.kafka.connect.data.Time":
      own.epochs = .millis
    case "io.debezium.time.MicroTimestamp", "io.debezium.time.MicroTime": own.epochs = .micros
    case "io.debezium.time.NanoTimestamp", "io.debezium.time.NanoTime": own.epochs = .nanos
    case "org.apache.kafka.connect.data.Decimal": own.decimals = .bytes
    default:
      if field?["type"]?.asString == "string" { own.decimals = .text }
    }
    return own
  }
}
