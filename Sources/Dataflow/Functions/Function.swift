package import Columns

/// A scalar function: what it takes, what it gives, and the kernel that computes whole columns.
package struct Function: Sendable {
  /// Upper case, as SQL text names it; internal ones begin with `$`.
  package let name: String
  /// Parameters of which the last `optional` may be missing; the last repeats when `repeats`.
  package let parameters: [Parameter]
  package let optional: Int
  package let repeats: Bool
  package let result: Result
  /// False for RAND, UUID and the clock.
  package let isDeterministic: Bool
  /// The kernel sees nulls itself. Otherwise a row with a null argument is null, and kernels are
  /// not asked about it: `validity` in ``FunctionCall`` says which rows count.
  package let seesNulls: Bool
  package let kernel: Kernel

  package typealias Kernel = @Sendable (FunctionCall) throws(TerraceError) -> Column

  /// What an argument must be, and what it is cast to.
  package indirect enum Parameter: Hashable, Sendable {
    /// CHAR or VARCHAR as they come.
    case text
    case binary
    /// Cast to INT, BIGINT, DOUBLE.
    case int, bigint, double
    /// Any number as it comes.
    case number
    case boolean
    case date
    /// TIMESTAMP, TIMESTAMP_LTZ as they come; DATE and text become TIMESTAMP(3).
    case timestamp
    /// DATE, TIME, TIMESTAMP, TIMESTAMP_LTZ as they come; text becomes TIMESTAMP(3).
    case temporal
    /// All arguments of this kind get one common type.
    case common
    case array, map
    /// The element type of the first argument, an array; the key type when it is a map.
    case element
    case any
  }

  package enum Result: Sendable {
    /// Nullable when an argument is.
    case type(DataType)
    /// Always nullable.
    case nullable(DataType)
    /// Never null.
    case notNull(DataType)
    /// The type of an argument, nullable when any is.
    case argument(Int)
    /// From the argument types after casting; nullability is taken as given.
    case rule(@Sendable ([Expression]) throws(TerraceError) -> DataType)
  }

  package init(
    _ name: String, _ parameters: [Parameter], optional: Int = 0, repeats: Bool = false,
    _ result: Result, isDeterministic: Bool = true, seesNulls: Bool = false,
    kernel: @escaping Kernel
  ) {
    self.name = name
    self.parameters = parameters
    self.optional = optional
    self.repeats = repeats
    self.result = result
    self.isDeterministic = isDeterministic
    self.seesNulls = seesNulls
    self.kernel = kernel
  }

  /// How many arguments it takes.
  package var arity: ClosedRange<Int> {
    (parameters.count - optional)...(repeats ? 1000 : parameters.count)
  }

  /// A call with the arguments cast to what the parameters ask for.
  ///
  /// - Throws: `invalid`, naming the function, when number or types of the arguments do not fit.
  package func bind(_ arguments: [Expression]) throws(TerraceError) -> Expression {
    guard arity.contains(arguments.count) else { throw mismatch(arguments) }
    var bound: [Expression] = []
    for (i, argument) in arguments.enumerated() {
      bound.append(try fit(argument, parameters[min(i, parameters.count - 1)], bound, arguments))
    }
    if parameters.contains(.common) {
      let positions = bound.indices.filter { parameters[min($0, parameters.count - 1)] == .common }
      guard let type = TypeRules.common(positions.map { bound[$0].type }) else {
        throw mismatch(arguments)
      }
      for i in positions { bound[i] = bound[i].casted(to: type) }
    }
    return .call(name, bound, try resultType(bound))
  }

  private func resultType(_ arguments: [Expression]) throws(TerraceError) -> DataType {
    let nullable = arguments.contains { $0.type.isNullable }
    switch result {
    case .type(let type): return DataType(type.kind, nullable: nullable)
    case .nullable(let type): return type.nullable
    case .notNull(let type): return type.notNull
    case .argument(let i): return DataType(arguments[i].type.kind, nullable: nullable)
    case .rule(let rule): return try rule(arguments)
    }
  }

  private func fit(
    _ argument: Expression, _ parameter: Parameter, _ before: [Expression],
    _ arguments: [Expression]
  ) throws(TerraceError) -> Expression {
    let family = TypeRules.family(argument.type)
    func cast(_ type: DataType) -> Expression { argument.casted(to: type) }
    switch (parameter, family) {
    case (.any, .null), (.text, .null): return cast(.string)
    case (.common, _), (.any, _), (.text, .text), (.binary, .binary), (.number, .number),
      (.boolean, .boolean), (.array, .array), (.map, .map), (.timestamp, .timestamp),
      (.timestamp, .localTimestamp), (.temporal, .date), (.temporal, .time),
      (.temporal, .timestamp), (.temporal, .localTimestamp), (.date, .date):
      return argument
    case (.binary, .text), (.binary, .null): return cast(.bytes)
    case (.int, .number), (.int, .null): return cast(.int)
    case (.bigint, .number), (.bigint, .null): return cast(.bigint)
    case (.double, .number), (.double, .null): return cast(.double)
    case (.number, .null): return cast(.int)
    case (.boolean, .null): return cast(.boolean)
    case (.timestamp, .date), (.timestamp, .text), (.timestamp, .null), (.temporal, .text),
      (.temporal, .null):
      return cast(.timestamp(3))
    case (.date, .timestamp), (.date, .localTimestamp), (.date, .text), (.date, .null):
      return cast(.date)
    case (.element, _):
      switch before.first?.type.kind {
      case .array(let element):
        if TypeRules.common([argument.type, element]) != nil { return cast(element.nullable) }
      case .map(let key, _):
        if TypeRules.common([argument.type, key]) != nil { return cast(key.nullable) }
      default: break
      }
      throw mismatch(arguments)
    default: throw mismatch(arguments)
    }
  }

  private func mismatch(_ arguments: [Expression]) -> TerraceError {
    let given = arguments.map { $0.type.nullable.text }.joined(separator: ", ")
    let error = TerraceError(.invalid, "\(Function.shown(name)) does not take (\(given))")
    if parameters == [.common] {
      return error.hint("its elements are of one type: CAST those that differ")
    }
    return name.hasPrefix("$") ? error : error.hint("it is \(name)(\(usage))")
  }

  /// A function as SQL writes it.
  static func shown(_ name: String) -> String {
    switch name {
    case "$NEGATE": "-"
    case "$AT", "$ELEMENT": "[…]"
    case "$FLOOR_TO": "FLOOR"
    case "$CEIL_TO": "CEIL"
    default: name.hasPrefix("$") ? String(name.dropFirst()) : name
    }
  }

  private var usage: String {
    var parts = parameters.map { "\($0)".uppercased() }
    for i in parts.count - optional..<parts.count { parts[i] = "[\(parts[i])]" }
    return parts.joined(separator: ", ") + (repeats ? ", …" : "")
  }
}

/// The functions that SQL text can name.
package enum FunctionRegistry {
  /// The function of a name, in any case.
  package static func function(_ name: String) -> Function? {
    table[name] ?? table[name.uppercased()]
  }

  /// All names, internal ones left out, sorted.
  package static var names: [String] { table.keys.filter { !$0.hasPrefix("$") }.sorted() }

  private static let table: [String: Function] = {
    var table: [String: Function] = [:]
    for function in all { table[function.name] = function }
    for (alias, name) in aliases { table[alias] = table[name] }
    return table
  }()

  private static let aliases: [String: String] = [
    "CHARACTER_LENGTH": "CHAR_LENGTH", "CEILING": "CEIL", "POW": "POWER",
  ]

  private static var all: [Function] {
    arithmeticFunctions + numericFunctions + textFunctions + timeFunctions + codingFunctions
      + regexFunctions + collectionFunctions + arraySetFunctions + jsonFunctions + mapFunctions
      + charsetFunctions
  }
}
