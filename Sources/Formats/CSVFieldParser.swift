import Columns

/// Parses the fields of one CSV record into columns.
final class CSVFieldParser {
  typealias Bytes = UnsafePointer<UInt8>
  typealias Node = UnsafeMutablePointer<InputNode>
  private let tree: InputTree
  private let nodes: Node
  private let scalars: InputScalars
  private let json: JSONRecordParser
  private let scratch = ByteWriter(capacity: 256)
  private let delimiter: UInt8
  private let quote: UInt8
  private let escape: UInt8?
  private let null: [UInt8]
  private let emptyIsNull: Bool
  private let flink: CSVOptions.Flink?
  private let elementDelimiter: [UInt8]
  /// Node of the k-th field of the file, 0 when no column takes it.
  private var places: [Int32] = [] {
    didSet {
      placeCount = places.count
      placeList.deallocate()
      placeList = .allocate(capacity: max(placeCount, 1))
      placeList.initialize(from: places, count: placeCount)
    }
  }
  @exclusivity(unchecked) private var placeCount = 0
  @exclusivity(unchecked) private var placeList = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
  /// Nodes that the file has no field for.
  @exclusivity(unchecked) private var absent: [Int32] = []

  init(_ tree: InputTree, _ format: CSVOptions) {
    self.tree = tree
    nodes = tree.nodes
    json = JSONRecordParser(tree)
    scalars = json.scalars
    delimiter = format.delimiter
    quote = format.quote
    escape = format.escape == format.quote ? nil : format.escape
    flink = format.flink
    elementDelimiter = Array((format.flink?.elementDelimiter ?? ";").utf8)
    null = Array(format.null.utf8)
    emptyIsNull = format.emptyIsNull
  }

  deinit { placeList.deallocate() }

  /// Whether a record is one field, so that an empty line is a record too.
  var isSingle: Bool { places.count == 1 }

  /// The file has the columns in their order.
  func useAll(_ type: RowType) throws(TerraceError) {
    places = (0..<type.count).map { Int32($0 + 1) }
  }

  /// The file has these columns.
  func use(_ names: [String], _ type: RowType) throws(TerraceError) {
    places = names.map { name in type.index(of: name).map { Int32($0 + 1) } ?? 0 }
    var seen: Set<String> = []
    for name in names where !seen.insert(name).inserted {
      throw TerraceError(.invalid, "the CSV header names a column twice").with("column", name)
    }
    if !places.contains(where: { $0 > 0 }) {
      throw TerraceError(
        .invalid, "no name of the CSV header is a column",
        hint: "say that there is no header, or check the delimiter"
      ).with("header", names.joined(separator: " "))
    }
    for (index, field) in type.fields.enumerated() where !places.contains(Int32(index + 1)) {
      if !field.type.isNullable {
        throw TerraceError(.invalid, "the CSV header lacks a column that may not be null")
          .with("column", field.name)
      }
      absent.append(Int32(index + 1))
    }
  }

  /// The fields of a record as text, for the header.
  func texts(_ record: UnsafeRawBufferPointer) throws(RecordProblem) -> [String] {
    guard let base = record.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return [""] }
    var names: [String] = []
    var at = base
    let end = base + record.count
    while true {
      if at < end, at.pointee == quote {
        names.append(String(decoding: try unquoted(&at, end), as: UTF8.self))
        if at < end, at.pointee != delimiter { throw problem(.quote, at, nil) }
      } else {
        let start = at
        at = fieldEnd(at, end)
        names.append(
          String(decoding: UnsafeBufferPointer(start: start, count: at - start), as: UTF8.self))
      }
      if at >= end { return names }
      at += 1
    }
  }

  /// Parses the record `start ..< end`, which a line end follows.
  func parse(_ start: Bytes, _ end: Bytes) throws(RecordProblem) {
    var at = start
    let count = placeCount
    for field in 0..<count {
      let place = placeList[field]
      let node = nodes + Int(place)
      let fieldAt = at
      if at < end, at.pointee == quote {
        let text = try unquoted(&at, end)
        if flink != nil { while at < end, at.pointee == 0x20 { at += 1 } }
        if at < end, at.pointee != delimiter { throw problem(.quote, at, node) }
        if place > 0 {
          // Quotes keep a text from being null, but not in Flink.
          let raw = flink == nil ? nil : text
          do throws(RecordProblem) { try unescaped(node, text, raw, fieldAt) } catch {
            try forgive(error, node)
          }
        }
      } else if escape != nil {
        let text = escaped(&at, end)
        if place > 0 {
          let raw = UnsafeBufferPointer(start: fieldAt, count: at - fieldAt)
          do throws(RecordProblem) { try unescaped(node, text, raw, fieldAt) } catch {
            try forgive(error, node)
          }
        }
      } else if place == 0 {
        at = fieldEnd(at, end)
      } else {
        do throws(RecordProblem) { try plain(node, &at, end) } catch {
          try forgive(error, node)
          at = fieldEnd(fieldAt, end)
        }
      }
      if field == count - 1 { break }
      if at >= end { return try endEarly(field + 1, at) }
      at += 1
    }
    if at != end { throw problem(.fields, at, nil) }
    if !absent.isEmpty { for place in absent { nodes[Int(place)].appendNull() } }
  }

  /// The record has no fields from `field` on.
  @inline(never)
  private func endEarly(_ field: Int, _ at: Bytes) throws(RecordProblem) {
    let short = problem(.fields, at, nil)
    guard flink?.nullsErrors == true else { throw short }
    for place in places[field...] where place > 0 { try forgive(short, nodes + Int(place)) }
    for place in absent { nodes[Int(place)].appendNull() }
  }

  /// Null for a value that cannot be read, if such are forgiven.
  @inline(never)
  private func forgive(_ problem: RecordProblem, _ node: Node) throws(RecordProblem) {
    guard flink?.nullsErrors == true, node.pointee.isNullable,
      node.pointee.op.rawValue < InputNode.Op.list.rawValue || problem.reason == .fields
    else {
      throw problem
    }
    node.pointee.appendNull()
  }

  @inline(never)
  private func problem(
    _ reason: RecordProblem.Reason, _ at: Bytes, _ node: Node?
  ) -> RecordProblem {
    json.problem(reason, at, node)
  }

  @inline(never)
  private func problem(_ text: TextProblem, _ at: Bytes, _ node: Node) -> RecordProblem {
    var problem = json.problem(.value, at, node)
    problem.problem = text
    return problem
  }

  /// The next delimiter, or the end of the record.
  @inline(__always)
  private func fieldEnd(_ start: Bytes, _ end: Bytes) -> Bytes {
    var at = start
    while at < end {
      let hit = Swar.hits(Swar.load(at), delimiter)
      if hit != 0 { return min(at + hit.trailingZeroBitCount >> 3, end) }
      at += 8
    }
    return end
  }

  /// A field without quotes: numbers are read without looking for its end first.
  @inline(__always)
  private func plain(_ node: Node, _ at: inout Bytes, _ end: Bytes) throws(RecordProblem) {
    let start = at
    let op = node.pointee.op
    if op.rawValue <= InputNode.Op.decimal128.rawValue, op != .boolean,
      null.isEmpty || !isNull(at, end)
    {
      if number(node, &at, end) { return }
      at = start
    }
    at = fieldEnd(at, end)
    let count = at - start
    if count == null.count, isNull(start, at) {
      if !node.pointee.isNullable { throw problem(.null, start, node) }
      return node.pointee.appendNull()
    }
    if op.rawValue < InputNode.Op.list.rawValue, op != .text {
      if count == 0 {
        if emptyIsNull, node.pointee.isNullable { return node.pointee.appendNull() }
        throw problem(.empty, start, node)
      }
      if op == .bytes {
        return try value(node, UnsafeBufferPointer(start: start, count: count), start)
      }
      do throws(TextProblem) { try scalars.append(node, start, at) } catch {
        throw problem(error, start, node)
      }
      return
    }
    if op == .text, count <= Int(node.pointee.digits) {
      let bytes = UnsafeRawBufferPointer(start: start, count: count)
      if !UTF8Text.isValid(bytes) { throw problem(.notUTF8, start, node) }
      return node.pointee.builder._withUnsafeGuaranteedRef { $0.append(bytes: bytes) }
    }
    try value(node, UnsafeBufferPointer(start: start, count: count), start)
  }

  /// Whether the text begins with the null text.
  private func isNull(_ at: Bytes, _ end: Bytes) -> Bool {
    if end - at < null.count { return false }
    for i in 0..<null.count where at[i] != null[i] { return false }
    return true
  }

  @inline(__always)
  private func number(_ node: Node, _ at: inout Bytes, _ end: Bytes) -> Bool {
    let isNegative = at.pointee == UInt8(ascii: "-")
    if isNegative { at += 1 }
    var mantissa: UInt64 = 0
    var count = scalars.digits(&at, &mantissa)
    if count == 0 { return false }
    var fraction = 0
    if at.pointee == UInt8(ascii: "."), delimiter != UInt8(ascii: ".") {
      at += 1
      fraction = scalars.digits(&at, &mantissa)
      count &+= fraction
    }
    if count > 18 || !(at == end || (at < end && at.pointee == delimiter)) { return false }
    return scalars.store(
      node, mantissa, isNegative: isNegative, digits: count, fraction: fraction)
  }

  /// A field that may be null; `raw` is how it stood there (`\N` may be null), none that it cannot be.
  private func unescaped(
    _ node: Node, _ text: UnsafeBufferPointer<UInt8>, _ raw: UnsafeBufferPointer<UInt8>?,
    _ place: Bytes
  ) throws(RecordProblem) {
    guard let raw else { return try value(node, text, place) }
    if raw.elementsEqual(null) {
      if !node.pointee.isNullable { throw problem(.null, place, node) }
      return node.pointee.appendNull()
    }
    let op = node.pointee.op
    if text.isEmpty, emptyIsNull, node.pointee.isNullable, op != .text, op != .list, op != .row {
      return node.pointee.appendNull()
    }
    try value(node, text, place)
  }

  /// Any value from its whole text.
  private func value(
    _ node: Node, _ text: UnsafeBufferPointer<UInt8>, _ place: Bytes
  ) throws(RecordProblem) {
    let bytes = UnsafeRawBufferPointer(text)
    if node.pointee.op.rawValue >= InputNode.Op.list.rawValue {
      return flink == nil ? try nested(node, bytes, place) : try elements(node, text, place)
    }
    if node.pointee.op == .text {
      if !UTF8Text.isValid(bytes) { throw problem(.notUTF8, place, node) }
    } else if text.count == 0 {
      throw problem(.empty, place, node)
    }
    if node.pointee.op == .bytes, node.pointee.binary != .prefixedHex {
      do throws(TextProblem) { return try json.binary(node, text) } catch {
        throw problem(error, place, node)
      }
    }
    do throws(TextProblem) { try scalars.long(node, bytes) } catch {
      throw problem(error, place, node)
    }
  }

  /// An array or a row of plain values, with a delimiter between them.
  private func elements(
    _ node: Node, _ text: UnsafeBufferPointer<UInt8>, _ place: Bytes
  ) throws(RecordProblem) {
    // The values may look behind their end, and what was unquoted lies in a buffer that they use.
    let copy = ByteWriter(capacity: text.count + 8)
    copy.append(UnsafeRawBufferPointer(text))
    copy.appendRaw(UInt64(0))
    let bytes = UnsafeBufferPointer(
      start: UnsafePointer(copy.base.assumingMemoryBound(to: UInt8.self)), count: text.count)
    defer { withExtendedLifetime(copy) {} }
    do throws(RecordProblem) { try elements(node, bytes, at: place) } catch {
      if node.pointee.op == .list {
        tree.levelList(node)
      } else {
        tree.levelRow(node, to: node.pointee.rows + 1)
        node.pointee.builder._withUnsafeGuaranteedRef { $0.endRow() }
      }
      throw error
    }
  }

  private func elements(
    _ node: Node, _ bytes: UnsafeBufferPointer<UInt8>, at place: Bytes
  ) throws(RecordProblem) {
    let isList = node.pointee.op == .list
    let wanted = Int(node.pointee.count)
    let children = nodes + Int(node.pointee.first)
    var item = 0
    var from = 0
    while !bytes.isEmpty {
      let end = elementEnd(bytes, from)
      if isList || item < wanted {
        let child = isList ? children : children + item
        let element = UnsafeBufferPointer(rebasing: bytes[from..<end])
        do throws(RecordProblem) { try unescaped(child, element, element, place) } catch {
          try forgive(error, child)
        }
      }
      item += 1
      if end == bytes.count { break }
      from = end + elementDelimiter.count
    }
    if isList { return node.pointee.builder._withUnsafeGuaranteedRef { $0.endList() } }
    // Nothing at all is a row of nulls.
    if item != wanted, item > 0, flink?.nullsErrors != true { throw problem(.fields, place, node) }
    for k in min(item, wanted)..<wanted {
      if !children[k].isNullable { throw problem(.null, place, children + k) }
      children[k].appendNull()
    }
    node.pointee.builder._withUnsafeGuaranteedRef { $0.endRow() }
  }

  /// The next delimiter of elements, or the end.
  private func elementEnd(_ bytes: UnsafeBufferPointer<UInt8>, _ from: Int) -> Int {
    var at = from
    while at + elementDelimiter.count <= bytes.count {
      if bytes[at] == elementDelimiter[0], bytes[at...].starts(with: elementDelimiter) { return at }
      at += 1
    }
    return bytes.count
  }

  /// A nested value is JSON text; it is copied to be followed by a line feed.
  private func nested(
    _ node: Node, _ text: UnsafeRawBufferPointer, _ place: Bytes
  ) throws(RecordProblem) {
    let copy = ByteWriter(capacity: text.count + 8)
    for byte in text { copy.append(byte == 0x0a ? 0x20 : byte) }
    copy.append(0x0a)
    let start = UnsafePointer(copy.base.assumingMemoryBound(to: UInt8.self))
    defer { withExtendedLifetime(copy) {} }
    do throws(RecordProblem) {
      try json.parseValue(node, start, start + text.count)
    } catch {
      // Its place lies in the copy; the record's is that of the field.
      var moved = error
      moved.at = place
      throw moved
    }
  }

  /// The text of the quoted field at `at`, which is then behind its closing quote. Valid until the
  /// next call.
  private func unquoted(
    _ at: inout Bytes, _ end: Bytes
  ) throws(RecordProblem) -> UnsafeBufferPointer<UInt8> {
    let start = at
    at += 1
    let first = at
    while at < end, at.pointee != quote, at.pointee != escape { at += 1 }
    let isDoubled = at + 1 < end && at[1] == quote
    if at < end, at.pointee == quote, !isDoubled {
      at += 1
      return UnsafeBufferPointer(start: first, count: at - 1 - first)
    }
    scratch.removeAll()
    scratch.append(UnsafeRawBufferPointer(start: first, count: at - first))
    while at < end {
      let byte = at.pointee
      if byte == escape, at + 1 < end {
        scratch.append(meaning(at[1]))
        at += 2
      } else if byte == quote {
        at += 1
        if at < end, at.pointee == quote {
          scratch.append(quote)
          at += 1
          continue
        }
        return held
      } else {
        scratch.append(byte)
        at += 1
      }
    }
    throw problem(.unterminated, start, nil)
  }

  /// What was written to the scratch, with bytes behind it that may be looked at.
  private var held: UnsafeBufferPointer<UInt8> {
    let count = scratch.count
    scratch.appendRaw(UInt64(0))
    return UnsafeBufferPointer(
      start: UnsafePointer(scratch.base.assumingMemoryBound(to: UInt8.self)), count: count)
  }

  /// The field without quotes at `at`, which is then at the delimiter behind it. Valid until the next call.
  private func escaped(_ at: inout Bytes, _ end: Bytes) -> UnsafeBufferPointer<UInt8> {
    let start = at
    while at < end, at.pointee != delimiter, at.pointee != escape { at += 1 }
    if at >= end || at.pointee == delimiter {
      return UnsafeBufferPointer(start: start, count: at - start)
    }
    scratch.removeAll()
    scratch.append(UnsafeRawBufferPointer(start: start, count: at - start))
    while at < end, at.pointee != delimiter {
      if at.pointee == escape, at + 1 < end {
        scratch.append(meaning(at[1]))
        at += 2
      } else {
        scratch.append(at.pointee)
        at += 1
      }
    }
    return held
  }

  /// Of a byte behind the escape.
  private func meaning(_ byte: UInt8) -> UInt8 {
    if flink == nil { return byte }
    return switch byte {
    case UInt8(ascii: "n"): 0x0a
    case UInt8(ascii: "r"): 0x0d
    case UInt8(ascii: "t"): 0x09
    case UInt8(ascii: "0"): 0
    default: byte
    }
  }
}
