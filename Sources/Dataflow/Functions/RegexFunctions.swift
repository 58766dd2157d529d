internal import Columns

/// The pattern of a call, compiled once when it is constant; one that is broken matches nothing.
struct PatternArgument {
  private let call: FunctionCall
  private let position: Int
  private let constant: Regex??

  init(_ call: FunctionCall, _ position: Int) throws(TerraceError) {
    self.call = call
    self.position = position
    if let text = call.constantText(position) {
      constant = try PatternArgument.compile(text, call)
    } else {
      constant = nil
    }
  }

  /// Nil for a pattern that is broken.
  func regex(_ row: Int) throws(TerraceError) -> Regex? {
    if let constant { return constant }
    return try PatternArgument.compile(call.text(position, row), call)
  }

  private static func compile(
    _ text: String, _ call: FunctionCall
  ) throws(TerraceError) -> Regex? {
    do { return try Regex(text) } catch {
      // As in Flink: one broken pattern of a column ends no job. What we cannot do is said.
      if error.kind == .invalid { return nil }
      throw error.with("function", call.name)
    }
  }
}

func scalars(_ bytes: UnsafeRawBufferPointer) -> [UInt32] {
  String(decoding: bytes, as: UTF8.self).unicodeScalars.map(\.value)
}

func utf8(_ scalars: some Sequence<UInt32>) -> [UInt8] {
  var view = String.UnicodeScalarView()
  for value in scalars { if let scalar = Unicode.Scalar(value) { view.append(scalar) } }
  return Array(String(view).utf8)
}

/// A function of a text and a pattern, row by row.
private func matching(
  _ name: String, extra: [Function.Parameter] = [], optional: Int = 0, _ result: Function.Result,
  broken: @escaping @Sendable (ColumnBuilder) -> Void = { $0.appendNull() },
  _ append:
    @escaping @Sendable (ColumnBuilder, FunctionCall, Int, [UInt32], Regex)
    throws(TerraceError) -> Void
) -> Function {
  Function(name, [.text, .text] + extra, optional: optional, result) {
    (call) throws(TerraceError) -> Column in
    let pattern = try PatternArgument(call, 1)
    return try call.build { (out, i) throws(TerraceError) in
      guard let regex = try pattern.regex(i) else { return broken(out) }
      try append(out, call, i, scalars(call.bytes(0, i)), regex)
    }
  }
}

private func appendText(_ out: ColumnBuilder, _ text: some Sequence<UInt32>) {
  utf8(text).withUnsafeBytes { out.append(bytes: $0) }
}

let regexFunctions: [Function] = [
  matching("REGEXP", .type(.boolean), broken: { $0.append(UInt8(0)) }) {
    (out, call, i, text, regex) throws(TerraceError) in
    // Nothing is found nowhere, as in Flink.
    let found = try regex.match(text)
    let isFound = found != nil && !call.bytes(1, i).isEmpty
    out.append(UInt8(isFound ? 1 : 0))
  },
  matching("REGEXP_EXTRACT", extra: [.int], optional: 1, .nullable(.string)) {
    (out, call, i, text, regex) throws(TerraceError) in
    let group = call.int(2, i, default: 0)
    guard group >= 0, let slots = try regex.match(text), group * 2 + 1 < slots.count,
      slots[group * 2] >= 0
    else { return out.appendNull() }
    appendText(out, text[slots[group * 2]..<slots[group * 2 + 1]])
  },
  matching("REGEXP_REPLACE", extra: [.text], .nullable(.string)) {
    (out, call, i, text, regex) throws(TerraceError) in
    // Taken as it stands: `$1` is no group.
    let replacement = scalars(call.bytes(2, i))
    var result: [UInt32] = []
    var from = 0
    for slots in try regex.matches(text) {
      result += text[from..<slots[0]]
      result += replacement
      from = slots[1]
    }
    appendText(out, result + text[from...])
  },
  matching("REGEXP_COUNT", .nullable(.int)) { (out, _, _, text, regex) throws(TerraceError) in
    out.append(Int32(try regex.matches(text).count))
  },
  matching("REGEXP_INSTR", .nullable(.int)) { (out, _, _, text, regex) throws(TerraceError) in
    out.append(Int32((try regex.match(text).map { $0[0] + 1 }) ?? 0))
  },
  matching("REGEXP_SUBSTR", .nullable(.string)) { (out, _, _, text, regex) throws(TerraceError) in
    guard let slots = try regex.match(text) else { return out.appendNull() }
    appendText(out, text[slots[0]..<slots[1]])
  },
  matching("REGEXP_EXTRACT_ALL", extra: [.int], optional: 1, .nullable(.array(.string))) {
    (out, call, i, text, regex) throws(TerraceError) in
    let group = call.int(2, i, default: 1)
    if group < 0 || group > regex.groupCount { return out.appendNull() }
    for slots in try regex.matches(text) {
      if slots[group * 2] < 0 {
        out.children[0].appendNull()
      } else {
        appendText(out.children[0], text[slots[group * 2]..<slots[group * 2 + 1]])
      }
    }
    out.endList()
  },
]
