import Columns
import Store

/// How far the partitions of a source were given, and in which order since positions were last taken.
///
/// Partitions have small numbers, in the order in which they were found. The position table holds the
/// offset of each as of then; the position itself is what was given since, as text: `+orders/3@120` for a
/// partition that the table lacks, `7:512` for 512 offsets of partition 7. So it is short for any number of
/// partitions, and says the order in which the same records are given again.
struct KafkaProgress {
  struct Partition: Hashable, Sendable {
    var topic: String
    var number: Int32
  }
  struct Step: Hashable, Sendable {
    var id: Int
    /// Offsets passed, of records and of what is none (marks of transactions, compacted records).
    var count: Int64
  }

  private(set) var partitions: [Partition] = []
  private var ids: [Partition: Int] = [:]
  /// Of the next record, by number.
  private(set) var next: [Int64] = []
  /// As of the position table; the partitions behind it are not there yet.
  private(set) var stored: [Int64] = []
  private(set) var log: [Step] = []

  static let tableType = RowType([
    ("id", DataType.int.notNull), ("topic", DataType.string), ("partition", DataType.int),
    ("offset", DataType.bigint),
  ])

  func id(of partition: Partition) -> Int? { ids[partition] }

  mutating func add(_ partition: Partition, at offset: Int64) {
    ids[partition] = partitions.count
    partitions.append(partition)
    next.append(offset)
    starts.append(offset)
  }
  /// Where each began since the table: of the table, or where it was added.
  private var starts: [Int64] = []

  mutating func advance(_ id: Int, to offset: Int64) {
    let count = offset - next[id]
    if count <= 0 { return }
    next[id] = offset
    if let last = log.last, last.id == id, last.count > 0 {
      log[log.count - 1].count += count
    } else {
      log.append(Step(id: id, count: count))
    }
  }

  /// Goes elsewhere, forward or back, where what lay between is gone.
  mutating func move(_ id: Int, to offset: Int64) {
    if offset >= next[id] { return advance(id, to: offset) }
    log.append(Step(id: id, count: offset - next[id]))
    next[id] = offset
  }

  // MARK: Text

  var text: String {
    var out = ""
    for id in stored.count..<partitions.count {
      let partition = partitions[id]
      out += "+\(partition.topic)/\(partition.number)@\(starts[id]) "
    }
    for step in log { out += "\(step.id):\(step.count) " }
    return out.isEmpty ? "" : String(out.dropLast())
  }

  /// - Throws: `corrupted` for texts that are no position.
  private static func parse(
    _ text: String
  ) throws(TerraceError) -> (added: [(Partition, Int64)], steps: [Step]) {
    var added: [(Partition, Int64)] = []
    var steps: [Step] = []
    for word in text.split(separator: " ") {
      if word.hasPrefix("+") {
        guard let at = word.lastIndex(of: "@"), let slash = word[..<at].lastIndex(of: "/"),
          let number = Int32(word[word.index(after: slash)..<at]),
          let offset = Int64(word[word.index(after: at)...])
        else { throw damaged(text) }
        let topic = String(word[word.index(after: word.startIndex)..<slash])
        added.append((Partition(topic: topic, number: number), offset))
      } else {
        let parts = word.split(separator: ":")
        guard parts.count == 2, let id = Int(parts[0]), id >= 0, let count = Int64(parts[1]),
          count != 0, abs(count / 2) < 1 << 60
        else { throw damaged(text) }
        steps.append(Step(id: id, count: count))
      }
    }
    return (added, steps)
  }

  private static func damaged(_ text: String) -> TerraceError {
    TerraceError(.corrupted, "a position in Kafka that cannot be read")
      .with("position", String(text.prefix(200)))
  }

  /// Partitions that the text names and the table lacks; the same ones again are passed over.
  private mutating func take(_ added: [(Partition, Int64)], _ text: String) throws(TerraceError) {
    for (index, (partition, offset)) in added.enumerated() {
      let id = stored.count + index
      if id < partitions.count {
        if partitions[id] != partition { throw Self.damaged(text) }
      } else {
        add(partition, at: offset)
      }
    }
  }

  /// Goes from the table's positions to those of a text.
  mutating func seek(_ text: String) throws(TerraceError) {
    let (added, steps) = try Self.parse(text)
    try take(added, text)
    for step in steps {
      guard step.id < next.count else { throw Self.damaged(text) }
      let (offset, over) = next[step.id].addingReportingOverflow(step.count)
      if over || offset < 0 { throw Self.damaged(text) }
      move(step.id, to: offset)
    }
  }

  /// What lies between here and a later position, in its order.
  mutating func steps(to text: String) throws(TerraceError) -> [Step] {
    let (added, steps) = try Self.parse(text)
    try take(added, text)
    var rest: [Step] = []
    for (index, step) in steps.enumerated() {
      guard step.id < next.count else { throw Self.damaged(text) }
      guard index < log.count else {
        rest.append(step)
        continue
      }
      // Our last step may have gone on there.
      let isLast = index == log.count - 1
      guard log[index].id == step.id,
        log[index].count == step.count || (isLast && log[index].count < step.count)
      else { return [] }
      if step.count > log[index].count {
        rest.append(Step(id: step.id, count: step.count - log[index].count))
      }
    }
    return rest
  }

  /// Offsets by partition at a position of this table.
  func offsets(at text: String) throws(TerraceError) -> [(Partition, Int64)] {
    var copy = KafkaProgress()
    for id in stored.indices { copy.add(partitions[id], at: stored[id]) }
    copy.stored = stored
    try copy.seek(text)
    return copy.partitions.indices.map { (copy.partitions[$0], copy.next[$0]) }
  }

  // MARK: Table

  mutating func restore(_ rows: DeltaBatch) throws(TerraceError) {
    let columns = rows.rows.columns
    guard columns.count == 4 else { throw Self.damaged("a table of \(columns.count) columns") }
    var found: [(id: Int, Partition, Int64)] = []
    for row in 0..<rows.count {
      guard case .int(let id) = columns[0].scalar(row),
        case .int(let number) = columns[2].scalar(row),
        case .int(let offset) = columns[3].scalar(row), !columns[1].isNull(row),
        let number = Int32(exactly: number)
      else { throw Self.damaged("row \(row)") }
      let topic = String(decoding: columns[1].bytes(row), as: UTF8.self)
      found.append((Int(id), Partition(topic: topic, number: number), offset))
    }
    found.sort { $0.id < $1.id }
    self = KafkaProgress()
    for (index, entry) in found.enumerated() {
      if entry.id != index { throw Self.damaged("partition \(index) is missing") }
      add(entry.1, at: entry.2)
      stored.append(entry.2)
    }
  }

  /// Moves what was given into the table; nil when nothing was.
  mutating func take() -> DeltaBatch? {
    let changed = partitions.indices.filter { $0 >= stored.count || stored[$0] != next[$0] }
    log = []
    stored = next
    starts = next
    if changed.isEmpty { return nil }
    let fields = Self.tableType.fields
    let builders = fields.map { ColumnBuilder($0.type, capacity: changed.count) }
    for id in changed {
      builders[0].append(Int32(truncatingIfNeeded: id))
      builders[1].append(partitions[id].topic)
      builders[2].append(partitions[id].number)
      builders[3].append(next[id])
    }
    return DeltaBatch(
      inserting: Batch(Self.tableType, builders.map { $0.finish() }, count: changed.count))
  }
}
