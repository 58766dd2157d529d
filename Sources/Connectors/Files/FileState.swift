import Columns
import Formats

/// What a source knows of one file: which one it is, and how far it was read.
struct FileState {
  /// Below the source's folder.
  var path: String
  var inode: UInt64 = 0
  /// Hash of the first bytes, and how many they are.
  var headLength = 0
  var headHash: UInt64 = 0
  /// Hash of the bytes before `offset`, where they are stored as they are read.
  var tailLength = 0
  var tailHash: UInt64 = 0
  /// Bytes of the unpacked stream, or rows of a Parquet file, that were given.
  var offset = 0
  /// Lines that were given.
  var lines = 0
  /// Size and time of change when its end was reached last; -1 before.
  var size = -1
  var modified: Int64 = 0
  /// Whether an unfinished line stands at its end.
  var hasRest = false
  /// Shrunk or replaced: never read again.
  var isLost = false

  init(_ path: String) { self.path = path }

  static let headBytes = 1024
  static let tailBytes = 256

  /// FNV-1a.
  static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return hash
  }

  private var numbers: [Int64] {
    [
      Int64(bitPattern: UInt64(inode)), Int64(headLength), Int64(bitPattern: headHash),
      Int64(tailLength), Int64(bitPattern: tailHash), Int64(offset), Int64(lines), Int64(size),
      modified, (hasRest ? 1 : 0) + (isLost ? 2 : 0),
    ]
  }

  private init(_ path: String, _ numbers: [Int64]) {
    self.path = path
    inode = UInt64(bitPattern: numbers[0])
    headLength = Int(numbers[1])
    headHash = UInt64(bitPattern: numbers[2])
    tailLength = Int(numbers[3])
    tailHash = UInt64(bitPattern: numbers[4])
    offset = Int(numbers[5])
    lines = Int(numbers[6])
    size = Int(numbers[7])
    modified = numbers[8]
    hasRest = numbers[9] & 1 != 0
    isLost = numbers[9] & 2 != 0
  }

  // MARK: As JSON, in a position

  var json: JSONValue { .array([.string(path)] + numbers.map { .int($0) }) }

  init(_ value: JSONValue) throws(TerraceError) {
    let items = value.asArray ?? []
    let numbers = items.dropFirst().compactMap(\.asInt)
    guard items.count == 11, let path = items[0].asString, numbers.count == 10,
      numbers[5] >= 0, numbers[6] >= 0, (0...1024).contains(numbers[1]),
      (0...256).contains(numbers[3])
    else { throw TerraceError(.corrupted, "a file's position is damaged") }
    self.init(path, numbers)
  }

  // MARK: As rows of the position table

  static let names = [
    "inode", "head_length", "head_hash", "tail_length", "tail_hash", "offset", "lines", "size",
    "modified", "flags",
  ]
  static let table = RowType(
    [("path", DataType.string.notNull)] + names.map { ($0, DataType.bigint) })

  static func rows(_ states: [FileState]) -> DeltaBatch {
    let builders = table.fields.map { ColumnBuilder($0.type) }
    for state in states {
      builders[0].append(state.path)
      for (builder, number) in zip(builders.dropFirst(), state.numbers) { builder.append(number) }
    }
    return DeltaBatch(
      inserting: Batch(table, builders.map { $0.finish() }, count: states.count))
  }

  static func states(_ rows: DeltaBatch) -> [FileState] {
    let batch = rows.rows
    let weights = rows.weights.pointer(Int64.self)
    defer { withExtendedLifetime(rows) {} }
    return (0..<batch.count).filter { weights[$0] > 0 }.map { row in
      let path = String(decoding: batch.columns[0].bytes(row), as: UTF8.self)
      return FileState(
        path, batch.columns.dropFirst().map { $0.isNull(row) ? 0 : $0.pointer(Int64.self)[row] })
    }
  }
}
