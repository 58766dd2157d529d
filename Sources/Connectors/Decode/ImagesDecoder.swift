import Columns
import Formats

/// Changes with the row before and the row after, as Debezium and Oracle GoldenGate write them:
/// `{"before":{…},"after":{…},"op":"c|r|u|d",…}`, `{…,"op_type":"I|U|D",…}`.
///
/// Debezium's may lie in the `payload` of an envelope with their schema. Whether they do is seen; blocks are
/// read for both from the first one on that is wrapped. The schema then says what numbers and bytes mean.
final class ImagesDecoder: RecordDecoder {
  private let type: RowType
  private let keys: [Int]
  private let style: ChangeStyle
  private let metadata: [FormatMetadata]
  private let isOGG: Bool
  private let members: [(String, DataType)]
  private let conventions: JSONConventions
  private let plain: JSONBlockDecoder
  private var wrapped: WrappedImages?
  /// Numbers of the members that every envelope is read for.
  enum Member {
    static let (before, after, op, time, status, ddl) = (0, 1, 2, 3, 4, 5)
  }

  init(
    _ format: RecordFormat, _ type: RowType, keys: [Int], style: ChangeStyle,
    metadata: [FormatMetadata]
  ) {
    self.type = type
    self.keys = keys
    self.style = style
    self.metadata = metadata
    isOGG = format.kind == .ogg
    conventions = format.conventions
    // A deleted row may have nothing but its key, so what may be null is looked at afterwards.
    let row = type.fields.map { Field(id: $0.id, name: $0.name, type: $0.type.nullable) }
    // With a key, of the row before nothing else counts.
    var before = row
    if case .upserts = style { before = keys.map { row[$0] } }
    var members: [(String, DataType)] = [("before", .row(before)), ("after", .row(row))]
    if isOGG {
      members.append(("op_type", .string))
    } else {
      members += [("op", .string), ("ts_ms", .bigint), ("status", .string), ("ddl", .string)]
    }
    members += FormatMetadata.members(metadata, beside: members)
    self.members = members
    plain = JSONBlockDecoder(
      RowType(isOGG ? members : members + [("payload", .string)]), keepsPlaces: true,
      passesNull: true, conventions: conventions)
    if format.hasSchema { wrapped = WrappedImages(members, conventions, metadata) }
  }

  func decode(_ text: RecordText) throws(TerraceError) -> DecodedRecords {
    if wrapped == nil {
      let block = plain.decode(text)
      if !isWrapped(block) {
        let fields = block.batch.type.fields
        return rows(block, text, [block.batch.columns], fields) { _ in 0 }
      }
      wrapped = WrappedImages(members, conventions, metadata)
    }
    guard let wrapped else { preconditionFailure("it was just made") }
    let block = wrapped.decode(text)
    let fields = block.batch.type.fields
    let (outer, payload) = wrapped.parts(block.batch)
    return rows(block, text, [outer.columns, payload.columns], fields) { record in
      payload.isNull(record) ? 0 : 1
    }
  }

  private func isWrapped(_ block: DecodedBlock) -> Bool {
    if isOGG { return false }
    let (op, payload) = (block.batch.columns[Member.op], block.batch.columns[members.count])
    if payload.nullCount == payload.count { return false }
    for record in 0..<block.batch.count where op.isNull(record) && !payload.isNull(record) {
      return true
    }
    return false
  }

  /// - Parameter part: which of the envelopes a record has.
  private func rows(
    _ block: DecodedBlock, _ text: RecordText, _ envelopes: [[Column]], _ fields: [Field],
    part: (Int) -> Int
  ) -> DecodedRecords {
    var sources: [[Column?]] = []
    for envelope in envelopes {
      sources.append(rowBefore(envelope[Member.before]))
      sources.append(envelope[Member.after].children)
    }
    let out = ChangeRows(type, keys, style, sources, block, text)
    let images = envelopes.enumerated().map { part, envelope in
      ImagePair(
        before: envelope[Member.before], after: envelope[Member.after], source: 2 * part,
        op: envelope[Member.op])
    }
    let count = block.batch.count
    if images.count == 1 {
      take(images[0], envelopes[0], 0..<count, out)
    } else {
      for record in 0..<count {
        let part = part(record)
        take(images[part], envelopes[part], record..<record + 1, out)
      }
    }
    let found = metadata.map { one in
      let all = envelopes.indices.map { part in
        part == 1 && one.path == ["schema"]
          ? block.batch.columns[block.batch.type.count - 1] : one.column(envelopes[part], fields)
      }
      if all.count == 1 { return all[0] }
      let parts = (0..<block.batch.count).map { UInt16(part($0)) }
      let records = (0..<block.batch.count).map { Int32($0) }
      return Column.interleave(all, sources: parts, rows: records, count: block.batch.count)
    }
    return out.finish(metadata: found)
  }

  /// The columns of the row before; nil where it is not read.
  private func rowBefore(_ before: Column) -> [Column?] {
    guard case .upserts = style else { return before.children }
    return type.fields.indices.map { c in keys.firstIndex(of: c).map { before.children[$0] } }
  }

  private func take(
    _ image: ImagePair, _ envelope: [Column], _ records: Range<Int>, _ out: ChangeRows
  ) {
    let op = image.op
    let texts = op.values.assumingMemoryBound(to: UInt8.self)
    for record in records {
      var problem: String?
      let place = Int(op.offsets[record])
      if op.isNull(record) {
        problem = noOp(envelope, record)
      } else {
        let code = Int(op.offsets[record &+ 1]) == place &+ 1 ? texts[place] : 0
        problem = take(image, code, record, out)
      }
      if let problem { out.reject(record: record, problem) }
    }
  }

  private func take(
    _ image: ImagePair, _ code: UInt8, _ record: Int, _ out: ChangeRows
  ) -> String? {
    switch (isOGG, code) {
    case (false, UInt8(ascii: "c")), (false, UInt8(ascii: "r")), (true, UInt8(ascii: "I")):
      return image.insert(record, out)
    case (false, UInt8(ascii: "u")), (true, UInt8(ascii: "U")): return image.update(record, out)
    case (false, UInt8(ascii: "d")), (true, UInt8(ascii: "D")): return image.delete(record, out)
    // A message that somebody wrote into PostgreSQL's log: no row.
    case (false, UInt8(ascii: "m")): return nil
    case (false, UInt8(ascii: "t")), (true, UInt8(ascii: "T")):
      return "a truncate, which does not say which rows go: delete them, or build the table anew"
    default:
      let text = String(decoding: image.op.bytes(record).prefix(20), as: UTF8.self)
      return isOGG
        ? "op_type \"\(text)\" is not I, U or D" : "op \"\(text)\" is not c, r, u or d"
    }
  }

  private func noOp(_ envelope: [Column], _ record: Int) -> String? {
    if !isOGG, isMarker(envelope, record) { return nil }
    return isOGG
      ? "no member \"op_type\": not an OGG event" : "no member \"op\": not a Debezium event"
  }

  /// Heartbeats, the begin and end of transactions, and changes of definitions are no rows.
  private func isMarker(_ envelope: [Column], _ record: Int) -> Bool {
    if !envelope[Member.before].isNull(record) || !envelope[Member.after].isNull(record) {
      return false
    }
    if !envelope[Member.ddl].isNull(record) { return true }
    let status = envelope[Member.status]
    if !status.isNull(record) {
      let text = status.bytes(record)
      return text.elementsEqual("BEGIN".utf8) || text.elementsEqual("END".utf8)
    }
    return !envelope[Member.time].isNull(record)
  }
}

/// The rows before and after each change of a block.
struct ImagePair {
  let before: Column
  let after: Column
  /// Number of `before` among the sources of rows; `after` is the next.
  let source: Int
  let op: Column

  func insert(_ record: Int, _ out: ChangeRows) -> String? {
    if after.isNull(record) { return "an insert without \"after\"" }
    if let problem = out.problem(source + 1, record, keyOnly: false) { return problem }
    out.append(source + 1, record, .insert, record: record)
    return nil
  }

  func update(_ record: Int, _ out: ChangeRows) -> String? {
    if after.isNull(record) { return "an update without \"after\"" }
    if let problem = out.problem(source + 1, record, keyOnly: false) { return problem }
    if out.isUpserts {
      if !before.isNull(record), out.problem(source, record, keyOnly: true) == nil,
        !out.hasSameKey(source, record, source + 1, record)
      {
        out.append(source, record, .delete, record: record)
      }
    } else {
      if before.isNull(record) {
        return "an update without \"before\": declare a PRIMARY KEY, or have the database send it"
          + " (PostgreSQL: REPLICA IDENTITY FULL)"
      }
      if let problem = out.problem(source, record, keyOnly: false) { return problem }
      out.append(source, record, .updateBefore, record: record)
    }
    out.append(source + 1, record, .updateAfter, record: record)
    return nil
  }

  func delete(_ record: Int, _ out: ChangeRows) -> String? {
    if before.isNull(record) {
      return "a delete without \"before\": have the database send it"
        + " (PostgreSQL: REPLICA IDENTITY FULL)"
    }
    if let problem = out.problem(source, record, keyOnly: out.isUpserts) { return problem }
    out.append(source, record, .delete, record: record)
    return nil
  }
}
