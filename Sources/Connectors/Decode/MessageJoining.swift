import Columns
import Formats

/// Puts the rows of values and of keys together, message by message.
final class MessageJoining {
  private let block: MessageBlock
  private let rows: DecodedRecords
  private let keys: DecodedRecords?
  private let isUpsert: Bool
  /// The column that has no value without a key.
  private let needed: String?
  /// For each row given: the row of the value, or -1 of a tombstone; the row of the key, or -1.
  private var valueRows: [Int32] = []
  private var keyRows: [Int32] = []
  private var kinds: [UInt8] = []
  private var messages: [Int32] = []
  private var rejects: [RejectedMessage] = []
  private var skipped = 0

  /// - Parameter needed: a column that only keys have and that may not be null, if there is one.
  init(
    _ block: MessageBlock, _ rows: DecodedRecords, _ keys: DecodedRecords?, isUpsert: Bool,
    needed: String?
  ) {
    self.needed = needed
    self.block = block
    self.rows = rows
    self.keys = keys
    self.isUpsert = isUpsert
  }

  func run() {
    var (row, reject, keyRow, keyReject) = (0, 0, 0, 0)
    let codes = rows.kinds?.pointer(UInt8.self)
    for message in 0..<block.count {
      var key: Int32 = -1
      var problem: String?
      if let keys {
        if keyRow < keys.count, Int(keys.messages[keyRow]) == message {
          key = Int32(keyRow)
          keyRow += 1
        } else if keyReject < keys.rejects.count, keys.rejects[keyReject].line == message {
          problem = "in the key: " + keys.rejects[keyReject].reason
          keyReject += 1
        }
      }
      let first = row
      while row < rows.count, Int(rows.messages[row]) == message { row += 1 }
      if reject < rows.rejects.count, rows.rejects[reject].line == message {
        problem = problem ?? rows.rejects[reject].reason
        reject += 1
      }
      let isTombstone = isUpsert && block.valueSpans[message].isNone
      if problem == nil, key < 0, isTombstone || isUpsert && first < row {
        problem = "a message of a table of upserts without a key"
      }
      if problem == nil, key < 0, keys != nil, first < row, let needed {
        problem = "no key, and a column of it may not be null, field \(needed)"
      }
      if let problem {
        rejects.append(RejectedMessage(row: messages.count, message: message, reason: problem))
      } else if isTombstone {
        append(-1, key, RowKind.delete.rawValue, message)
      } else if first == row {
        skipped += 1
      } else {
        let plain = isUpsert ? RowKind.updateAfter : .insert
        for r in first..<row {
          append(Int32(r), key, codes.map { $0[r] } ?? plain.rawValue, message)
        }
      }
    }
    withExtendedLifetime(rows.kinds) {}
  }

  private func append(_ value: Int32, _ key: Int32, _ kind: UInt8, _ message: Int) {
    valueRows.append(value)
    keyRows.append(key)
    kinds.append(kind)
    messages.append(Int32(truncatingIfNeeded: message))
  }

  func finish(_ origins: [(value: Int?, key: Int?)], _ types: [DataType]) -> DecodedMessages {
    let count = messages.count
    let hasTombstones = valueRows.contains(-1)
    let hasKeyless = keyRows.contains(-1)
    // A row that is nowhere is row 0 of a column of one null.
    let sources = valueRows.map { UInt16($0 < 0 ? 1 : 0) }
    let keySources = keyRows.map { UInt16($0 < 0 ? 1 : 0) }
    let valuePlaces = valueRows.map { max($0, 0) }
    let keyPlaces = keyRows.map { max($0, 0) }
    let mixed = zip(valueRows, keyPlaces).map { $0 < 0 ? $1 : $0 }
    var columns: [Column] = []
    for (origin, type) in zip(origins, types) {
      let none = Column.oneNull(type.nullable)
      let column: Column
      switch (origin.value.map { rows.columns[$0] }, origin.key.flatMap { keys?.columns[$0] }) {
      case (let value?, let key?) where hasTombstones:
        column = .interleave([value, key], sources: sources, rows: mixed, count: count)
      case (let value?, _) where hasTombstones:
        column = .interleave([value, none], sources: sources, rows: valuePlaces, count: count)
      case (let value?, _): column = value.gather(valuePlaces, count: count)
      case (nil, let key?) where hasKeyless:
        column = .interleave([key, none], sources: keySources, rows: keyPlaces, count: count)
      case (nil, let key?): column = key.gather(keyPlaces, count: count)
      case (nil, nil): preconditionFailure("a column that comes from nowhere")
      }
      columns.append(column.retyped(type))
    }
    let hasKinds = isUpsert || rows.kinds != nil
    return DecodedMessages(
      columns: columns, count: count,
      kinds: hasKinds ? kinds.withUnsafeBytes { Buffer(copying: $0) } : nil, messages: messages,
      rejects: rejects, skipped: skipped)
  }
}

extension Column {
  /// One row of nothing.
  fileprivate static func oneNull(_ type: DataType) -> Column {
    let builder = ColumnBuilder(type, capacity: 1)
    builder.appendNull()
    return builder.finish()
  }
}
