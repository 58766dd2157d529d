import Columns

/// Turns rows of columns into Avro's bytes, a row at a time.
///
/// Bound anew to each batch: a node knows where its column's values lie, so no object is touched
/// per value.
struct AvroEncoder {
  private enum Op: UInt8 {
    case boolean, int8, int16, int32, int64, float, double, bytes, decimal64, decimal128
    case list, map, entries, record
  }

  private struct Node {
    var op: Op
    var isNullable: Bool
    var validity: UnsafeMutablePointer<UInt64>?
    var values: UnsafeRawPointer
    var offsets: UnsafePointer<Int32>?
    var first: Int32
    var count: Int32
  }

  private var nodes: [Node] = []
  private var links: [Int32] = []
  private var names: [String] = []
  private var roots: [Int32] = []

  init(_ batch: Batch) throws(TerraceError) {
    for (column, field) in zip(batch.columns, batch.type.fields) {
      roots.append(try node(column, field.type, field.name))
    }
  }

  private mutating func node(
    _ column: Column, _ type: DataType, _ name: String
  ) throws(TerraceError) -> Int32 {
    var children: [Int32] = []
    let op: Op
    switch type.kind {
    case .decimal: op = column.physical == .int64 ? .decimal64 : .decimal128
    case .map(let key, let value):
      op = key.isText ? .map : .entries
      // The text key of an Avro map cannot be null, whatever the type says.
      children.append(try node(column.children[0], key.isText ? key.notNull : key, name))
      children.append(try node(column.children[1], value, name))
    case .multiset(let key):
      op = key.isText ? .map : .entries
      children.append(try node(column.children[0], key.isText ? key.notNull : key, name))
      children.append(try node(column.children[1], DataType.int, name))
    case .array(let element):
      op = .list
      children.append(try node(column.children[0], element, name))
    case .row(let fields):
      op = .record
      for (child, field) in zip(column.children, fields) {
        children.append(try node(child, field.type, name + "." + field.name))
      }
    default:
      switch column.physical {
      case .boolean: op = .boolean
      case .int8: op = .int8
      case .int16: op = .int16
      case .int32: op = .int32
      case .int64: op = .int64
      case .float32: op = .float
      case .float64: op = .double
      case .bytes: op = .bytes
      default:
        throw TerraceError(.unsupported, "Avro cannot hold this type").with("field", name)
          .with("type", "\(type.kind)")
      }
    }
    nodes.append(
      Node(
        op: op, isNullable: type.isNullable, validity: column.validity?.words,
        values: column.values, offsets: column.physical.hasOffsets ? column.offsets : nil,
        first: Int32(links.count), count: Int32(children.count)))
    links.append(contentsOf: children)
    names.append(name)
    return Int32(nodes.count - 1)
  }

  /// Appends one row; the batch must be alive.
  func encode(row: Int, to out: ByteWriter) throws(TerraceError) {
    for root in roots { try encode(root, row, out) }
  }

  private func encode(_ at: Int32, _ row: Int, _ out: ByteWriter) throws(TerraceError) {
    let node = nodes[Int(at)]
    if let validity = node.validity, (validity[row >> 6] >> UInt64(row & 63)) & 1 == 0 {
      if node.isNullable { return out.append(0) }
      throw TerraceError(.invalid, "null in a field that may not be null")
        .with("field", names[Int(at)]).with("row", row)
    }
    if node.isNullable { out.append(2) }
    switch node.op {
    case .boolean: out.append(value(node, row, UInt8.self))
    case .int8: out.appendZigzag(Int64(value(node, row, Int8.self)))
    case .int16: out.appendZigzag(Int64(value(node, row, Int16.self)))
    case .int32: out.appendZigzag(Int64(value(node, row, Int32.self)))
    case .int64: out.appendZigzag(value(node, row, Int64.self))
    case .float: out.appendRaw(value(node, row, UInt32.self))
    case .double: out.appendRaw(value(node, row, UInt64.self))
    case .bytes:
      let offsets = node.offsets.unsafelyUnwrapped
      let start = Int(offsets[row])
      let count = Int(offsets[row &+ 1]) &- start
      out.appendZigzag(Int64(count))
      out.append(UnsafeRawBufferPointer(start: node.values + start, count: count))
    case .decimal64: decimal(Int128(value(node, row, Int64.self)), out)
    case .decimal128: decimal(value(node, row, Int128.self), out)
    case .record:
      for k in Int(node.first)..<Int(node.first &+ node.count) { try encode(links[k], row, out) }
    case .list, .map, .entries: try items(node, row, out)
    }
  }

  @inline(__always)
  private func value<T: BitwiseCopyable>(_ node: Node, _ row: Int, _ type: T.Type) -> T {
    node.values.assumingMemoryBound(to: T.self)[row]
  }

  private func decimal(_ value: Int128, _ out: ByteWriter) {
    let count = value.minimalByteCount
    out.appendZigzag(Int64(count))
    for i in stride(from: count - 1, through: 0, by: -1) {
      out.append(UInt8(truncatingIfNeeded: value >> Int128(i * 8)))
    }
  }

  private func items(_ node: Node, _ row: Int, _ out: ByteWriter) throws(TerraceError) {
    let offsets = node.offsets.unsafelyUnwrapped
    let range = Int(offsets[row])..<Int(offsets[row &+ 1])
    if !range.isEmpty {
      out.appendZigzag(Int64(range.count))
      for item in range {
        for k in Int(node.first)..<Int(node.first &+ node.count) {
          try encode(links[k], item, out)
        }
      }
    }
    out.append(0)
  }
}
