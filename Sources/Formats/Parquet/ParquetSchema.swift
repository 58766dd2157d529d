import Columns

/// A column of a Parquet file as a tree of Paimon shapes, with the levels that tell its structure.
///
/// A definition level counts how many of the optional and repeated ancestors are there; a
/// repetition level says at which repeated ancestor a new element begins (Dremel, VLDB 2010).
final class ParquetColumn {
  enum Shape {
    case leaf(ParquetLeaf)
    case list(ParquetColumn)
    case map(ParquetColumn, ParquetColumn)
    case row([ParquetColumn])
  }

  let name: String
  let fieldID: Int?
  let shape: Shape
  /// The Paimon type deduced from physical type and annotation.
  let type: DataType
  /// Definition level from which the value is not null.
  let definition: Int
  /// Of the nearest repeated ancestor: an element begins where the repetition level is at most
  /// `slotRepetition` and exists where the definition level is at least `slotDefinition`.
  let slotRepetition: Int
  let slotDefinition: Int

  init(
    name: String, fieldID: Int?, shape: Shape, type: DataType, definition: Int,
    slotRepetition: Int, slotDefinition: Int
  ) {
    self.name = name
    self.fieldID = fieldID
    self.shape = shape
    self.type = type
    self.definition = definition
    self.slotRepetition = slotRepetition
    self.slotDefinition = slotDefinition
  }

  /// The leaf that stands for the structure when none of the children is wanted.
  var firstLeaf: ParquetLeaf {
    switch shape {
    case .leaf(let leaf): leaf
    case .list(let element): element.firstLeaf
    case .map(let key, _): key.firstLeaf
    case .row(let children): children[0].firstLeaf
    }
  }
}

/// A primitive column: what a column chunk holds.
struct ParquetLeaf: Sendable {
  var index: Int
  var physical: ParquetPhysical
  /// Bytes of a FIXED_LEN_BYTE_ARRAY.
  var typeLength: Int
  var meaning: ParquetMeaning?
  var maxDefinition: Int
  var maxRepetition: Int
  /// Dotted, for errors.
  var path: String

  /// Why the column cannot be read; nil when it can.
  var refusal: String? {
    switch meaning {
    case .other(let name): "Parquet \(name) columns"
    case .decimal(let precision, let scale)
    where precision < 1 || precision > 38 || scale < 0 || scale > precision:
      "decimals of precision \(precision) and scale \(scale)"
    default: nil
    }
  }
}

/// Turns the flattened schema into column trees.
struct ParquetSchemaReader {
  private let elements: [ParquetElement]
  private var next = 1
  private(set) var leaves: [ParquetLeaf] = []
  /// Levels fit a byte, and recursion is bounded.
  private static let depthLimit = 64

  private struct Place {
    var definition = 0
    var slotRepetition = 0
    var slotDefinition = 0
    var path = ""
    var depth = 0

    func repeated() -> Place {
      var inner = self
      inner.definition += 1
      inner.slotRepetition += 1
      inner.slotDefinition = inner.definition
      return inner
    }

    func entering(_ element: ParquetElement) -> Place {
      var inner = self
      inner.depth += 1
      inner.path = path.isEmpty ? element.name : path + "." + element.name
      if element.repetition == .optional { inner.definition += 1 }
      return inner
    }
  }

  static func read(
    _ elements: [ParquetElement]
  ) throws(TerraceError) -> (columns: [ParquetColumn], leaves: [ParquetLeaf]) {
    guard let root = elements.first, root.physical == nil, root.childCount > 0 else {
      throw TerraceError(.corrupted, "a Parquet schema without columns")
    }
    var reader = ParquetSchemaReader(elements: elements)
    var columns: [ParquetColumn] = []
    for _ in 0..<root.childCount { columns.append(try reader.column(Place())) }
    if reader.next != elements.count { throw broken("schema elements are left over") }
    return (columns, reader.leaves)
  }

  private init(elements: [ParquetElement]) { self.elements = elements }

  private static func broken(_ what: String) -> TerraceError {
    TerraceError(.corrupted, "Parquet schema: " + what)
  }

  private mutating func take() throws(TerraceError) -> ParquetElement {
    if next >= elements.count { throw Self.broken("fewer elements than its groups claim") }
    next += 1
    return elements[next - 1]
  }

  private func peek(_ ahead: Int = 0) -> ParquetElement? {
    next + ahead < elements.count ? elements[next + ahead] : nil
  }

  private mutating func column(_ place: Place) throws(TerraceError) -> ParquetColumn {
    let element = try take()
    let inner = place.entering(element)
    if inner.depth > Self.depthLimit { throw Self.broken("nested too deeply") }
    if element.repetition == .repeated {
      // A repeated field outside a LIST is a required list of required elements.
      let slot = try self.element(element, inner.repeated())
      return ParquetColumn(
        name: element.name, fieldID: element.fieldID, shape: .list(slot),
        type: DataType.array(slot.type).notNull, definition: place.definition,
        slotRepetition: place.slotRepetition, slotDefinition: place.slotDefinition)
    }
    return try self.element(element, inner)
  }

  /// The column of an element whose own repetition `inner` has already counted.
  private mutating func element(
    _ element: ParquetElement, _ inner: Place
  ) throws(TerraceError) -> ParquetColumn {
    let nullable = element.repetition == .optional
    func made(_ shape: ParquetColumn.Shape, _ type: DataType) -> ParquetColumn {
      ParquetColumn(
        name: element.name, fieldID: element.fieldID, shape: shape,
        type: DataType(type.kind, nullable: nullable), definition: inner.definition,
        slotRepetition: inner.slotRepetition, slotDefinition: inner.slotDefinition)
    }
    if let physical = element.physical {
      let leaf = ParquetLeaf(
        index: leaves.count, physical: physical, typeLength: element.typeLength,
        meaning: element.meaning, maxDefinition: inner.definition,
        maxRepetition: inner.slotRepetition, path: inner.path)
      if physical == .fixedLenByteArray && !(1...1 << 20).contains(element.typeLength) {
        throw Self.broken("a fixed length of \(element.typeLength)").with("column", inner.path)
      }
      leaves.append(leaf)
      return made(.leaf(leaf), ParquetTypes.deduced(leaf))
    }
    if element.childCount < 1 { throw Self.broken("an empty group").with("column", inner.path) }
    if element.meaning == .list, element.childCount == 1, peek()?.repetition == .repeated {
      let slot = try listElement(of: element, inner)
      return made(.list(slot), .array(slot.type))
    }
    if element.meaning == .map, element.childCount == 1, let entry = peek(),
      entry.repetition == .repeated, entry.physical == nil, entry.childCount == 2
    {
      next += 1
      var place = inner.entering(entry).repeated()
      place.depth += 1
      let key = try column(place)
      let value = try column(place)
      return made(.map(key, value), .map(key.type, value.type))
    }
    var children: [ParquetColumn] = []
    for _ in 0..<element.childCount { children.append(try column(inner)) }
    let fields = children.enumerated().map {
      Field(id: $1.fieldID ?? $0, name: $1.name, type: $1.type)
    }
    return made(.row(children), .row(fields))
  }

  /// The element of a LIST group: of the three levels, or of the older two (LogicalTypes.md,
  /// "Backward-compatibility rules").
  private mutating func listElement(
    of list: ParquetElement, _ inner: Place
  ) throws(TerraceError) -> ParquetColumn {
    let middle = try take()
    let place = inner.entering(middle).repeated()
    if place.depth > Self.depthLimit { throw Self.broken("nested too deeply") }
    let isElement =
      middle.physical != nil || middle.childCount != 1 || middle.name == "array"
      || middle.name == list.name + "_tuple" || peek()?.repetition == .repeated
    if isElement { return try element(middle, place) }
    return try column(place)
  }
}
