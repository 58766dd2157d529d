import Columns

/// How a leaf is written.
struct ParquetWriteLeaf {
  var index: Int
  var type: DataType
  var physical: ParquetPhysical
  var typeLength = 0
  var meaning: ParquetMeaning?
  var maxDefinition: Int
  var maxRepetition: Int
  var path: [String]

  /// Bytes of a stored value; 0 for BYTE_ARRAY.
  var storedWidth: Int {
    switch physical {
    case .boolean: 1
    case .int32, .float: 4
    case .int64, .double: 8
    case .int96: 12
    case .byteArray: 0
    case .fixedLenByteArray: typeLength
    }
  }
}

/// The schema of a file to write: the flattened elements, and the tree that shreds columns.
final class ParquetWriteNode {
  enum Shape {
    case leaf(ParquetWriteLeaf)
    case list(ParquetWriteNode)
    case map(ParquetWriteNode, ParquetWriteNode)
    case row([ParquetWriteNode])
  }
  let shape: Shape
  let name: String
  let isNullable: Bool
  /// Repetition level of the elements of a list or map.
  let elementRepetition: Int

  init(shape: Shape, name: String, isNullable: Bool, elementRepetition: Int) {
    self.shape = shape
    self.name = name
    self.isNullable = isNullable
    self.elementRepetition = elementRepetition
  }
}

/// Physical types and annotations as Paimon's own writer chooses them.
struct ParquetWriteSchema {
  private(set) var elements: [ParquetElement] = []
  private(set) var nodes: [ParquetWriteNode] = []
  private(set) var leaves: [ParquetWriteLeaf] = []

  init(_ type: RowType) throws(TerraceError) {
    if type.count == 0 { throw TerraceError(.invalid, "a Parquet file needs a column") }
    var root = ParquetElement()
    root.name = "paimon_schema"
    root.childCount = type.count
    elements.append(root)
    for field in type.fields {
      nodes.append(try add(field.name, field.type, field.id, Place(id: field.id)))
    }
  }

  private struct Place {
    var definition = 0
    var repetition = 0
    /// Of the nearest field, and how many collections lie between: for the ids of elements.
    var id: Int
    var depth = 0
    var path: [String] = []
  }

  // Paimon's ids for the insides of collections (SpecialFields.java).
  private static let elementBase = 536_870_911
  private static let depthLimit = 1024

  private mutating func add(
    _ name: String, _ type: DataType, _ id: Int, _ place: Place
  ) throws(TerraceError) -> ParquetWriteNode {
    var inner = place
    inner.path.append(name)
    if inner.path.count > 60 { throw TerraceError(.invalid, "a type is nested too deeply") }
    if type.isNullable { inner.definition += 1 }
    var element = ParquetElement()
    element.name = name
    element.repetition = type.isNullable ? .optional : .required
    element.fieldID = Int(Int32(truncatingIfNeeded: id))
    func node(_ shape: ParquetWriteNode.Shape) -> ParquetWriteNode {
      ParquetWriteNode(
        shape: shape, name: name, isNullable: type.isNullable,
        elementRepetition: inner.repetition + 1)
    }
    switch type.kind {
    case .array(let item):
      element.meaning = .list
      let within = collection(&element, "list", 1, inner)
      let child = try add("element", item, elementID(within), within)
      return node(.list(child))
    case .map(let key, let value):
      let (first, second) = try addMap(&element, key, value, inner)
      return node(.map(first, second))
    case .multiset(let key):
      let (first, second) = try addMap(&element, key, DataType.int.notNull, inner)
      return node(.map(first, second))
    case .row(let fields):
      if fields.isEmpty { throw TerraceError(.unsupported, "a ROW without fields in Parquet") }
      element.childCount = fields.count
      elements.append(element)
      var children: [ParquetWriteNode] = []
      for field in fields {
        inner.id = field.id
        inner.depth = 0
        children.append(try add(field.name, field.type, field.id, inner))
      }
      return node(.row(children))
    default:
      Self.describe(type, &element)
      elements.append(element)
      let leaf = ParquetWriteLeaf(
        index: leaves.count, type: type, physical: element.physical ?? .byteArray,
        typeLength: element.typeLength, meaning: element.meaning,
        maxDefinition: inner.definition, maxRepetition: inner.repetition, path: inner.path)
      leaves.append(leaf)
      return node(.leaf(leaf))
    }
  }

  private func elementID(_ place: Place) -> Int {
    Self.elementBase &+ place.id &* Self.depthLimit &+ place.depth
  }

  private mutating func addMap(
    _ element: inout ParquetElement, _ key: DataType, _ value: DataType, _ inner: Place
  ) throws(TerraceError) -> (ParquetWriteNode, ParquetWriteNode) {
    element.meaning = .map
    let within = collection(&element, "key_value", 2, inner)
    let keyID = Self.elementBase &- within.id &* Self.depthLimit &- within.depth
    let first = try add("key", key.notNull, keyID, within)
    let second = try add("value", value, elementID(within), within)
    return (first, second)
  }

  /// Appends the group and its repeated middle.
  private mutating func collection(
    _ element: inout ParquetElement, _ middleName: String, _ children: Int, _ place: Place
  ) -> Place {
    element.childCount = 1
    elements.append(element)
    var middle = ParquetElement()
    middle.name = middleName
    middle.repetition = .repeated
    middle.childCount = children
    elements.append(middle)
    var within = place
    within.path.append(middleName)
    within.definition += 1
    within.repetition += 1
    within.depth += 1
    return within
  }

  private static func describe(_ type: DataType, _ element: inout ParquetElement) {
    switch type.kind {
    case .boolean: element.physical = .boolean
    case .tinyint:
      element.physical = .int32
      element.meaning = .integer(bits: 8, signed: true)
    case .smallint:
      element.physical = .int32
      element.meaning = .integer(bits: 16, signed: true)
    case .int: element.physical = .int32
    case .bigint: element.physical = .int64
    case .float: element.physical = .float
    case .double: element.physical = .double
    case .char, .varchar:
      element.physical = .byteArray
      element.meaning = .string
    case .binary, .varbinary: element.physical = .byteArray
    case .date:
      element.physical = .int32
      element.meaning = .date
    case .time:
      element.physical = .int32
      element.meaning = .time(.millis, utc: true)
    case .decimal(let precision, let scale):
      element.meaning = .decimal(precision: precision, scale: scale)
      element.precision = precision
      element.scale = scale
      if precision <= 9 {
        element.physical = .int32
      } else if precision <= 18 {
        element.physical = .int64
      } else {
        element.physical = .fixedLenByteArray
        element.typeLength = decimalBytes(precision)
      }
    case .timestamp(let precision): timestamp(precision, utc: false, &element)
    case .timestampLTZ(let precision): timestamp(precision, utc: true, &element)
    case .array, .map, .multiset, .row: break
    }
  }

  private static func timestamp(_ precision: Int, utc: Bool, _ element: inout ParquetElement) {
    if precision > 6 {
      element.physical = .int96
    } else {
      element.physical = .int64
      element.meaning = .timestamp(precision <= 3 ? .millis : .micros, utc: utc)
    }
  }

  /// The fewest bytes that hold every decimal of so many digits.
  static func decimalBytes(_ precision: Int) -> Int {
    var most: Int128 = 1
    for _ in 0..<precision { most *= 10 }
    var bytes = 1
    while bytes < 16 && (Int128(1) << Int128(8 * bytes - 1)) < most { bytes += 1 }
    return bytes
  }
}
