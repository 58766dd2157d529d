import Columns
import Formats

/// Canal's change events as JSON: `{"data":[{…}],"old":[{…}],"type":"INSERT|UPDATE|DELETE",…}`.
///
/// `old` holds what an update changed. An upsert needs no more of it than the key; otherwise the row
/// as it was is put together from it and the new one.
final class CanalDecoder: RecordDecoder {
  private let type: RowType
  private let keys: [Int]
  private let style: ChangeStyle
  private let metadata: [FormatMetadata]
  private let reader: JSONBlockDecoder
  /// Reads an object of `old`, for whole rows as they were.
  private let images: JSONBlockDecoder
  private let database: NamePattern
  private let table: NamePattern

  private static let (data, old, kind, isDDL) = (0, 1, 2, 3)

  init(
    _ format: RecordFormat, _ type: RowType, keys: [Int], style: ChangeStyle,
    metadata: [FormatMetadata]
  ) throws(TerraceError) {
    self.type = type
    self.keys = keys
    self.style = style
    self.metadata = metadata
    database = try NamePattern(format.database, option: "canal-json.database.include")
    table = try NamePattern(format.tableName, option: "canal-json.table.include")
    let nullable = type.fields.map { Field(id: $0.id, name: $0.name, type: $0.type.nullable) }
    var old = DataType.string
    if case .upserts = style { old = .array(.row(keys.map { nullable[$0] })) }
    var members: [(String, DataType)] = [
      ("data", .array(.row(nullable))), ("old", old), ("type", .string), ("isDdl", .boolean),
      ("database", .string), ("table", .string),
    ]
    for name in ["ts", "es"] where metadata.contains(where: { $0.path == [name] }) {
      members.append((name, .bigint))
    }
    reader = JSONBlockDecoder(RowType(members), keepsPlaces: true, passesNull: true)
    images = JSONBlockDecoder(RowType(nullable))
  }

  func decode(_ text: RecordText) throws(TerraceError) -> DecodedRecords {
    let block = reader.decode(text)
    let columns = block.batch.columns
    let after = columns[Self.data].children[0].children
    // Rows as they were, made as they are needed.
    let before = type.fields.map { ColumnBuilder($0.type.nullable) }
    let out = ChangeRows(type, keys, style, [after, after], block, text)
    for record in 0..<block.batch.count where isWanted(columns, record) {
      if let problem = take(columns, record, before, out) { out.reject(record: record, problem) }
    }
    out.set(1, before.map { $0.finish() })
    return out.finish(metadata: metadata.map { $0.column(columns, block.batch.type.fields) })
  }

  /// False for other tables and for changes of definitions.
  private func isWanted(_ columns: [Column], _ record: Int) -> Bool {
    let ddl = columns[Self.isDDL]
    if !ddl.isNull(record), ddl.pointer(UInt8.self)[record] != 0 { return false }
    return database.matches(columns[4], record) && table.matches(columns[5], record)
  }

  private func take(
    _ columns: [Column], _ record: Int, _ before: [ColumnBuilder], _ out: ChangeRows
  ) -> String? {
    let data = columns[Self.data]
    let kind = columns[Self.kind]
    if kind.isNull(record) { return "no member \"type\": not a Canal event" }
    let name = String(decoding: kind.bytes(record), as: UTF8.self)
    guard ["INSERT", "UPDATE", "DELETE"].contains(name) else {
      return "type \"\(name)\" is not INSERT, UPDATE or DELETE"
    }
    if data.isNull(record) { return "\(name) without \"data\"" }
    let rows = Int(data.offsets[record])..<Int(data.offsets[record + 1])
    if rows.isEmpty { return "\(name) without rows in \"data\"" }
    for row in rows {
      if columns[0].children[0].isNull(row) { return "null among the rows of \"data\"" }
      if let problem = out.problem(0, row, keyOnly: name == "DELETE" && out.isUpserts) {
        return problem
      }
    }
    if name == "UPDATE" { return update(columns, record, rows, before, out) }
    for row in rows { out.append(0, row, name == "INSERT" ? .insert : .delete, record: record) }
    return nil
  }

  private func update(
    _ columns: [Column], _ record: Int, _ rows: Range<Int>, _ before: [ColumnBuilder],
    _ out: ChangeRows
  ) -> String? {
    let first = before.first?.count ?? 0
    if out.isUpserts {
      oldKeys(columns, record, rows, before, out)
      return nil
    }
    if columns[Self.old].isNull(record) {
      return "UPDATE without \"old\": declare a PRIMARY KEY"
    }
    if let problem = oldRows(columns, record, rows, before) { return problem }
    for (index, row) in rows.enumerated() {
      out.append(1, first + index, .updateBefore, record: record)
      out.append(0, row, .updateAfter, record: record)
    }
    return nil
  }

  /// A key that an update changed goes, with the rest of its row as it is now.
  private func oldKeys(
    _ columns: [Column], _ record: Int, _ rows: Range<Int>, _ before: [ColumnBuilder],
    _ out: ChangeRows
  ) {
    let old = columns[Self.old]
    let after = columns[Self.data].children[0].children
    let start = Int(old.offsets[record])
    let count = old.isNull(record) ? 0 : Int(old.offsets[record + 1]) - start
    let oldKeys = old.children[0].children
    for (index, row) in rows.enumerated() {
      let changed =
        index < count
        ? keys.indices.filter { k in
          !oldKeys[k].isNull(start + index)
            && oldKeys[k].scalar(start + index) != after[keys[k]].scalar(row)
        } : []
      if !changed.isEmpty {
        out.append(1, before[0].count, .delete, record: record)
        for c in type.fields.indices {
          if let k = changed.first(where: { keys[$0] == c }) {
            before[c].append(oldKeys[k], start + index..<start + index + 1)
          } else {
            before[c].append(after[c], row..<row + 1)
          }
        }
      }
      out.append(0, row, .updateAfter, record: record)
    }
  }

  /// The rows as they were: the new ones with what `old` says, and it says null too.
  private func oldRows(
    _ columns: [Column], _ record: Int, _ rows: Range<Int>, _ before: [ColumnBuilder]
  ) -> String? {
    let after = columns[Self.data].children[0].children
    let text = String(decoding: columns[Self.old].bytes(record), as: UTF8.self)
    let objects: [JSONValue]
    do throws(TerraceError) {
      guard let items = try JSONValue.parse(text).asArray else { return "\"old\" is no array" }
      objects = items
    } catch { return error.message }
    guard objects.count == rows.count else { return "\"old\" has not as many rows as \"data\"" }
    var decoded: [Batch] = []
    for object in objects {
      let line = ByteWriter()
      object.write(to: line)
      line.append(0x0a)
      defer { withExtendedLifetime(line) {} }
      let block = images.decode(
        UnsafePointer(line.base.assumingMemoryBound(to: UInt8.self)), count: line.count, rows: 1)
      if let reject = block.rejects.first { return "in \"old\": \(reject.reason)" }
      guard block.batch.count == 1 else { return "null among the rows of \"old\"" }
      decoded.append(block.batch)
    }
    for (index, row) in rows.enumerated() {
      for (c, field) in type.fields.enumerated() {
        if objects[index][field.name] != nil {
          if !field.type.isNullable, decoded[index].columns[c].isNull(0) {
            // Leave all columns as long as they were: the record is put aside.
            level(before, upTo: c)
            return "null in a column that may not be null, field \(field.name) of \"old\""
          }
          before[c].append(decoded[index].columns[c], 0..<1)
        } else {
          before[c].append(after[c], row..<row + 1)
        }
      }
    }
    return nil
  }

  /// Fills the columns from `upTo` on, so that all have one row more than before.
  private func level(_ before: [ColumnBuilder], upTo: Int) {
    for builder in before[upTo...] { builder.appendNull() }
  }
}

/// A regular expression that a whole name must match; none matches every name.
struct NamePattern {
  private let pattern: Regex<AnyRegexOutput>?

  init(_ text: String?, option: String) throws(TerraceError) {
    guard let text else {
      pattern = nil
      return
    }
    do {
      pattern = try Regex(text)
    } catch {
      throw TerraceError(.invalid, "not a regular expression").with("option", option)
        .with("value", text)
    }
  }

  func matches(_ name: String) -> Bool {
    guard let pattern else { return true }
    // A pattern that fails while it runs matches nothing.
    return (try? pattern.wholeMatch(in: name)) != nil
  }

  func matches(_ names: Column, _ row: Int) -> Bool {
    if pattern == nil { return true }
    if names.isNull(row) { return false }
    return matches(String(decoding: names.bytes(row), as: UTF8.self))
  }
}
