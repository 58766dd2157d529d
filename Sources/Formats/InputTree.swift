import Columns

/// One column, or member of a column, that text is read into.
struct InputNode {
  enum Op: UInt8 {
    case boolean, int8, int16, int32, int64, float, double, decimal64, decimal128, text, bytes
    case date, time, timestamp, zoned, list, map, multiset, row

    @inline(__always) var isNumber: Bool { rawValue &- Op.int8.rawValue <= 7 }
  }

  var op = Op.row
  var isNullable = false
  /// Scale of a decimal, precision of a time or timestamp, most characters of a text.
  var digits: Int32 = 0
  /// Precision of a decimal, most bytes of a BYTES.
  var precision: Int32 = 0
  var binary = JSONConventions.Binary.prefixedHex
  var decimals = JSONConventions.Decimals.text
  /// Of decimals that are bytes; least: that of the column.
  var storedScale = Int32.min
  var epochs = EpochUnit.none
  var isLenient = false
  var builder: Unmanaged<ColumnBuilder>
  var parser = ValueParser(DataType.int)
  var parent: Int32 = -1
  /// Children lie one after another.
  var first: Int32 = 0
  var count: Int32 = 0
  /// Of a row: what the k-th member of the record before was called, and one more for all further ones.
  var labels: UnsafeMutablePointer<InputLabel>?
  /// The date read last, `yyyy-MM-dd`, and its second since 1970: times mostly share their day.
  var dateHead: UInt64 = 0
  var dateTail: UInt16 = 0
  var dateSecond: Int64 = 0

  /// Takes values as Flink does, texts and bytes of any length.
  mutating func takeLeniently() {
    parser = ValueParser(builder.takeUnretainedValue().type, isLenient: true)
    if op == .text { digits = Int32.max }
    if op == .bytes { precision = Int32.max }
  }

  var isDecimal: Bool { op == .decimal64 || op == .decimal128 }

  /// Rows so far.
  @inline(__always) var rows: Int { builder._withUnsafeGuaranteedRef { $0.count } }
  @inline(__always) func appendNull() { builder._withUnsafeGuaranteedRef { $0.appendNull() } }
  @inline(__always) func append<T: BitwiseCopyable>(_ value: T) {
    builder._withUnsafeGuaranteedRef { $0.append(value) }
  }
}

/// The name of a member as it stood in the record before, with its quotes and colon: records of one stream
/// mostly have the same members in the same order.
struct InputLabel {
  /// Members of a record that are remembered.
  static let count = 256

  /// The column or member of a column that takes the value; nil: none does.
  var node: UnsafeMutablePointer<InputNode>?
  /// Bytes; 0 when there is none to compare with.
  private(set) var length = 0
  /// The first eight bytes, and which of them count; the next; the last eight of a longer label.
  private var first: UInt64 = 1
  private var mask: UInt64 = 0
  private var second: UInt64 = 0
  private var last: UInt64 = 0

  @inline(__always) func isAt(_ at: UnsafePointer<UInt8>) -> Bool {
    if Swar.load(at) & mask != first { return false }
    if length <= 8 { return true }
    // Each word is loaded only when those before it were the label's: no label holds a line feed.
    if length > 16, Swar.load(at + 8) != second { return false }
    return Swar.load(at + (length &- 8)) == last
  }

  mutating func forget() { self = InputLabel() }

  /// - Parameter count: its bytes; a label that is too long is not remembered.
  mutating func learn(_ start: UnsafePointer<UInt8>, _ count: Int) {
    if count > 24 { return }
    length = count
    mask = count >= 8 ? ~0 : (1 << UInt64(count * 8)) - 1
    first = Swar.load(start) & mask
    if count > 8 { last = Swar.load(start + (count - 8)) }
    if count > 16 { second = Swar.load(start + 8) }
  }
}

/// The columns of a row type as nodes in one piece of memory; node 0 is the record itself.
final class InputTree {
  let nodes: UnsafeMutablePointer<InputNode>
  let nodeCount: Int
  let builders: [ColumnBuilder]
  /// Names as they are, by node.
  let names: [[UInt8]]
  private let record: ColumnBuilder
  private var lastBytes: [Int]

  init(_ type: RowType) {
    record = ColumnBuilder(DataType.row(type.fields))
    builders = record.children
    var made: [(node: InputNode, name: String)] = []
    func node(_ builder: ColumnBuilder, _ name: String, parent: Int32) -> (InputNode, String) {
      var node = InputNode(builder: Unmanaged.passUnretained(builder))
      node.parent = parent
      node.isNullable = builder.type.isNullable
      (node.op, node.digits, node.precision) = InputTree.op(builder.type)
      node.parser = ValueParser(builder.type)
      return (node, name)
    }
    made.append(node(record, "", parent: -1))
    var at = 0
    while at < made.count {
      let builder = made[at].node.builder.takeUnretainedValue()
      made[at].node.first = Int32(made.count)
      made[at].node.count = Int32(builder.children.count)
      var labels = ["element"]
      switch builder.type.kind {
      case .row(let fields): labels = fields.map(\.name)
      case .map: labels = ["key", "value"]
      case .multiset: labels = ["element", "count"]
      default: break
      }
      for (child, label) in zip(builder.children, labels) {
        made.append(node(child, label, parent: Int32(at)))
      }
      at += 1
    }
    for index in made.indices where made[index].node.op == .row {
      let labels = UnsafeMutablePointer<InputLabel>.allocate(capacity: InputLabel.count + 1)
      labels.initialize(repeating: InputLabel(), count: InputLabel.count + 1)
      made[index].node.labels = labels
    }
    names = made.map { Array($0.name.utf8) }
    nodeCount = made.count
    nodes = .allocate(capacity: made.count)
    nodes.initialize(from: made.map(\.node), count: made.count)
    lastBytes = [Int](repeating: 0, count: builders.count)
  }

  deinit {
    for i in 0..<nodeCount { nodes[i].labels?.deallocate() }
    nodes.deallocate()
  }

  private static func op(_ type: DataType) -> (InputNode.Op, Int32, Int32) {
    switch type.kind {
    case .boolean: (.boolean, 0, 0)
    case .tinyint: (.int8, 0, 0)
    case .smallint: (.int16, 0, 0)
    case .int: (.int32, 0, 0)
    case .bigint: (.int64, 0, 0)
    case .float: (.float, 0, 0)
    case .double: (.double, 0, 0)
    case .decimal(let precision, let scale):
      (precision <= 18 ? .decimal64 : .decimal128, Int32(scale), Int32(precision))
    case .char(let length), .varchar(let length): (.text, Int32(clamping: length), 0)
    case .binary(let length), .varbinary(let length): (.bytes, 0, Int32(clamping: length))
    case .date: (.date, 0, 0)
    case .time(let precision): (.time, Int32(precision), 0)
    case .timestamp(let precision): (.timestamp, Int32(precision), 0)
    case .timestampLTZ(let precision): (.zoned, Int32(precision), 0)
    case .array: (.list, 0, 0)
    case .map: (.map, 0, 0)
    case .multiset: (.multiset, 0, 0)
    case .row: (.row, 0, 0)
    }
  }

  /// The names from the column down to the node: `order.lines.price`; nil for the record.
  func path(of node: Int32) -> String? {
    if node <= 0 || Int(node) >= nodeCount { return nil }
    let own = String(decoding: names[Int(node)], as: UTF8.self)
    return path(of: nodes[Int(node)].parent).map { $0 + "." + own } ?? own
  }

  /// Room for the rows of a batch, by the size of the one before.
  func reserve(_ rows: Int) {
    for (index, builder) in builders.enumerated() {
      builder.reserve(rows)
      if lastBytes[index] > 0 { builder.reserveBytes(lastBytes[index]) }
    }
  }

  /// The rows so far as a batch; those in `dropped` (ascending) are left out.
  func finish(_ type: RowType, rows: Int, dropped: [Int32]) -> Batch {
    for (index, builder) in builders.enumerated() where builder.physical == .bytes {
      lastBytes[index] = min(builder.byteCount + builder.byteCount / 8, 32 << 20)
    }
    let batch = Batch(type, builders.map { $0.finish() }, count: rows)
    if dropped.isEmpty { return batch }
    var kept: [Int32] = []
    kept.reserveCapacity(rows - dropped.count)
    var next = 0
    for row in 0..<Int32(rows) {
      if next < dropped.count, dropped[next] == row { next += 1 } else { kept.append(row) }
    }
    return batch.gather(kept, count: kept.count)
  }

  /// Gives each child of a row that has none a value, so that all have as many again.
  func levelRow(_ node: UnsafeMutablePointer<InputNode>, to rows: Int) {
    for k in Int(node.pointee.first)..<Int(node.pointee.first + node.pointee.count) {
      while nodes[k].rows < rows { nodes[k].appendNull() }
    }
  }

  /// The same for a list or map that failed midway; then ends it.
  func levelList(_ node: UnsafeMutablePointer<InputNode>) {
    let first = Int(node.pointee.first)
    let last = first + Int(node.pointee.count) - 1
    let rows = max(nodes[first].rows, nodes[last].rows)
    for k in [first, last] {
      while nodes[k].rows < rows { nodes[k].appendNull() }
    }
    node.pointee.builder._withUnsafeGuaranteedRef { $0.endList() }
  }
}
