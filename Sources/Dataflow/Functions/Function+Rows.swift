internal import Columns

/// Shorter ways to say a kernel that goes row by row.
extension Function {
  /// A text or bytes function: `write` fills one row, and says false for null.
  static func text(
    _ name: String, _ parameters: [Parameter], optional: Int = 0, repeats: Bool = false,
    result: Result = .nullable(.string),
    _ write: @escaping @Sendable (FunctionCall, Int, inout [UInt8]) throws(TerraceError) -> Bool
  ) -> Function {
    Function(name, parameters, optional: optional, repeats: repeats, result) {
      (call) throws(TerraceError) -> Column in
      let out = ColumnBuilder(call.type, capacity: call.count)
      var row: [UInt8] = []
      for i in 0..<call.count {
        row.removeAll(keepingCapacity: true)
        if call.isValid(i), try write(call, i, &row) {
          row.withUnsafeBytes { out.append(bytes: $0) }
        } else {
          out.appendNull()
        }
      }
      return out.finish()
    }
  }

  /// A function with a fixed-width result; nil is null.
  static func value<R: BitwiseCopyable>(
    _ name: String, _ parameters: [Parameter], optional: Int = 0, _ type: DataType,
    _ compute: @escaping @Sendable (FunctionCall, Int) throws(TerraceError) -> R?
  ) -> Function {
    Function(name, parameters, optional: optional, .nullable(type)) {
      (call) throws(TerraceError) -> Column in
      try call.mapSome { (i) throws(TerraceError) -> R? in try compute(call, i) }
    }
  }

  /// A condition of its arguments.
  static func condition(
    _ name: String, _ parameters: [Parameter],
    _ test: @escaping @Sendable (FunctionCall, Int) throws(TerraceError) -> Bool
  ) -> Function {
    Function(name, parameters, .type(.boolean)) { (call) throws(TerraceError) -> Column in
      try call.test { (i) throws(TerraceError) -> Bool in try test(call, i) }
    }
  }

  /// DOUBLE to DOUBLE.
  static func real(_ name: String, _ compute: @escaping @Sendable (Double) -> Double) -> Function {
    Function(name, [.double], .type(.double)) { (call) throws(TerraceError) -> Column in
      let a = call.fixed(0, Double.self)
      return try call.map { (i) in compute(a[i]) }
    }
  }
}

extension FunctionCall {
  /// An INT argument; `fallback` where it is not given.
  @inline(__always) func int(_ i: Int, _ row: Int, default fallback: Int = 0) -> Int {
    guard i < arguments.count else { return fallback }
    return Int(arguments[i].column.pointer(Int32.self)[row & arguments[i].mask])
  }
}
