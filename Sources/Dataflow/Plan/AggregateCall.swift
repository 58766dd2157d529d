package import Columns

/// One aggregate function over input columns; expressions are computed by a map below.
package struct AggregateCall: Hashable, Sendable {
  package enum Function: String, Hashable, Sendable, CaseIterable {
    /// COUNT(*) without an argument, else COUNT(x).
    case count = "COUNT"
    case sum = "SUM"
    case average = "AVG"
    case min = "MIN"
    case max = "MAX"
    case standardDeviationPopulation = "STDDEV_POP"
    case standardDeviationSample = "STDDEV_SAMP"
    case variancePopulation = "VAR_POP"
    case varianceSample = "VAR_SAMP"
    case first = "FIRST_VALUE"
    case last = "LAST_VALUE"
    case listAggregate = "LISTAGG"
    case arrayAggregate = "ARRAY_AGG"
    case collect = "COLLECT"
    /// The only value; more than one row is an error. What a scalar sub-query needs.
    case single = "SINGLE_VALUE"
  }

  package var function: Function
  /// Input column; nil for COUNT(*) only.
  package var argument: Int?
  package var isDistinct: Bool
  /// BOOLEAN input column: only rows where it is true count.
  package var filter: Int?
  /// Between the members of LISTAGG.
  package var separator: [UInt8]
  package var name: String
  /// Result, as `resultType` gives it.
  package var type: DataType

  package init(
    _ function: Function, argument: Int? = nil, isDistinct: Bool = false, filter: Int? = nil,
    separator: [UInt8] = [UInt8(ascii: ",")], name: String = "", type: DataType
  ) {
    self.function = function
    self.argument = argument
    self.isDistinct = isDistinct
    self.filter = filter
    self.separator = separator
    self.name = name.isEmpty ? function.rawValue : name
    self.type = type
  }

  /// The function of a name in SQL text, in any case.
  package static func function(named name: String) -> Function? {
    switch name.uppercased() {
    case "VARIANCE": .varianceSample
    case "STDDEV": .standardDeviationSample
    case let upper: Function(rawValue: upper)
    }
  }

  /// What a call gives; nil when it does not take this argument.
  ///
  /// - Parameters:
  ///   - argument: nil for COUNT(*).
  ///   - grouped: there are group keys, so a group has at least one row.
  ///   - filtered: FILTER may leave none of them.
  package static func resultType(
    _ function: Function, _ argument: DataType?, grouped: Bool, filtered: Bool = false
  ) -> DataType? {
    guard let argument else { return function == .count ? DataType.bigint.notNull : nil }
    let nullable = argument.isNullable || !grouped || filtered
    let family = TypeRules.family(argument)
    func typed(_ type: DataType) -> DataType { DataType(type.kind, nullable: nullable) }
    switch function {
    case .count: return DataType.bigint.notNull
    case .sum:
      if case .decimal(_, let scale) = argument.kind { return typed(.decimal(38, scale)) }
      return family == .number ? typed(argument) : nil
    case .average:
      if case .decimal(_, let scale) = argument.kind { return typed(.decimal(38, max(scale, 6))) }
      return family == .number ? typed(argument) : nil
    case .standardDeviationPopulation, .standardDeviationSample, .variancePopulation,
      .varianceSample:
      guard family == .number else { return nil }
      if case .decimal = argument.kind { return DataType.decimal(38, 6) }
      // Integers give integers in Flink, as AVG does; floats their own kind.
      return argument.nullable
    case .min, .max:
      switch family {
      case .array, .map, .row, .null: return nil
      default: return typed(argument)
      }
    case .first, .last: return argument.nullable
    case .single: return argument.nullable
    case .listAggregate: return family == .text ? DataType.string.nullable : nil
    case .arrayAggregate: return DataType.array(argument).nullable
    case .collect: return DataType(.multiset(argument.notNull), nullable: true)
    }
  }
}

/// One function over the rows around each row.
package struct OverCall: Hashable, Sendable {
  package enum Function: Hashable, Sendable {
    case aggregate(AggregateCall)
    case rowNumber, rank, denseRank
    case percentRank, cumulativeDistribution
    case tiles(Int)
    /// The value `offset` rows before (LAG) or, when negative, after (LEAD); then the default column.
    case lag(column: Int, offset: Int, fallback: Int?)
  }

  /// From where to where the rows around count, for aggregates; both ends included.
  package struct Frame: Hashable, Sendable {
    package enum Unit: Hashable, Sendable { case rows, range }
    package var unit: Unit
    /// Rows, or units of the sort column, before the current; nil is unbounded. Negative is after.
    package var preceding: Int64?
    /// Rows, or units of the sort column, after the current; nil is unbounded. Negative is before.
    package var following: Int64?
    package init(_ unit: Unit, preceding: Int64?, following: Int64?) {
      self.unit = unit
      self.preceding = preceding
      self.following = following
    }
    /// What SQL means when ORDER BY stands alone: all rows up to the current and those that tie.
    package static let upToCurrent = Frame(.range, preceding: nil, following: 0)
    /// Without ORDER BY: the whole partition.
    package static let whole = Frame(.range, preceding: nil, following: nil)
  }

  package var function: Function
  package var frame: Frame
  package var name: String
  package var type: DataType

  package init(_ function: Function, frame: Frame, name: String, type: DataType) {
    self.function = function
    self.frame = frame
    self.name = name
    self.type = type
  }
}
