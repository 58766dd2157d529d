import Columns
import Formats

/// A column as the log itself describes it.
struct ToldColumn: Hashable {
  var name: String
  var isUnsigned = false
  /// Number of the collation of its text, or of its members' names; 63 is `binary`.
  var collation: Int?
  /// Of ENUM and SET, in the character set of `collation`.
  var members: [[UInt8]] = []
}

/// The optional metadata behind a TABLE_MAP event, alike in MySQL 8 and MariaDB 10.5 (log_event.h,
/// Table_map_log_event::Optional_metadata_field_type): what is told of a kind of columns comes in their order.
struct TableMetadata {
  private let numbers: [Int]
  private let texts: [Int]
  private let enums: [Int]
  private let sets: [Int]
  private var found: [ToldColumn]
  private var hasNames = false

  /// - Parameter types: as the log has them, with the real type of those kept as STRING.
  init(_ types: [UInt8]) {
    func places(_ wanted: [UInt8]) -> [Int] { types.indices.filter { wanted.contains(types[$0]) } }
    numbers = places([1, 2, 3, 4, 5, 8, 9, 13, 246])
    texts = places([15, 249, 250, 251, 252, 253, 254])
    enums = places([247])
    sets = places([248])
    found = types.map { _ in ToldColumn(name: "") }
  }

  /// Nil when the names are not told.
  var columns: [ToldColumn]? { hasNames ? found : nil }

  mutating func read(_ kind: UInt8, _ value: ByteCursor) throws(TerraceError) {
    var value = value
    switch kind {
    case 1: try readSigns(&value)
    case 2: try readDefaults(texts, &value)
    case 3: try readCollations(texts, &value)
    case 4: try readNames(&value)
    case 5: try readMembers(sets, &value)
    case 6: try readMembers(enums, &value)
    case 10: try readDefaults((enums + sets).sorted(), &value)
    case 11: try readCollations((enums + sets).sorted(), &value)
    default: break
    }
  }

  /// A bit a number, the first in the highest bit. MariaDB counts YEAR among them, MySQL does not: it is
  /// unsigned in any case, and its bit is told only where there are bits enough.
  private mutating func readSigns(_ value: inout ByteCursor) throws(TerraceError) {
    let bits = Array(try value.readBytes(value.remaining))
    for (i, c) in numbers.enumerated() where i >> 3 < bits.count {
      found[c].isUnsigned = bits[i >> 3] >> UInt8(7 - i & 7) & 1 != 0
    }
  }

  /// One for all, and the exceptions: place among these columns, and collation.
  private mutating func readDefaults(
    _ places: [Int], _ value: inout ByteCursor
  ) throws(TerraceError) {
    let usual = try value.readPackedInteger(limit: 1 << 16)
    for c in places { found[c].collation = usual }
    while value.remaining > 0 {
      let place = try value.readPackedInteger(limit: 1 << 16)
      let collation = try value.readPackedInteger(limit: 1 << 16)
      guard place < places.count else { throw value.broken("a column that the table has not") }
      found[places[place]].collation = collation
    }
  }

  private mutating func readCollations(
    _ places: [Int], _ value: inout ByteCursor
  ) throws(TerraceError) {
    for c in places where value.remaining > 0 {
      found[c].collation = try value.readPackedInteger(limit: 1 << 16)
    }
  }

  private mutating func readNames(_ value: inout ByteCursor) throws(TerraceError) {
    var count = 0
    while value.remaining > 0, count < found.count {
      found[count].name = try value.text(try value.readPackedInteger(limit: value.remaining))
      count += 1
    }
    hasNames = count == found.count && value.remaining == 0
  }

  private mutating func readMembers(
    _ places: [Int], _ value: inout ByteCursor
  ) throws(TerraceError) {
    for c in places where value.remaining > 0 {
      let count = try value.readPackedInteger(limit: value.remaining)
      for _ in 0..<count {
        let length = try value.readPackedInteger(limit: value.remaining)
        found[c].members.append(Array(try value.readBytes(length)))
      }
    }
  }
}
