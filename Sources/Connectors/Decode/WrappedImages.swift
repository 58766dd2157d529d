import Columns
import Formats

/// Reads Debezium's events with or without `{"schema":…,"payload":…}` around them. What numbers and bytes
/// of a column mean is taken from the schema.
final class WrappedImages {
  private let conventions: JSONConventions
  private let reader: JSONBlockDecoder
  /// Reads nothing but the schemas.
  private let schemas = JSONBlockDecoder(
    RowType([("schema", .string)]), keepsPlaces: true, passesNull: true)
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

  /// Decodes a block, each record by its own schema: a topic may hold several tables, and columns change.
  func decode(_ text: RecordText) -> DecodedBlock {
    let block = reader.decode(text)
    // What was refused may be right by a schema that was not read.
    if block.rejects.isEmpty, isAllOfOne(block.batch) { return block }
    let runs = runs(of: text)
    if runs.count == 1, runs[0].schema ?? schema == schema { return block }
    return decode(text, runs, as: block)
  }

  /// Records that follow one another, and have one schema or none.
  private struct Run {
    var schema: [UInt8]?
    var start = 0
    var line = 0
  }

  private func isAllOfOne(_ batch: Batch) -> Bool {
    let column = batch.columns[memberCount + 1]
    return schema.withUnsafeBytes { known in
      for record in 0..<batch.count where !column.isNull(record) {
        if !column.bytes(record).elementsEqual(known) { return false }
      }
      return true
    }
  }

  private func runs(of text: RecordText) -> [Run] {
    let block = schemas.decode(text)
    let column = block.batch.columns[0]
    var runs = [Run()]
    for record in 0..<block.batch.count where !column.isNull(record) {
      let bytes = column.bytes(record)
      if let last = runs[runs.count - 1].schema {
        if last.withUnsafeBytes({ $0.elementsEqual(bytes) }) { continue }
        runs.append(
          Run(start: Int(block.starts[record]), line: Int(block.lineNumbers[record])))
      }
      runs[runs.count - 1].schema = Array(bytes)
    }
    return runs
  }

  /// - Parameter whole: the block as it was read by one schema, which says where it ends.
  private func decode(_ text: RecordText, _ runs: [Run], as whole: DecodedBlock) -> DecodedBlock {
    var out = whole
    (out.rejects, out.starts, out.lineNumbers) = ([], [], [])
    var batches: [Batch] = []
    var rows = 0
    for (number, run) in runs.enumerated() {
      if let own = run.schema, own != schema {
        schema = own
        use(own)
      }
      let next = number + 1 < runs.count ? runs[number + 1] : nil
      let block: DecodedBlock
      var base = 0
      switch text.shape {
      case .lines:
        base = run.start
        let end = next?.start ?? whole.consumed
        block = reader.decode(text.bytes + base, count: end - base, rows: .max)
      case .messages(let spans):
        block = reader.decode(
          text.bytes, messages: Array(spans[run.line..<(next?.line ?? spans.count)]))
      }
      out.starts += block.starts.map { $0 + Int32(base) }
      out.lineNumbers += block.lineNumbers.map { $0 + Int32(run.line) }
      for var reject in block.rejects {
        reject.row += rows
        reject.line += run.line
        reject.range = reject.range.lowerBound + base..<reject.range.upperBound + base
        out.rejects.append(reject)
      }
      rows += block.batch.count
      batches.append(block.batch)
    }
    out.batch = Batch.concat(batches)
    return out
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

  /// A schema that cannot be read says nothing of the columns.
  private func use(_ text: [UInt8]) {
    let buffer = text.withUnsafeBytes { Buffer(copying: $0) }
    defer { withExtendedLifetime(buffer) {} }
    let document = try? JSONValue.parse(buffer.bytes)  // Nil is one that says nothing.
    for name in ["before", "after"] {
      let image = document?["fields"]?.asArray?.first { $0["field"]?.asString == name }
      for column in columns {
        let field = image?["fields"]?.asArray?.first { $0["field"]?.asString == column }
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
    case "org.apache.kafka.connect.data.Decimal":
      own.decimals = .bytes
      own.decimalScale = field?["parameters"]?["scale"]?.asString.flatMap { Int($0) }
        .flatMap { (-1000...1000).contains($0) ? $0 : nil }
    default:
      if field?["type"]?.asString == "string" { own.decimals = .text }
    }
    return own
  }
}
