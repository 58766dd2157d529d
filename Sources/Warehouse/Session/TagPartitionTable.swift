import Catalog
import Columns
import Dataflow
import SQL
import Store

/// A table whose tags are partitions (`metastore.tag-to-partition`), with the column that names them.
///
/// Without a condition on that column the newest rows are read, and the column is the period that is running.
/// With one, the condition is asked of every known value first; then the partitions it lets pass are read,
/// each with the rest of the condition.
final class TagPartitionTable: SessionTable {
  private let stored: StoredSessionTable
  private let directory: PartitionDirectory
  private let session: SQLSession
  /// A version was asked for by name: the column is that name.
  private let fixed: String??
  let column: String
  let condition: PartitionCondition

  /// Nil for a table whose tags are not partitions.
  convenience init?(
    _ stored: StoredSessionTable, _ reference: TableReference, _ session: SQLSession
  ) throws(TerraceError) {
    let table = stored.version.table
    guard table.schema.options["metastore.tag-to-partition"] != nil else { return nil }
    let directory = try PartitionDirectory(
      stored.name, table, session: session.zone, metastore: try session.warehouse.metastore)
    guard let column = directory.column else { return nil }
    var fixed: String??
    if reference.travel != nil || reference.options.contains(where: { $0.key.hasPrefix("scan.") }) {
      let names = try TagDirectory(table.path, table.environment).names()
      if case .version(let text) = reference.travel, names.contains(text) {
        fixed = .some(text)
      } else if let tag = reference.options.last(where: { $0.key == "scan.tag-name" })?.value {
        fixed = .some(tag)
      } else {
        fixed = .some(nil)
      }
    }
    self.init(stored, directory, session, fixed, column, PartitionCondition())
  }

  private init(
    _ stored: StoredSessionTable, _ directory: PartitionDirectory, _ session: SQLSession,
    _ fixed: String??, _ column: String, _ condition: PartitionCondition
  ) {
    self.stored = stored
    self.directory = directory
    self.session = session
    self.fixed = fixed
    self.column = column
    self.condition = condition
  }

  /// The same table for a read with conditions of its own.
  func with(_ condition: PartitionCondition) -> TagPartitionTable {
    TagPartitionTable(stored, directory, session, fixed, column, condition)
  }

  var version: TableVersion { stored.version }
  /// Place of the partition column in the table's type: the last.
  var place: Int { stored.definition.shape.type.count }

  func bound(_ reference: String) -> BoundTable {
    var shape = stored.definition.shape
    shape.type.fields.append(
      Field(id: place, name: column, type: .string, comment: "the tag, as a partition"))
    shape.order.append(column)
    // A key is unique within one partition only.
    if !shape.primaryKey.isEmpty { shape.primaryKey.append(column) }
    return shape.bound(reference: reference, isAppendOnly: true, text: stored.definition.text)
  }

  // MARK: Reading

  func read(_ source: Plan.Source) throws(TerraceError) -> any SessionRead {
    let output = source.columns.firstIndex(of: place)
    if let fixed {
      return try reads([(fixed, version.snapshot)], source, output)
    }
    let isAsked =
      output.map { source.predicate.columns.contains($0) } ?? false || condition.isUsed
      || !condition.conditions.isEmpty
    let running = try directory.runningValue()
    guard isAsked, let output else {
      return try reads([(running, version.snapshot)], source, output)
    }
    var known: [(value: String?, snapshot: Snapshot?)] = []
    for tag in try TagDirectory(version.table.path, version.table.environment).list() {
      known.append((tag.name, tag.snapshot))
    }
    known.sort { ($0.value ?? "") < ($1.value ?? "") }
    if let running, !known.contains(where: { $0.value == running }) {
      known.append((running, version.snapshot))
    }
    warn(source.predicate.values(of: output), known.compactMap(\.value))
    return try reads(try passing(known), source, output)
  }

  /// Partitions that the conditions let pass.
  private func passing(
    _ known: [(value: String?, snapshot: Snapshot?)]
  ) throws(TerraceError) -> [(value: String?, snapshot: Snapshot?)] {
    if condition.conditions.isEmpty || known.isEmpty { return known }
    let builder = ColumnBuilder(.string)
    for (value, _) in known { if let value { builder.append(value) } else { builder.appendNull() } }
    let values = builder.finish()
    var kept = known
    let evaluator = Evaluator(context: session.context())
    for e in condition.conditions {
      let (rows, count) = try evaluator.select(e, [values], count: values.count)
      let numbers = rows.pointer(Int32.self)
      let names = Set((0..<count).map { known[Int(numbers[$0])].value })
      kept.removeAll { !names.contains($0.value) }
    }
    return kept
  }

  private func warn(_ asked: [Scalar], _ known: [String]) {
    let names = Set(known)
    for case .bytes(let bytes) in asked {
      let value = String(decoding: bytes, as: UTF8.self)
      if names.contains(value) { continue }
      var text = "\(stored.name) has no partition \(column)='\(value)'"
      if let first = known.first, let last = known.last {
        text += first == last ? "; there is '\(first)'" : "; there are '\(first)' to '\(last)'"
      }
      if !session.notices.contains(text) { session.notices.append(text) }
    }
  }

  /// A tag that did not wait for all its sources any longer lacks rows of theirs.
  private func warn(partial value: String, _ snapshot: Snapshot) throws(TerraceError) {
    guard let late = try Root.Tags(of: snapshot)?.partial, !late.isEmpty else { return }
    let text =
      "\(stored.name) \(column)='\(value)' is partial: \(late.joined(separator: ", ")) had not come so far"
      + " (tag.alignment-timeout)"
    if !session.notices.contains(text) { session.notices.append(text) }
  }

  private func reads(
    _ partitions: [(value: String?, snapshot: Snapshot?)], _ source: Plan.Source, _ output: Int?
  ) throws(TerraceError) -> any SessionRead {
    var parts: [PartitionRead.Part] = []
    let running = try directory.runningValue()
    for (value, snapshot) in partitions {
      var own = source
      own.columns.removeAll { $0 == place }
      if let output {
        let one = Column.repeating(value.map { .text($0) } ?? .null, type: .string, count: 1)
        let rest = source.predicate.substituting(output, one)
        if rest == .never { continue }
        if let value, let snapshot, value != running { try warn(partial: value, snapshot) }
        own.predicate = rest.remapped { $0 > output ? $0 - 1 : $0 } ?? .always
      }
      parts.append(PartitionRead.Part(source: own, value: value, snapshot: snapshot))
    }
    return PartitionRead(stored, parts, output)
  }
}

/// Partitions one after another.
private final class PartitionRead: SessionRead {
  struct Part {
    var source: Plan.Source
    var value: String?
    var snapshot: Snapshot?
  }

  private let stored: StoredSessionTable
  private var parts: ArraySlice<Part>
  /// Place of the partition column in the output; nil when it is not read.
  private let output: Int?
  private var current: (read: any SessionRead, value: String?)?

  init(_ stored: StoredSessionTable, _ parts: [Part], _ output: Int?) {
    self.stored = stored
    self.parts = parts[...]
    self.output = output
  }

  func next() throws(TerraceError) -> DeltaBatch? {
    while true {
      if let (read, value) = current {
        if let delta = try read.next() { return completed(delta, value) }
        read.close()
        current = nil
      }
      guard let part = parts.popFirst() else { return nil }
      current = (try stored.read(part.source, at: part.snapshot), part.value)
    }
  }

  private func completed(_ delta: DeltaBatch, _ value: String?) -> DeltaBatch {
    guard let output else { return delta }
    var columns = delta.rows.columns
    var fields = delta.rows.type.fields
    columns.insert(
      Column.repeating(value.map { .text($0) } ?? .null, type: .string, count: delta.count),
      at: output)
    fields.insert(Field(id: -1, name: "", type: .string), at: output)
    return DeltaBatch(
      Batch(RowType(fields), columns, count: delta.count), weights: delta.weights)
  }

  func close() {
    current?.read.close()
    current = nil
    parts = []
  }
}
