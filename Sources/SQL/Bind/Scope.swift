import Columns
import Dataflow

/// The columns that an expression can name, in the order of the plan's columns.
struct Scope {
  struct Column {
    var name: String
    /// Alias of its table, or the table's path; empty when it belongs to none.
    var qualifier: [String]
    var type: DataType
    /// An event time with a watermark.
    var isEventTime = false
    /// Reached by its qualifier only: the columns that USING merged.
    var isHidden = false
    /// Reached by no name at all: computed for a join or an UNNEST.
    var isInternal = false
    /// How many queries around this one the column belongs to; nearer ones go first.
    var level = 0
    /// Of a query around: where its use is noted, and which of that domain's columns it is.
    var domain: Domain?
    var domainIndex = 0
    /// Of window_start of a SESSION: what its sessions are partitioned by, as columns of its input.
    var sessionKeys: [Int]?
  }

  var columns: [Column] = []

  init(_ columns: [Column] = []) { self.columns = columns }

  /// Columns of a plan under one alias.
  init(_ type: RowType, qualifier: [String], eventTimes: Set<Int> = []) {
    columns = type.fields.enumerated().map { i, field in
      Column(
        name: field.name, qualifier: qualifier, type: field.type,
        isEventTime: eventTimes.contains(i))
    }
  }

  static func + (left: Scope, right: Scope) -> Scope { Scope(left.columns + right.columns) }

  enum Found {
    /// The column, and how many parts of the path name it; the others are fields of a ROW.
    case column(Int, parts: Int)
    case ambiguous([Int])
    case none
  }

  /// Looks a path up: the longest qualifier first, fields of a ROW last.
  func find(_ path: [String]) -> Found {
    let deepest = columns.reduce(0) { max($0, $1.level) }
    for level in 0...deepest {
      let found = find(path, level)
      if case .none = found { continue }
      return found
    }
    return .none
  }

  private func find(_ path: [String], _ level: Int) -> Found {
    for length in stride(from: min(path.count - 1, 3), through: 0, by: -1) {
      let qualifier = path[..<length]
      let name = path[length]
      var hits: [Int] = []
      for (i, column) in columns.enumerated()
      where column.name == name && column.level == level && !column.isInternal {
        if length == 0 ? !column.isHidden : column.qualifier.suffix(length) == qualifier {
          hits.append(i)
        }
      }
      if hits.count == 1 { return .column(hits[0], parts: length + 1) }
      if hits.count > 1 { return .ambiguous(hits) }
    }
    return .none
  }

  /// Notes that a column of a query around is named, if this is one.
  func use(_ index: Int) {
    columns[index].domain?.used.insert(columns[index].domainIndex)
  }

  func hasQualifier(_ qualifier: [String]) -> Bool {
    columns.contains { $0.qualifier.suffix(qualifier.count) == qualifier[...] }
  }

  /// What `*` or `t.*` stands for.
  func star(_ qualifier: [String]) -> [Int] {
    columns.indices.filter { i in
      let column = columns[i]
      if column.isInternal || column.level > 0 { return false }
      return qualifier.isEmpty
        ? !column.isHidden : column.qualifier.suffix(qualifier.count) == qualifier[...]
    }
  }

  /// As a user would write the column.
  func text(_ index: Int) -> String {
    let column = columns[index]
    return (column.qualifier.suffix(1) + [column.name]).joined(separator: ".")
  }

  /// Names for hints: bare ones, and qualified ones.
  var names: [String] {
    columns.filter { !$0.isInternal && $0.level == 0 }.map(\.name)
  }

  func allNullable(_ nullable: Bool) -> Scope {
    nullable
      ? Scope(
        columns.map {
          var column = $0
          column.type = $0.type.nullable
          return column
        }) : self
  }
}

/// Column numbers that stand for what is not yet a column of the plan.
enum Marker {
  static let width = 1 << 24
  /// A column of the query around a sub-query.
  static let outer = 1 * width
  /// A scalar sub-query of this SELECT.
  static let query = 2 * width
  static let aggregate = 3 * width
  static let key = 4 * width
  static let over = 5 * width
  /// Start, end and time of the window that GROUP BY TUMBLE(…) names.
  static let window = 6 * width

  static func isMarker(_ column: Int) -> Bool { column >= width }
  static func kind(_ column: Int) -> Int { column / width * width }
  static func index(_ column: Int) -> Int { column % width }
}
