package import Columns

/// A bound, typed query: a tree of operators, as a value.
///
/// Equal sub-trees are one operator at run time, so a common table expression that is used twice
/// is simply written into the tree twice.
package indirect enum Plan: Hashable, Sendable {
  case source(Source)
  case values(Values)
  case map(Map)
  case join(Join)
  case aggregate(Aggregate)
  case windowTable(WindowTable)
  case windowAggregate(WindowAggregate)
  case rank(Rank)
  case over(Over)
  case union([Plan])
  case setOperation(SetOperation)
  case sort(Sort)
  case unnest(Unnest)
  case watermark(Watermark)
  case upsert(Upsert)

  /// The changes of a table: where rows come in.
  package struct Source: Hashable, Sendable {
    /// What the caller knows the table by: a qualified name, with hints or a version where two
    /// reads of one table differ.
    package var reference: String
    /// Fields of the whole table.
    package var tableType: RowType
    /// Columns of the table that are read, in the order of the output.
    package var columns: [Int]
    /// Condition over the *output* columns; applied here too, so that a reader may give more rows.
    package var predicate: Predicate
    /// Primary key, as output columns; empty when there is none or it is not read whole.
    package var primaryKey: [Int]
    /// Rows are only ever added.
    package var isAppendOnly: Bool

    package init(
      reference: String, tableType: RowType, columns: [Int]? = nil,
      predicate: Predicate = .always, primaryKey: [Int] = [], isAppendOnly: Bool
    ) {
      self.reference = reference
      self.tableType = tableType
      self.columns = columns ?? Array(tableType.fields.indices)
      self.predicate = predicate
      self.primaryKey = primaryKey
      self.isAppendOnly = isAppendOnly
    }
  }

  /// Constant rows: VALUES, or SELECT without FROM (one row without columns, then a map).
  package struct Values: Hashable, Sendable {
    package var type: RowType
    /// Constant expressions of the fields' types.
    package var rows: [[Expression]]
    package init(type: RowType, rows: [[Expression]]) {
      self.type = type
      self.rows = rows
    }
  }

  /// WHERE and SELECT: rows for which the condition is true, as new columns.
  package struct Map: Hashable, Sendable {
    package var input: Plan
    /// Over the input's columns; nil lets all rows pass.
    package var condition: Expression?
    package var expressions: [Expression]
    package var names: [String]

    package init(
      input: Plan, condition: Expression? = nil, expressions: [Expression], names: [String]
    ) {
      precondition(expressions.count == names.count, "one name an expression")
      self.input = input
      self.condition = condition
      self.expressions = expressions
      self.names = names
    }

    /// A filter that passes all columns on.
    package init(filtering input: Plan, by condition: Expression) {
      let fields = input.type.fields
      self.init(
        input: input, condition: condition,
        expressions: fields.enumerated().map { .column($0.offset, $0.element.type) },
        names: fields.map(\.name))
    }
  }

  /// Two inputs by equal keys and a further condition.
  ///
  /// Output: the left columns, then (except for semi and anti) the right ones.
  package struct Join: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable {
      case inner, left, right, full, semi, anti
    }
    package var kind: Kind
    package var left: Plan
    package var right: Plan
    /// Columns of equal kinds of type: left[i] = right[i]. Empty: every pair is a candidate.
    package var leftKeys: [Int]
    package var rightKeys: [Int]
    /// One flag a key: null = null, as IS NOT DISTINCT FROM. Otherwise a null key matches nothing.
    package var nullSafe: [Bool]
    /// Over the left columns followed by the right ones; nil is true.
    package var residual: Expression?
    /// For `anti` only: NOT IN. The *last* key is compared as IN compares: a null on either side
    /// makes the answer unknown, and the row goes. The keys before it correlate, as ordinary keys.
    package var isNullAware: Bool

    package init(
      _ kind: Kind, left: Plan, right: Plan, leftKeys: [Int], rightKeys: [Int],
      nullSafe: [Bool]? = nil, residual: Expression? = nil, isNullAware: Bool = false
    ) {
      precondition(leftKeys.count == rightKeys.count, "keys come in pairs")
      precondition(!isNullAware || (kind == .anti && !leftKeys.isEmpty), "NOT IN has a key")
      self.kind = kind
      self.left = left
      self.right = right
      self.leftKeys = leftKeys
      self.rightKeys = rightKeys
      self.nullSafe = nullSafe ?? leftKeys.map { _ in false }
      self.residual = residual
      self.isNullAware = isNullAware
    }
  }

  /// GROUP BY. Output: the key columns, then one column a call.
  ///
  /// Without keys there is always exactly one row; without calls it is DISTINCT.
  package struct Aggregate: Hashable, Sendable {
    package var input: Plan
    package var keys: [Int]
    package var calls: [AggregateCall]
    package init(input: Plan, keys: [Int], calls: [AggregateCall]) {
      self.input = input
      self.keys = keys
      self.calls = calls
    }
  }

  /// A window table function: TUMBLE, HOP, CUMULATE as a table. Output: the input's columns, then
  /// window_start, window_end and window_time, the last being the end less one millisecond.
  package struct WindowTable: Hashable, Sendable {
    package var input: Plan
    package var timeColumn: Int
    package var window: Window
    package init(input: Plan, timeColumn: Int, window: Window) {
      self.input = input
      self.timeColumn = timeColumn
      self.window = window
    }
  }

  /// GROUP BY over windows of an event time: one row a window and key, when the watermark passes
  /// the window's end. Rows of windows that have passed are dropped and counted.
  ///
  /// Output: the key columns, the calls, then window_start, window_end and window_time.
  package struct WindowAggregate: Hashable, Sendable {
    package var input: Plan
    package var timeColumn: Int
    package var window: Window
    /// For SESSION they are what the sessions are partitioned by as well.
    package var keys: [Int]
    package var calls: [AggregateCall]
    package init(
      input: Plan, timeColumn: Int, window: Window, keys: [Int], calls: [AggregateCall]
    ) {
      self.input = input
      self.timeColumn = timeColumn
      self.window = window
      self.keys = keys
      self.calls = calls
    }
  }

  /// ROW_NUMBER, RANK or DENSE_RANK with a bound: Top-N and deduplication.
  ///
  /// Output: the input's columns, then, if wanted, the rank as BIGINT NOT NULL. Among rows that tie, ROW_NUMBER
  /// goes by the whole row, so that the answer does not depend on arrival.
  package struct Rank: Hashable, Sendable {
    package enum Function: String, Hashable, Sendable { case rowNumber, rank, denseRank }
    package var input: Plan
    package var function: Function
    package var partition: [Int]
    package var order: [SortKey]
    /// Ranks that pass, from 1.
    package var ranks: ClosedRange<Int>
    package var emitsRank: Bool
    package init(
      input: Plan, function: Function = .rowNumber, partition: [Int], order: [SortKey],
      ranks: ClosedRange<Int>, emitsRank: Bool
    ) {
      self.input = input
      self.function = function
      self.partition = partition
      self.order = order
      self.ranks = ranks
      self.emitsRank = emitsRank
    }
  }

  /// Functions over a window of neighbouring rows. Output: the input's columns, then the calls.
  package struct Over: Hashable, Sendable {
    package var input: Plan
    package var partition: [Int]
    package var order: [SortKey]
    package var calls: [OverCall]
    package init(input: Plan, partition: [Int], order: [SortKey], calls: [OverCall]) {
      self.input = input
      self.partition = partition
      self.order = order
      self.calls = calls
    }
  }

  /// INTERSECT and EXCEPT, null equal to null. Both sides have columns of equal kinds.
  package struct SetOperation: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable { case intersect, except }
    package var kind: Kind
    package var all: Bool
    package var left: Plan
    package var right: Plan
    package init(_ kind: Kind, all: Bool, left: Plan, right: Plan) {
      self.kind = kind
      self.all = all
      self.left = left
      self.right = right
    }
  }

  /// ORDER BY, OFFSET and LIMIT. With a limit it is maintained as changes come; the *order* of the
  /// rows is given by ``Pipeline`` for batch queries only.
  package struct Sort: Hashable, Sendable {
    package var input: Plan
    package var order: [SortKey]
    package var offset: Int
    package var limit: Int?
    package init(input: Plan, order: [SortKey], offset: Int = 0, limit: Int? = nil) {
      self.input = input
      self.order = order
      self.offset = offset
      self.limit = limit
    }
  }

  /// CROSS or LEFT JOIN UNNEST(column). Output: the input's columns, then those of the elements
  /// (an ARRAY of ROW gives its fields, a MAP key and value, a MULTISET each element as often as it
  /// counts), then the ordinal from 1 as INT if wanted.
  package struct Unnest: Hashable, Sendable {
    package var input: Plan
    package var column: Int
    package var names: [String]
    package var withOrdinality: Bool
    /// Rows without elements stay, with nulls.
    package var keepsEmpty: Bool
    package init(
      input: Plan, column: Int, names: [String], withOrdinality: Bool = false,
      keepsEmpty: Bool = false
    ) {
      self.input = input
      self.column = column
      self.names = names
      self.withOrdinality = withOrdinality
      self.keepsEmpty = keepsEmpty
    }
  }

  /// WATERMARK FOR time AS expression: passes rows on and moves the event-time clock to the
  /// greatest value of the expression at the end of each epoch.
  package struct Watermark: Hashable, Sendable {
    package var input: Plan
    package var timeColumn: Int
    package var expression: Expression
    package init(input: Plan, timeColumn: Int, expression: Expression) {
      self.input = input
      self.timeColumn = timeColumn
      self.expression = expression
    }
  }

  /// Rows in the order of their arrival as changes by key: weight +1 says that the row of its key is
  /// now this one, -1 that the key goes (of such a row only the key columns count). At the end of an
  /// epoch the old row of each key goes and the last one comes; an equal one says nothing.
  ///
  /// Nothing between the source and this node may reorder or consolidate rows.
  package struct Upsert: Hashable, Sendable {
    package var input: Plan
    /// Input columns; null equals null.
    package var key: [Int]
    /// The input's last column is BYTES and goes no further: bits of columns that keep the value of the
    /// last row of their key. For each other column its bit (bit b % 8 of byte b / 8), or -1 for none;
    /// nil: there is no such column, and rows are whole.
    ///
    /// Such a row of a key that has none takes over from the row before it: where a key is changed, the
    /// old one goes right before the new one comes.
    package var unchanged: [Int]?
    /// The table that the changes go to plays the state: it holds the last row of each key, so none is kept
    /// a second time. See ``Pipeline/play(_:)``.
    package var isPlayed: Bool
    package init(input: Plan, key: [Int], unchanged: [Int]? = nil, isPlayed: Bool = false) {
      precondition(!key.isEmpty, "an upsert has a key")
      self.input = input
      self.key = key
      self.unchanged = unchanged
      self.isPlayed = isPlayed
    }
  }
}

/// A column to sort by. Null is the smallest value, unless said otherwise.
package struct SortKey: Hashable, Sendable {
  package var column: Int
  package var descending: Bool
  /// Nulls come first; by default when ascending.
  package var nullsFirst: Bool
  package init(_ column: Int, descending: Bool = false, nullsFirst: Bool? = nil) {
    self.column = column
    self.descending = descending
    self.nullsFirst = nullsFirst ?? !descending
  }
}

/// Windows of event time; all spans in milliseconds. Of a TIMESTAMP_LTZ they are windows of the session's wall
/// clock: an hour that comes twice in autumn is one window, and one that is left out in spring has none.
package enum Window: Hashable, Sendable {
  case tumble(size: Int64, offset: Int64)
  /// Every `slide` a window of `size`, which is a multiple of it.
  case hop(size: Int64, slide: Int64, offset: Int64)
  /// Windows that grow by `step` up to `size`, then begin anew.
  case cumulate(size: Int64, step: Int64, offset: Int64)
  /// Ends after `gap` without a row.
  case session(gap: Int64)

  /// Of window_time (TUMBLE_ROWTIME and its like) over rows of a time.
  package static func timeType(of time: DataType) -> DataType {
    if case .timestampLTZ = time.kind { return DataType(.timestampLTZ(3), nullable: false) }
    return DataType.timestamp(3).notNull
  }
}
