import Columns

/// Parses one JSON object straight into columns.
///
/// The record must be followed by a line feed (which no JSON string may contain), so scans need no
/// end. A value that fails leaves nothing behind in its own column if it is scalar, and one value,
/// whatever it be, if it is nested: the caller levels the columns and drops the row.
final class JSONRecordParser {
  typealias Bytes = UnsafePointer<UInt8>
  typealias Node = UnsafeMutablePointer<InputNode>
  let tree: InputTree
  let scalars = InputScalars()
  let scratch = ByteWriter(capacity: 256)
  private let nodes: Node
  @exclusivity(unchecked) private(set) var recordEnd: Bytes
  /// Whether a column without a member is an offence and not null.
  @exclusivity(unchecked) var requiresMembers = false
  @exclusivity(unchecked) var nullsErrors = false

  init(_ tree: InputTree) {
    self.tree = tree
    nodes = tree.nodes
    recordEnd = UnsafePointer(bitPattern: 8).unsafelyUnwrapped
  }

  deinit { scalars.deallocate() }

  /// Parses the object that fills `start ..< end` but for space, as row number `row`.
  func parse(_ start: Bytes, _ end: Bytes, row: Int) throws(RecordProblem) {
    recordEnd = end
    var at = start
    skipSpace(&at)
    guard at.pointee == UInt8(ascii: "{") else { throw problem(.notObject, at) }
    try members(nodes, &at, row)
    skipSpace(&at)
    if at != end { throw problem(.textAfter, at) }
  }

  /// Parses one value that fills `start ..< end`, for a column whose text is JSON.
  func parseValue(_ node: Node, _ start: Bytes, _ end: Bytes) throws(RecordProblem) {
    recordEnd = end
    var at = start
    skipSpace(&at)
    let row = node.pointee.rows
    do throws(RecordProblem) {
      try value(node, &at)
      skipSpace(&at)
      if at != end { throw problem(.textAfter, at, node) }
    } catch {
      if node.pointee.rows == row { node.pointee.appendNull() }
      throw error
    }
  }

  @inline(never)
  func problem(_ reason: RecordProblem.Reason, _ at: Bytes, _ node: Node? = nil) -> RecordProblem {
    var problem = RecordProblem(reason: reason, at: at)
    if let node { problem.node = Int32(node - nodes) }
    return problem
  }

  @inline(never)
  private func problem(_ text: TextProblem, _ at: Bytes, _ node: Node) -> RecordProblem {
    var problem = problem(.value, at, node)
    problem.problem = text
    return problem
  }

  @inline(__always) func skipSpace(_ at: inout Bytes) {
    while at.pointee <= 0x20, at.pointee == 0x20 || at.pointee == 0x09 || at.pointee == 0x0d {
      at += 1
    }
  }

  /// The members of an object at its brace, into the children of `node`, which have `row` rows.
  private func members(_ node: Node, _ place: inout Bytes, _ row: Int) throws(RecordProblem) {
    // A copy that no call takes the address of stays in a register.
    var at = place + 1
    var label = node.pointee.labels.unsafelyUnwrapped
    let last = label + InputLabel.count
    var isSet = 0
    skipSpace(&at)
    if at.pointee == UInt8(ascii: "}") {
      at += 1
    } else {
      while true {
        let nameAt = at
        if label.pointee.isAt(at) {
          at += label.pointee.length
        } else {
          at = try lookUp(node, at, label, isLast: label == last)
        }
        skipSpace(&at)
        if let child = label.pointee.node {
          if child.pointee.rows != row { throw problem(.twice, nameAt, child) }
          let valueAt = at
          do throws(RecordProblem) { at = try item(child, at) } catch {
            at = try passed(child, valueAt, row, error)
          }
          isSet &+= 1
        } else {
          at = try JSONSkipper.skip(at, self)
        }
        if label != last { label += 1 }
        skipSpace(&at)
        let byte = at.pointee
        guard byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") else {
          throw problem(.comma, at)
        }
        at += 1
        if byte == UInt8(ascii: "}") { break }
        skipSpace(&at)
      }
    }
    place = at
    if isSet == Int(node.pointee.count) { return }
    let children = nodes + Int(node.pointee.first)
    for child in 0..<Int(node.pointee.count) where children[child].rows == row {
      if !children[child].isNullable || requiresMembers {
        throw problem(.missing, at - 1, children + child)
      }
      children[child].appendNull()
    }
  }

  /// Puts null for a value that cannot be read, if that is how it is to be: its end.
  @inline(never)
  private func passed(
    _ child: Node, _ start: Bytes, _ row: Int, _ error: RecordProblem
  ) throws(RecordProblem) -> Bytes {
    guard nullsErrors, error.isOfValue, child.pointee.isNullable, child.pointee.rows == row else {
      throw error
    }
    let end = try JSONSkipper.skip(start, self)
    child.pointee.appendNull()
    return end
  }

  /// Passes over a name and its colon, finds the child, and remembers both as the label's.
  @inline(never)
  private func lookUp(
    _ node: Node, _ start: Bytes, _ label: UnsafeMutablePointer<InputLabel>, isLast: Bool
  ) throws(RecordProblem) -> Bytes {
    guard start.pointee == UInt8(ascii: "\"") else { throw problem(.memberName, start) }
    var at = start
    let text = try string(&at)
    let children = nodes + Int(node.pointee.first)
    label.pointee.forget()
    for child in 0..<Int(node.pointee.count)
    where tree.names[Int(node.pointee.first) + child].elementsEqual(text) {
      label.pointee.node = children + child
    }
    skipSpace(&at)
    guard at.pointee == UInt8(ascii: ":") else { throw problem(.colon, at) }
    at += 1
    if !isLast { label.pointee.learn(start, at - start) }
    return at
  }

  /// A value by the short ways for what most columns are.
  @inline(__always)
  private func item(_ node: Node, _ start: Bytes) throws(RecordProblem) -> Bytes {
    let op = node.pointee.op
    if op == .text {
      if start.pointee == UInt8(ascii: "\"") { return try text(node, start) }
    } else if op.isNumber, let end = scalars.number(node, start) {
      return end
    }
    return try other(node, start)
  }

  @inline(never)
  private func other(_ node: Node, _ start: Bytes) throws(RecordProblem) -> Bytes {
    var at = start
    try value(node, &at)
    return at
  }

  private func value(_ node: Node, _ at: inout Bytes) throws(RecordProblem) {
    let first = at.pointee
    if first == UInt8(ascii: "\"") {
      if node.pointee.op == .text { return at = try text(node, at) }
      return try quoted(node, &at)
    }
    if first &- 0x30 <= 9 || first == UInt8(ascii: "-") { return try number(node, &at) }
    if first == UInt8(ascii: "n") {
      at = try word(at, 0x6c6c_756e)
      if !node.pointee.isNullable { throw problem(.null, at - 4, node) }
      return node.pointee.appendNull()
    }
    switch node.pointee.op {
    case .boolean:
      if first == UInt8(ascii: "t") {
        at = try word(at, 0x6575_7274)
        return node.pointee.append(UInt8(1))
      }
      if first == UInt8(ascii: "f") {
        at = try word(at + 1, 0x6573_6c61)
        return node.pointee.append(UInt8(0))
      }
    case .text: return try raw(node, &at)
    case .row where first == UInt8(ascii: "{"): return try rowValue(node, &at)
    case .list where first == UInt8(ascii: "["): return try list(node, &at)
    case .map, .multiset:
      if first == UInt8(ascii: "[") { return try pairs(node, &at) }
      if first == UInt8(ascii: "{") { return try object(node, &at) }
    case .decimal64, .decimal128:
      if first == UInt8(ascii: "{"), node.pointee.decimals != .text {
        return try variableDecimal(node, &at)
      }
    default: break
    }
    let start = at
    at = try JSONSkipper.skip(at, self)
    throw problem(.wrongKind, start, node)
  }

  /// Passes over four letters.
  @inline(__always)
  func word(_ at: Bytes, _ letters: UInt32) throws(RecordProblem) -> Bytes {
    guard UnsafeRawPointer(at).loadUnaligned(as: UInt32.self) == letters else {
      throw problem(.noValue, at)
    }
    return at + 4
  }

  /// A number by the long way.
  private func number(_ node: Node, _ at: inout Bytes) throws(RecordProblem) {
    let start = at
    do throws(RecordProblem) { at = try JSONSkipper.number(at, self) } catch {
      throw problem(error.reason, start, node)
    }
    switch node.pointee.op {
    case .date, .time, .timestamp, .zoned:
      if node.pointee.epochs == .none { throw problem(.wrongKind, start, node) }
      do throws(TextProblem) { return try epoch(node, start, at) } catch {
        throw problem(error, start, node)
      }
    case .boolean:
      guard let bit = InputScalars.bit(start, at) else { throw problem(.wrongKind, start, node) }
      return node.pointee.append(bit)
    case .bytes, .list, .map, .multiset, .row:
      throw problem(.wrongKind, start, node)
    default: break
    }
    do throws(TextProblem) {
      if node.pointee.isLenient, node.pointee.op == .int32 || node.pointee.op == .int64 {
        try whole(node, start, at)
      } else {
        try scalars.long(node, start, at)
      }
    } catch {
      throw problem(error, start, node)
    }
  }

  /// A number of INT and BIGINT without its fraction, as Flink has it (`4.0`, `1e2`, and 4 of `4.7`).
  private func whole(_ node: Node, _ start: Bytes, _ end: Bytes) throws(TextProblem) {
    let text = UnsafeRawBufferPointer(start: start, count: end - start)
    let value: Int128
    do throws(TextProblem) {
      value = try ValueParser.rounded(text, precision: 38, scale: 0, cuts: true)
    } catch { throw error == .tooManyDigits ? .outOfRange : error }
    if node.pointee.op == .int32 {
      guard let narrow = Int32(exactly: value) else { throw .outOfRange }
      return node.pointee.append(narrow)
    }
    guard let narrow = Int64(exactly: value) else { throw .outOfRange }
    node.pointee.append(narrow)
  }

  /// A number, boolean, array or object that a text column takes as it is written.
  private func raw(_ node: Node, _ at: inout Bytes) throws(RecordProblem) {
    let start = at
    at = try JSONSkipper.skip(at, self)
    let text = UnsafeRawBufferPointer(start: start, count: at - start)
    if !UTF8Text.isValid(text) { throw problem(.notUTF8, start, node) }
    do throws(TextProblem) { try scalars.long(node, start, at) } catch {
      throw problem(error, start, node)
    }
  }

  /// A quoted value of a column that is not text.
  private func quoted(_ node: Node, _ at: inout Bytes) throws(RecordProblem) {
    let start = at
    if node.pointee.op.rawValue >= InputNode.Op.list.rawValue {
      _ = try string(&at)
      throw problem(.wrongKind, start, node)
    }
    let text = try string(&at)
    if node.pointee.op == .bytes, node.pointee.binary != .prefixedHex {
      do throws(TextProblem) { return try binary(node, text) } catch {
        throw problem(error, start, node)
      }
    }
    guard let base = text.baseAddress, text.count > 0 else { throw problem(.empty, start, node) }
    do throws(TextProblem) {
      if node.pointee.decimals == .bytes, node.pointee.isDecimal {
        return try decimalBytes(node, text)
      }
      try scalars.append(node, base, base + text.count)
    } catch {
      guard error == .notNumber, node.pointee.decimals == .either, node.pointee.isDecimal else {
        throw problem(error, start, node)
      }
      do throws(TextProblem) { try decimalBytes(node, text) } catch {
        throw problem(error, start, node)
      }
    }
  }

  private func rowValue(_ node: Node, _ at: inout Bytes) throws(RecordProblem) {
    let row = node.pointee.rows
    do throws(RecordProblem) {
      try members(node, &at, row)
    } catch {
      tree.levelRow(node, to: row + 1)
      node.pointee.builder._withUnsafeGuaranteedRef { $0.endRow() }
      throw error
    }
    node.pointee.builder._withUnsafeGuaranteedRef { $0.endRow() }
  }

  private func list(_ node: Node, _ at: inout Bytes) throws(RecordProblem) {
    do throws(RecordProblem) {
      at += 1
      skipSpace(&at)
      if at.pointee == UInt8(ascii: "]") {
        at += 1
      } else {
        var items = 0
        repeat {
          skipSpace(&at)
          at = try item(nodes + Int(node.pointee.first), at)
          items &+= 1
          if items & 0xffff == 0 { try checkMemory(node, at) }
        } while try goesOn(&at, UInt8(ascii: "]"))
      }
    } catch {
      tree.levelList(node)
      throw error
    }
    node.pointee.builder._withUnsafeGuaranteedRef { $0.endList() }
  }

  /// `{}` is two bytes and may be a row of a hundred columns.
  private func checkMemory(_ node: Node, _ at: Bytes) throws(RecordProblem) {
    let bytes = node.pointee.builder._withUnsafeGuaranteedRef { $0.allocatedBytes }
    if bytes > 1 << 30 { throw problem(.tooLong, at, node) }
  }

  /// Passes over a comma (true) or the closing bracket (false).
  private func goesOn(_ at: inout Bytes, _ closing: UInt8) throws(RecordProblem) -> Bool {
    skipSpace(&at)
    let byte = at.pointee
    guard byte == UInt8(ascii: ",") || byte == closing else { throw problem(.comma, at) }
    at += 1
    return byte == UInt8(ascii: ",")
  }

  /// `[[key, value], …]`.
  private func pairs(_ node: Node, _ at: inout Bytes) throws(RecordProblem) {
    let key = nodes + Int(node.pointee.first)
    do throws(RecordProblem) {
      at += 1
      skipSpace(&at)
      if at.pointee == UInt8(ascii: "]") {
        at += 1
      } else {
        repeat {
          skipSpace(&at)
          guard at.pointee == UInt8(ascii: "[") else { throw problem(.closing, at, node) }
          at += 1
          skipSpace(&at)
          try value(key, &at)
          guard try goesOn(&at, UInt8(ascii: "]")) else { throw problem(.closing, at - 1, node) }
          skipSpace(&at)
          try mapValue(node, &at)
          if try goesOn(&at, UInt8(ascii: "]")) { throw problem(.closing, at - 1, node) }
        } while try goesOn(&at, UInt8(ascii: "]"))
      }
    } catch {
      tree.levelList(node)
      throw error
    }
    node.pointee.builder._withUnsafeGuaranteedRef { $0.endList() }
  }

  /// `{"key": value, …}`; keys of other types than text are read from their text.
  private func object(_ node: Node, _ at: inout Bytes) throws(RecordProblem) {
    let key = nodes + Int(node.pointee.first)
    do throws(RecordProblem) {
      at += 1
      skipSpace(&at)
      if at.pointee == UInt8(ascii: "}") {
        at += 1
      } else {
        repeat {
          skipSpace(&at)
          guard at.pointee == UInt8(ascii: "\"") else { throw problem(.memberName, at) }
          if key.pointee.op == .text { at = try text(key, at) } else { try quoted(key, &at) }
          skipSpace(&at)
          guard at.pointee == UInt8(ascii: ":") else { throw problem(.colon, at) }
          at += 1
          skipSpace(&at)
          try mapValue(node, &at)
        } while try goesOn(&at, UInt8(ascii: "}"))
      }
    } catch {
      tree.levelList(node)
      throw error
    }
    node.pointee.builder._withUnsafeGuaranteedRef { $0.endList() }
  }

  /// The second child's value; the count of a multiset is at least 1.
  private func mapValue(_ node: Node, _ at: inout Bytes) throws(RecordProblem) {
    let child = nodes + Int(node.pointee.first) + 1
    let start = at
    at = try item(child, at)
    if node.pointee.op == .multiset {
      let last = child.pointee.builder._withUnsafeGuaranteedRef { builder in
        builder.spare(0, of: Int32.self)[-1]
      }
      if last < 1 { throw problem(.count, start, node) }
    }
  }
}
