internal import Columns

private func path(_ call: FunctionCall) throws(TerraceError) -> JSONPath {
  guard let text = call.constantText(1) else {
    throw call.failure("the path is a constant", "a column")
  }
  return try JSONPath(text)
}

/// Looks a value up and lets `write` say what becomes of it.
private func lookup(
  _ name: String,
  _ write:
    @escaping @Sendable (JSONScanner, UnsafeRawBufferPointer, Range<Int>, inout [UInt8]) -> Bool
) -> Function {
  Function(name, [.text, .text], .nullable(.string)) { (call) throws(TerraceError) -> Column in
    let path = try path(call)
    var row: [UInt8] = []
    return try call.build { (out, i) in
      let text = call.bytes(0, i)
      let scanner = JSONScanner(text)
      row.removeAll(keepingCapacity: true)
      if let found = scanner.find(path), write(scanner, text, found, &row) {
        row.withUnsafeBytes { out.append(bytes: $0) }
      } else {
        out.appendNull()
      }
    }
  }
}

/// Writes the JSON of a row of a column.
private func writeJSON(_ column: Column, _ row: Int, _ zone: SessionZone, into out: inout [UInt8]) {
  if column.isNull(row) { return out += Array("null".utf8) }
  switch column.type.kind {
  case .boolean: out += Array((column.pointer(UInt8.self)[row] != 0 ? "true" : "false").utf8)
  case .tinyint, .smallint, .int, .bigint, .float, .double, .decimal:
    ValueText(zone: zone).write(column, row, into: &out)
  case .array, .map, .multiset:
    let isMap = column.children.count == 2
    out.append(UInt8(ascii: isMap ? "{" : "["))
    for (k, i) in (column.offsets[row]..<column.offsets[row + 1]).enumerated() {
      if k > 0 { out.append(UInt8(ascii: ",")) }
      if isMap {
        var name: [UInt8] = []
        if !column.children[0].isNull(Int(i)) {
          ValueText(zone: zone).write(column.children[0], Int(i), into: &name)
        }
        quote(name, into: &out)
        out.append(UInt8(ascii: ":"))
      }
      writeJSON(column.children[isMap ? 1 : 0], Int(i), zone, into: &out)
    }
    out.append(UInt8(ascii: isMap ? "}" : "]"))
  case .row(let fields):
    out.append(UInt8(ascii: "{"))
    for (k, field) in fields.enumerated() {
      if k > 0 { out.append(UInt8(ascii: ",")) }
      quote(Array(field.name.utf8), into: &out)
      out.append(UInt8(ascii: ":"))
      writeJSON(column.children[k], row, zone, into: &out)
    }
    out.append(UInt8(ascii: "}"))
  case .binary, .varbinary:
    var text: [UInt8] = []
    Base64.encode(column.bytes(row), into: &text)
    quote(text, into: &out)
  default:
    var text: [UInt8] = []
    ValueText(zone: zone).write(column, row, into: &text)
    if case .timestamp = column.type.kind { makeISO(&text) }
    quote(text, into: &out)
  }
}

/// `2024-01-31 10:00:00.500` as `2024-01-31T10:00:00.5`.
private func makeISO(_ text: inout [UInt8]) {
  if let blank = text.firstIndex(of: 0x20) { text[blank] = UInt8(ascii: "T") }
  guard text.contains(UInt8(ascii: ".")) else { return }
  while text.last == UInt8(ascii: "0") { text.removeLast() }
  if text.last == UInt8(ascii: ".") { text.removeLast() }
}

private func quote(_ text: [UInt8], into out: inout [UInt8]) {
  out.append(UInt8(ascii: "\""))
  for c in text {
    switch c {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), c]
    case 0x0a: out += Array("\\n".utf8)
    case 0x0d: out += Array("\\r".utf8)
    case 0x09: out += Array("\\t".utf8)
    case 0..<0x20: out += Array("\\u00".utf8) + Digest.hex([c])
    default: out.append(c)
    }
  }
  out.append(UInt8(ascii: "\""))
}

/// What stands in quotes, escapes resolved; nil for what has none, or a wrong escape.
private func unquoted(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
  let quote = UInt8(ascii: "\"")
  guard text.count >= 2, text.first == quote, text.last == quote else { return nil }
  var units: [UInt16] = []
  let inner = Array(String(decoding: text[1..<text.count - 1], as: UTF8.self).utf16)
  let simple: [Character: Character] = [
    "\"": "\"", "\\": "\\", "/": "/", "b": "\u{8}", "f": "\u{c}", "n": "\n", "r": "\r", "t": "\t",
  ]
  var at = 0
  while at < inner.count {
    if inner[at] != 0x5c {
      units.append(inner[at])
      at += 1
      continue
    }
    guard at + 1 < inner.count, let scalar = Unicode.Scalar(inner[at + 1]) else { return nil }
    if scalar == "u" {
      guard at + 6 <= inner.count,
        let unit = UInt16(String(decoding: inner[at + 2..<at + 6], as: UTF16.self), radix: 16)
      else { return nil }
      units.append(unit)
      at += 6
    } else if let meant = simple[Character(scalar)] {
      units += Array(String(meant).utf16)
      at += 2
    } else {
      return nil
    }
  }
  return Array(String(decoding: units, as: UTF16.self).utf8)
}

/// What JSON_OBJECT and JSON_ARRAY are given.
private struct JSONParts {
  let call: FunctionCall
  let values: [Vector]
  /// For each value whether it is JSON already: made by one of these functions right there.
  private let isJSON: [Bool]

  /// - Parameter isMarked: the first argument says it, a digit a value.
  init(_ call: FunctionCall, isMarked: Bool) {
    self.call = call
    values = isMarked ? Array(call.arguments.dropFirst()) : call.arguments
    isJSON = isMarked ? (call.constantText(0) ?? "").map { $0 == "1" } : []
  }

  func write(_ k: Int, _ row: Int, into out: inout [UInt8]) {
    let value = values[k]
    if k < isJSON.count, isJSON[k], !value.isNull(row) {
      out += value.bytes(row)
    } else {
      writeJSON(value.column, row & value.mask, call.context.zone, into: &out)
    }
  }
}

/// A function as SQL names it, and with a first argument that marks what is JSON already.
private func composed(
  _ name: String,
  _ write: @escaping @Sendable (JSONParts, Int, inout [UInt8]) throws(TerraceError) -> Void
) -> [Function] {
  ["", "$"].map { lead in
    Function(lead + name, [.any], optional: 1, repeats: true, .notNull(.string), seesNulls: true) {
      (call) throws(TerraceError) -> Column in
      let parts = JSONParts(call, isMarked: !lead.isEmpty)
      return try call.build { (out, i) throws(TerraceError) in
        var row: [UInt8] = []
        try write(parts, i, &row)
        row.withUnsafeBytes { out.append(bytes: $0) }
      }
    }
  }
}

extension Expression {
  /// JSON_OBJECT and JSON_ARRAY right inside one another are members, not texts.
  static func composingJSON(_ name: String, _ arguments: [Expression]) -> (String, [Expression]) {
    let names: Set = ["JSON_OBJECT", "JSON_ARRAY", "$JSON_OBJECT", "$JSON_ARRAY"]
    guard names.contains(name.uppercased()) else { return (name, arguments) }
    let marks = arguments.map { argument in
      if case .call(let inner, _, _) = argument { return names.contains(inner) }
      return false
    }
    if !marks.contains(true) { return (name, arguments) }
    let text = marks.map { $0 ? "1" : "0" }.joined()
    return ("$" + name.uppercased(), [.text(text)] + arguments)
  }
}

let jsonFunctions: [Function] =
  [
    Function("$IS_JSON", [.text, .text], .notNull(.boolean), seesNulls: true) {
      (call) throws(TerraceError) -> Column in
      let kind = call.constantText(1)?.uppercased() ?? "VALUE"
      return try call.test { (i) in
        if call.arguments[0].isNull(i) { return false }
        let text = call.bytes(0, i)
        let scanner = JSONScanner(text)
        guard scanner.isValid, let first = scanner.first else { return false }
        switch kind {
        case "OBJECT": return first == UInt8(ascii: "{")
        case "ARRAY": return first == UInt8(ascii: "[")
        case "SCALAR": return first != UInt8(ascii: "{") && first != UInt8(ascii: "[")
        default: return true
        }
      }
    },
    Function("JSON_EXISTS", [.text, .text], .type(.boolean)) {
      (call) throws(TerraceError) -> Column in
      let path = try path(call)
      return try call.test { (i) in JSONScanner(call.bytes(0, i)).find(path) != nil }
    },
    // A scalar as text; nothing for null, objects and arrays.
    lookup("JSON_VALUE") { scanner, text, found, out in
      switch text[found.lowerBound] {
      case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "n"): return false
      case UInt8(ascii: "\""): out += scanner.unescaped(found)
      default: out += text[found]
      }
      return true
    },
    // An object or an array as JSON; nothing for scalars.
    lookup("JSON_QUERY") { _, text, found, out in
      guard [UInt8(ascii: "{"), UInt8(ascii: "[")].contains(text[found.lowerBound]) else {
        return false
      }
      var isString = false
      var at = found.lowerBound
      while at < found.upperBound {
        let c = text[at]
        if isString && c == UInt8(ascii: "\\") {
          out += [c, text[at + 1]]
          at += 2
          continue
        }
        if c == UInt8(ascii: "\"") { isString.toggle() }
        if isString || ![0x20, 0x09, 0x0a, 0x0d].contains(c) { out.append(c) }
        at += 1
      }
      return true
    },
    // Everything but ASCII is escaped, and a slash.
    .text("JSON_QUOTE", [.text], result: .type(.string)) { (call, i, out) throws(TerraceError) in
      out.append(UInt8(ascii: "\""))
      for scalar in call.text(0, i).unicodeScalars {
        switch scalar {
        case "\"", "\\", "/": out += [UInt8(ascii: "\\"), UInt8(scalar.value)]
        case "\u{8}": out += Array("\\b".utf8)
        case "\u{c}": out += Array("\\f".utf8)
        case "\n": out += Array("\\n".utf8)
        case "\r": out += Array("\\r".utf8)
        case "\t": out += Array("\\t".utf8)
        case _ where scalar.isASCII: out.append(UInt8(scalar.value))
        default:
          for unit in String(scalar).utf16 {
            let digits = String(unit, radix: 16)
            out += Array("\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8)
          }
        }
      }
      out.append(UInt8(ascii: "\""))
      return true
    },
    // What is no JSON string stays as it is.
    .text("JSON_UNQUOTE", [.text], result: .type(.string)) { (call, i, out) throws(TerraceError) in
      let text = call.bytes(0, i)
      out += unquoted(text) ?? Array(text)
      return true
    },
    Function("JSON_STRING", [.any], .type(.string)) { (call) throws(TerraceError) -> Column in
      let value = call.arguments[0]
      return try call.build { (out, i) in
        var row: [UInt8] = []
        writeJSON(value.column, i & value.mask, call.context.zone, into: &row)
        row.withUnsafeBytes { out.append(bytes: $0) }
      }
    },
  ] + jsonArray + jsonObject

private let jsonArray = composed("JSON_ARRAY") { (parts, i, out) throws(TerraceError) in
  out.append(UInt8(ascii: "["))
  var isFirst = true
  // Null members are left out, as ABSENT ON NULL has it.
  for k in parts.values.indices where !parts.values[k].isNull(i) {
    if !isFirst { out.append(UInt8(ascii: ",")) }
    isFirst = false
    parts.write(k, i, into: &out)
  }
  out.append(UInt8(ascii: "]"))
}

private let jsonObject = composed("JSON_OBJECT") { (parts, i, out) throws(TerraceError) in
  guard parts.values.count % 2 == 0 else {
    throw parts.call.failure("takes keys and values in pairs", parts.values.count)
  }
  out.append(UInt8(ascii: "{"))
  for k in stride(from: 0, to: parts.values.count, by: 2) {
    let key = parts.values[k]
    guard key.column.physical == .bytes, !key.isNull(i) else {
      throw parts.call.failure("a key is text and not null", k / 2 + 1)
    }
    if k > 0 { out.append(UInt8(ascii: ",")) }
    quote(Array(key.bytes(i)), into: &out)
    out.append(UInt8(ascii: ":"))
    parts.write(k + 1, i, into: &out)
  }
  out.append(UInt8(ascii: "}"))
}
