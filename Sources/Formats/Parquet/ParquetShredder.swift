import Columns

/// The slots of a column: its levels, and which element of the column a slot holds (-1: none).
struct ParquetSlots {
  var count: Int
  var definitions: Buffer
  var repetitions: Buffer
  var elements: Buffer

  init(count: Int) {
    self.count = count
    definitions = Buffer(byteCount: count)
    repetitions = Buffer(byteCount: count)
    elements = Buffer(byteCount: count * 4)
  }

  /// One slot a row.
  init(rows: Int) {
    self.init(count: rows)
    definitions.base.initializeMemory(as: UInt8.self, repeating: 0, count: rows)
    repetitions.base.initializeMemory(as: UInt8.self, repeating: 0, count: rows)
    let element = elements.pointer(Int32.self)
    for i in 0..<rows { element[i] = Int32(truncatingIfNeeded: i) }
  }

  func copy() -> ParquetSlots {
    let out = ParquetSlots(count: count)
    out.definitions.base.copyMemory(from: definitions.base, byteCount: count)
    out.repetitions.base.copyMemory(from: repetitions.base, byteCount: count)
    out.elements.base.copyMemory(from: elements.base, byteCount: count * 4)
    return out
  }
}

/// Takes nested columns apart into the levels and values of their leaves (Dremel, VLDB 2010).
enum ParquetShredder {
  /// Calls `leaf` for every leaf below `node`, with the leaf's column and slots.
  ///
  /// The slots are changed in place.
  static func shred(
    _ node: ParquetWriteNode, _ column: Column, _ slots: ParquetSlots,
    _ leaf: (ParquetWriteLeaf, Column, ParquetSlots) throws(TerraceError) -> Void
  ) throws(TerraceError) {
    try markNulls(node, column, slots)
    switch node.shape {
    case .leaf(let description): try leaf(description, column, slots)
    case .row(let children):
      for (i, child) in children.enumerated() {
        let own = i + 1 < children.count ? slots.copy() : slots
        try shred(child, column.children[i], own, leaf)
      }
    case .list(let element):
      let inner = try expand(column, slots, node.elementRepetition)
      try shred(element, column.children[0], inner, leaf)
    case .map(let key, let value):
      let inner = try expand(column, slots, node.elementRepetition)
      try shred(key, column.children[0], inner.copy(), leaf)
      try shred(value, column.children[1], inner, leaf)
    }
  }

  private static func markNulls(
    _ node: ParquetWriteNode, _ column: Column, _ slots: ParquetSlots
  ) throws(TerraceError) {
    let definitions = slots.definitions.pointer(UInt8.self)
    let elements = slots.elements.pointer(Int32.self)
    if node.isNullable {
      for i in 0..<slots.count where elements[i] >= 0 {
        if column.isNull(Int(elements[i])) { elements[i] = -1 } else { definitions[i] &+= 1 }
      }
    } else if column.validity != nil {
      for i in 0..<slots.count where elements[i] >= 0 && column.isNull(Int(elements[i])) {
        throw TerraceError(.invalid, "null in a column that is NOT NULL").with("column", node.name)
      }
    }
  }

  /// One slot an element; lists that are null or empty keep one without.
  private static func expand(
    _ column: Column, _ slots: ParquetSlots, _ repetition: Int
  ) throws(TerraceError) -> ParquetSlots {
    let offsets = column.offsets
    let elements = slots.elements.pointer(Int32.self)
    var total = 0
    for i in 0..<slots.count {
      let row = Int(elements[i])
      total += row < 0 ? 1 : max(1, Int(offsets[row + 1] - offsets[row]))
    }
    let out = ParquetSlots(count: total)
    let definitions = slots.definitions.pointer(UInt8.self)
    let repetitions = slots.repetitions.pointer(UInt8.self)
    let outDefinitions = out.definitions.pointer(UInt8.self)
    let outRepetitions = out.repetitions.pointer(UInt8.self)
    let outElements = out.elements.pointer(Int32.self)
    var k = 0
    for i in 0..<slots.count {
      let row = Int(elements[i])
      outRepetitions[k] = repetitions[i]
      let length = row < 0 ? 0 : offsets[row + 1] - offsets[row]
      if length == 0 {
        outDefinitions[k] = definitions[i]
        outElements[k] = -1
        k &+= 1
        continue
      }
      let start = offsets[row]
      for j in 0..<length {
        if j > 0 { outRepetitions[k] = UInt8(repetition) }
        outDefinitions[k] = definitions[i] &+ 1
        outElements[k] = start &+ j
        k &+= 1
      }
    }
    return out
  }
}
