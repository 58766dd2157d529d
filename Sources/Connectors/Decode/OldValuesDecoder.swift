import Columns
import Formats

/// Changes with the new row and what was different before, as Canal and Maxwell write them:
/// `{"data":[{…}],"old":[{…}],"type":"INSERT|UPDATE|DELETE",…}`, `{"data":{…},"old":{…},"type":"insert|…"}`.
///
/// `old` holds what an update changed. An upsert needs no more of it than the key; otherwise the row
/// as it was is put together from it and the new one.
final class OldValuesDecoder: RecordDecoder {
  private let type: RowType
  private let keys: [Int]
  private let style: ChangeStyle
  private let metadata: [FormatMetadata]
  /// Whether `data` and `old` are rows themselves, and not arrays of them.
  private let isMaxwell: Bool
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
    isMaxwell = format.kind == .maxwell
    database = try NamePattern(format.database, option: "database.include")
    table = try NamePattern(format.tableName, option: "table.include")
    let nullable = type.fields.map { Field(id: $0.id, name: $0.name, type: $0.type.nullable) }
    var old = DataType.string
    if case .upserts = style {
      old = .row(keys.map { nullable[$0] })
      if !isMaxwell { old = .array(old) }
    }
    let row = DataType.row(nullable)
    var members: [(String, DataType)] = [
      ("data", isMaxwell ? row : .array(row)), ("old", old), ("type", .string),
      ("isDdl", .boolean), ("database", .string), ("table", .string),
    ]
    members += FormatMetadata.members(metadata, beside: members)
    reader = JSONBlockDecoder(
      RowType(members), keepsPlaces: true, passesNull: true, conventions: format.conventions)
    images = JSONBlockDecoder(RowType(nullable), conventions: format.conventions)
  }

  func decode(_ text: RecordText) throws(TerraceError) -> DecodedRecords {
    let block = reader.decode(text)
    let columns = block.batch.columns
    let after = after(columns)
    // Rows as they were, made as they are needed.
    let before = type.fields.map { ColumnBuilder($0.type.nullable) }
    let out = ChangeRows(type, keys, style, [after, after], block, text)
    for record in 0..<block.batch.count where isWanted(columns, record) {
      if let problem = take(columns, record, before, out) { out.reject(record: record, problem) }
    }
    out.set(1, before.map { $0.finish() })
    return out.finish(metadata: metadata.map { $0.column(columns, block.batch.type.fields) })
  }

  /// False for other tables.
  private func isWanted(_ columns: [Column], _ record: Int) -> Bool {
    database.matches(columns[4], record) && table.matches(columns[5], record)
  }

  private func after(_ columns: [Column]) -> [Column] {
    isMaxwell ? columns[Self.data].children : columns[Self.data].children[0].children
  }

  private enum Change {
    case insert, update, delete, none, truncate
  }

  private func change(_ name: String, isDDL: Bool) -> Change? {
    if isMaxwell {
      switch name {
      case "insert", "bootstrap-insert": return .insert
      case "update": return .update
      case "delete": return .delete
      case "bootstrap-start", "bootstrap-complete", "heartbeat": return Change.none
      default:
        let isDefinition = name.hasPrefix("table-") || name.hasPrefix("database-")
        return isDefinition ? Change.none : nil
      }
    }
    switch name {
    case "TRUNCATE": return .truncate
    case _ where isDDL: return Change.none
    case "INSERT": return .insert
    case "UPDATE": return .update
    case "DELETE": return .delete
    case "CREATE", "ALTER", "ERASE", "QUERY", "RENAME", "CINDEX", "DINDEX": return Change.none
    default: return nil
    }
  }

  private func take(
    _ columns: [Column], _ record: Int, _ before: [ColumnBuilder], _ out: ChangeRows
  ) -> String? {
    let data = columns[Self.data]
    let (kind, ddl) = (columns[Self.kind], columns[Self.isDDL])
    let isDDL = !ddl.isNull(record) && ddl.pointer(UInt8.self)[record] != 0
    if kind.isNull(record) {
      return isDDL ? nil : "no member \"type\": not a \(isMaxwell ? "Maxwell" : "Canal") event"
    }
    let name = String(decoding: kind.bytes(record), as: UTF8.self)
    guard let change = change(name, isDDL: isDDL) else {
      return "type \"\(name.prefix(20))\" is not "
        + (isMaxwell ? "insert, update or delete" : "INSERT, UPDATE or DELETE")
    }
    if change == .none { return nil }
    if change == .truncate {
      return "a truncate, which does not say which rows go: delete them, or build the table anew"
    }
    if data.isNull(record) { return "\(name) without \"data\"" }
    let rows =
      isMaxwell ? record..<record + 1 : Int(data.offsets[record])..<Int(data.offsets[record + 1])
    if rows.isEmpty { return "\(name) without rows in \"data\"" }
    for row in rows {
      if !isMaxwell, data.children[0].isNull(row) { return "null among the rows of \"data\"" }
      if let problem = out.problem(0, row, keyOnly: change == .delete && out.isUpserts) {
        return problem
      }
    }
    if change == .update { return update(columns, record, rows, before, out) }
    for row in rows { out.append(0, row, change == .insert ? .insert : .delete, record: record) }
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
      return "an update without \"old\": declare a PRIMARY KEY"
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
    let after = after(columns)
    let start = isMaxwell ? record : Int(old.offsets[record])
    let end = isMaxwell ? record + 1 : Int(old.offsets[record + 1])
    let count = old.isNull(record) ? 0 : end - start
    let oldKeys = isMaxwell ? old.children : old.children[0].children
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
    let after = after(columns)
    let text = String(decoding: columns[Self.old].bytes(record), as: UTF8.self)
    let objects: [JSONValue]
    do throws(TerraceError) {
      let value = try JSONValue.parse(text)
      guard let items = isMaxwell ? [value] : value.asArray else { return "\"old\" is no array" }
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
