/// One typed vector of `count` rows, frozen.
///
/// Where a row is null, its fixed-width value is unspecified, its offset range is empty and a ROW's
/// children are null too. See ``Physical`` for the layouts. A slice shares the values of its origin:
/// offsets of a slice need not begin at 0.
public final class Column: @unchecked Sendable {
  public let type: DataType
  public let physical: Physical
  public let count: Int
  /// Nil when no row is null.
  public let validity: Bitmap?
  /// Fixed width: `count` values. Bytes: where offset 0 points.
  public let values: UnsafeRawPointer
  @usableFromInline let offsetBase: UnsafePointer<Int32>?
  public let children: [Column]
  private let owners: [Buffer]

  /// - Parameters:
  ///   - values: the values (fixed width) or bytes (variable width); nil for list, map and row.
  ///   - offsets: count + 1 Int32, ascending; for bytes, list and map only.
  public init(
    type: DataType, count: Int, values: Buffer?, offsets: Buffer? = nil, validity: Bitmap? = nil,
    children: [Column] = []
  ) {
    self.type = type
    physical = type.physical
    self.count = count
    self.validity = validity
    self.children = children
    let held = values ?? offsets ?? Column.nothing
    self.values = UnsafeRawPointer(held.base)
    offsetBase = offsets.map { UnsafePointer($0.pointer(Int32.self)) }
    owners = [values, offsets].compactMap { $0 }
    precondition(physical.hasOffsets == (offsets != nil), "offsets do not fit \(physical)")
    precondition(validity == nil || validity?.count == count, "validity of another length")
    precondition(
      physical.width == 0 || (values?.byteCount ?? 0) >= physical.width * count,
      "values are shorter than \(count) rows")
  }

  private init(_ origin: Column, type: DataType, validity: Bitmap?) {
    precondition(validity == nil || validity?.count == origin.count, "validity of another length")
    self.type = type
    physical = type.physical
    count = origin.count
    self.validity = validity
    values = origin.values
    offsetBase = origin.offsetBase
    children = origin.children
    owners = origin.owners
  }

  private init(
    slicing origin: Column, type: DataType, from: Int, count: Int, children: [Column]
  ) {
    self.type = type
    physical = type.physical
    self.count = count
    validity = origin.validity.flatMap {
      let cut =
        from == 0 && count == $0.count ? $0 : Bitmap(copying: $0.words, from: from, count: count)
      return cut.setCount == count ? nil : cut
    }
    values = origin.values + from * origin.physical.width
    offsetBase = origin.offsetBase.map { $0 + from }
    self.children = children
    owners = origin.owners
  }

  private static let nothing = Buffer(byteCount: 0)

  public var nullCount: Int { validity.map { count - $0.setCount } ?? 0 }

  @inlinable public func isNull(_ row: Int) -> Bool {
    guard let validity else { return false }
    return !validity[row]
  }

  /// The values of a fixed-width column as `T`, which must have the physical width.
  @inlinable public func pointer<T: BitwiseCopyable>(_ type: T.Type) -> UnsafePointer<T> {
    values.assumingMemoryBound(to: type)
  }

  /// count + 1 offsets of a bytes, list or map column.
  @inlinable public var offsets: UnsafePointer<Int32> { offsetBase.unsafelyUnwrapped }

  /// The bytes of one row of a bytes column; empty when null.
  @inlinable public func bytes(_ row: Int) -> UnsafeRawBufferPointer {
    let start = Int(offsets[row])
    return UnsafeRawBufferPointer(start: values + start, count: Int(offsets[row &+ 1]) &- start)
  }

  /// Rows `range`, sharing the values.
  public func slice(_ range: Range<Int>) -> Column {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "slice outside the column")
    if range.count == count { return self }
    let cut = physical == .row ? children.map { $0.slice(range) } : children
    return Column(
      slicing: self, type: type, from: range.lowerBound, count: range.count, children: cut)
  }

  /// The same vector under another type of the same physical layout.
  public func retyped(_ type: DataType) -> Column {
    precondition(type.physical == physical, "\(type) does not lie as \(self.type) does")
    var inner = children
    switch type.kind {
    case .array(let element): inner = [children[0].retyped(element)]
    case .map(let key, let value): inner = [children[0].retyped(key), children[1].retyped(value)]
    case .multiset(let key): inner = [children[0].retyped(key), children[1]]
    case .row(let fields): inner = zip(children, fields).map { $0.retyped($1.type) }
    default: break
    }
    return Column(slicing: self, type: type, from: 0, count: count, children: inner)
  }

  /// The same values with other rows null; for columns that are not nested. A row that becomes null has
  /// no bytes.
  public func withValidity(_ validity: Bitmap?, _ type: DataType) -> Column {
    precondition(type.physical == physical && children.isEmpty, "\(type) for \(self.type)")
    return Column(self, type: type, validity: validity)
  }

  /// Bytes that the rows take in memory, children included.
  public var byteCount: Int {
    var total = count * physical.width + (validity == nil ? 0 : count / 8)
    if physical.hasOffsets { total += 4 * (count + 1) }
    if physical == .bytes { total += Int(offsets[count]) - Int(offsets[0]) }
    return children.reduce(total) { $0 + $1.byteCount }
  }
}

/// Rows as columns of one length.
///
/// A class and not a structure, so that a local variable keeps its columns alive: the optimiser takes
/// structures apart and releases a member after its last mention, although pointers into it are still
/// in use. The same holds for every type that owns buffers and hands out pointers.
public final class Batch: Sendable {
  public let type: RowType
  public let columns: [Column]
  public let count: Int

  public init(_ type: RowType, _ columns: [Column], count: Int) {
    precondition(type.count == columns.count, "\(columns.count) columns for \(type.count) fields")
    precondition(columns.allSatisfy { $0.count == count }, "columns of different lengths")
    self.type = type
    self.columns = columns
    self.count = count
  }

  public func slice(_ range: Range<Int>) -> Batch {
    if range.count == count { return self }
    return Batch(type, columns.map { $0.slice(range) }, count: range.count)
  }

  public var byteCount: Int { columns.reduce(0) { $0 + $1.byteCount } }

  /// The columns at `indices`, in that order.
  public func project(_ indices: [Int]) -> Batch {
    Batch(
      RowType(indices.map { type.fields[$0] }), indices.map { columns[$0] }, count: count)
  }
}
