internal import Columns
internal import Store

/// CAST and TRY_CAST as Flink 2.3 does them, where they differ from the casts of a changed column
/// type: text that does not parse fails (or is null), booleans are `TRUE`, times obey the session
/// zone, nested values have a text. The rest is `Cast`.
struct TextCast {
  let context: EvaluationContext
  let orNull: Bool

  func apply(_ column: Column, to type: DataType) throws(TerraceError) -> Column {
    let target = type.nullable
    if column.type.kind == type.kind { return column.retyped(target) }
    let (from, to) = (TypeRules.family(column.type), TypeRules.family(type))
    switch (from, to) {
    case (.null, _): return Column.repeatingNull(target, count: column.count)
    case (.text, .text), (.text, .binary), (.binary, .binary), (.number, .number),
      (.boolean, .number), (.number, .boolean):
      return try Cast.apply(column, to: target)
    case (.text, .number), (.text, .boolean), (.text, .date), (.text, .time), (.text, .timestamp),
      (.text, .localTimestamp):
      return try parse(column, to: target)
    case (_, .text):
      let text = from == .binary ? column.retyped(.string) : format(column)
      return target.kind == DataType.string.kind ? text : try Cast.apply(text, to: target)
    case (.array, .array), (.map, .map), (.row, .row): return try nested(column, to: target)
    default: return times(column, to: target)
    }
  }

  // MARK: - Text to value

  private func parse(_ column: Column, to type: DataType) throws(TerraceError) -> Column {
    let out = ColumnBuilder(type, capacity: column.count)
    for row in 0..<column.count {
      if column.isNull(row) {
        out.appendNull()
      } else if !parse(TextCast.trimmed(column.bytes(row)), into: out) {
        if !orNull {
          throw TerraceError(.invalid, "text is no \(type.text)")
            .with("function", "CAST")
            .with("value", "'\(String(decoding: column.bytes(row), as: UTF8.self))'")
            .hint("TRY_CAST gives NULL instead")
        }
        out.appendNull()
      }
    }
    return out.finish()
  }

  static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    var slice = bytes[...]
    while let first = slice.first, first <= 0x20 { slice = slice.dropFirst() }
    while let last = slice.last, last <= 0x20 { slice = slice.dropLast() }
    return UnsafeRawBufferPointer(rebasing: slice)
  }

  /// Appends the value of a text; false, and nothing appended, when it has none.
  private func parse(_ text: UnsafeRawBufferPointer, into out: ColumnBuilder) -> Bool {
    switch out.type.kind {
    case .tinyint: return integer(text, Int8.self, out)
    case .smallint: return integer(text, Int16.self, out)
    case .int: return integer(text, Int32.self, out)
    case .bigint: return integer(text, Int64.self, out)
    case .float, .double:
      guard let value = TextCast.double(text) else { return false }
      if out.physical == .float32 { out.append(Float(value)) } else { out.append(value) }
      return true
    case .decimal(let precision, let scale):
      guard let (digits, from) = Decimal.parse(text) else { return false }
      // What is a number but does not fit is null, as for all casts to DECIMAL.
      guard let value = Decimal.rescale(digits, from: from, to: scale, precision: precision) else {
        out.appendNull()
        return true
      }
      if out.physical == .int64 { out.append(Int64(value)) } else { out.append(value) }
      return true
    case .boolean:
      switch String(decoding: text, as: UTF8.self).lowercased() {
      case "true", "t", "yes", "y", "1": out.append(UInt8(1))
      case "false", "f", "no", "n", "0": out.append(UInt8(0))
      default: return false
      }
      return true
    case .time:
      var at = 0
      guard let nanos = Calendar.parseTime(text, &at), at == text.count else { return false }
      out.append(Int32(nanos / 1_000_000))
      return true
    case .date:
      guard let days = Calendar.parseTimestamp(text)?.days ?? Calendar.parseShortDate(text) else {
        return false
      }
      Moment.append(out, days, 0, context.zone)
      return true
    default:
      guard let (days, nanos) = Calendar.parseTimestamp(text) else { return false }
      Moment.append(out, days, nanos, context.zone)
      return true
    }
  }

  /// Digits with a sign; a fraction is allowed and cut. What does not fit the type is no value.
  private func integer<T: FixedWidthInteger & BitwiseCopyable>(
    _ text: UnsafeRawBufferPointer, _: T.Type, _ out: ColumnBuilder
  ) -> Bool {
    var at = 0
    var negative = false
    if let sign = text.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
      negative = sign == UInt8(ascii: "-")
      at = 1
    }
    var value: T = 0
    let start = at
    while at < text.count, text[at] >= 0x30, text[at] <= 0x39 {
      let (scaled, over) = value.multipliedReportingOverflow(by: 10)
      let digit = T(truncatingIfNeeded: text[at] - 0x30)
      let (sum, more) =
        negative
        ? scaled.subtractingReportingOverflow(digit) : scaled.addingReportingOverflow(digit)
      if over || more { return false }
      value = sum
      at += 1
    }
    if at == start { return false }
    if at < text.count {
      guard text[at] == UInt8(ascii: ".") else { return false }
      at += 1
      while at < text.count, text[at] >= 0x30, text[at] <= 0x39 { at += 1 }
      if at < text.count { return false }
    }
    out.append(value)
    return true
  }

  static func double(_ text: UnsafeRawBufferPointer) -> Double? {
    let string = String(decoding: text, as: UTF8.self)
    switch string {
    case "NaN": return .nan
    case "Infinity", "+Infinity": return .infinity
    case "-Infinity": return -.infinity
    default:
      // Swift also reads `inf`, `nan` and hexadecimal, which Java does not.
      guard let first = text.first, first < 0x3a, !string.contains("x"), !string.contains("n")
      else { return nil }
      // Java's letters for the type: 1d, 1.5f.
      if let last = text.last, "fFdD".utf8.contains(last), text.count > 1 {
        return Double(string.dropLast())
      }
      return Double(string)
    }
  }

  // MARK: - Value to text

  private func format(_ column: Column) -> Column {
    let out = ColumnBuilder(DataType.string, capacity: column.count)
    let writer = ValueText(zone: context.zone)
    var text: [UInt8] = []
    for row in 0..<column.count {
      if column.isNull(row) {
        out.appendNull()
        continue
      }
      text.removeAll(keepingCapacity: true)
      writer.write(column, row, into: &text)
      text.withUnsafeBytes { out.append(bytes: $0) }
    }
    return out.finish()
  }

  // MARK: - Times and nested values

  private func times(_ column: Column, to type: DataType) -> Column {
    let out = ColumnBuilder(type, capacity: column.count)
    for row in 0..<column.count {
      if column.isNull(row) {
        out.appendNull()
      } else {
        let (days, nanos) = Moment.read(column, row, context.zone)
        Moment.append(out, days, nanos, context.zone)
      }
    }
    return out.finish()
  }

  private func nested(_ column: Column, to type: DataType) throws(TerraceError) -> Column {
    var children: [Column] = []
    switch type.kind {
    case .array(let element): children = [try apply(column.children[0], to: element)]
    case .map(let key, let value):
      children = [
        try apply(column.children[0], to: key), try apply(column.children[1], to: value),
      ]
    case .multiset(let element):
      children = [try apply(column.children[0], to: element), column.children[1]]
    case .row(let fields):
      for (child, field) in zip(column.children, fields) {
        children.append(try apply(child, to: field.type))
      }
    default: break
    }
    var offsets: Buffer?
    if column.physical.hasOffsets {
      offsets = Buffer(
        copying: UnsafeRawBufferPointer(start: column.offsets, count: (column.count + 1) * 4))
    }
    return Column(
      type: type, count: column.count, values: nil, offsets: offsets, validity: column.validity,
      children: children)
  }
}
