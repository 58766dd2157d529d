import Columns

/// Values by other conventions: numbers as times, bytes in base64 and hexadecimal, decimals as bytes.
extension JSONRecordParser {
  /// A number in a column of dates or times.
  func epoch(_ node: Node, _ start: Bytes, _ end: Bytes) throws(TextProblem) {
    let text = UnsafeRawBufferPointer(start: start, count: end - start)
    let value = try ValueParser.integer(text)
    let unit = node.pointee.epochs
    let digits = Int(node.pointee.digits)
    if node.pointee.op == .date {
      let day: Int64
      if unit == .byType || unit == .days || unit == .connect {
        day = value
      } else {
        let total = ConventionalText.nanoseconds(value, unit, digits: 0, isMoment: false)
        day = Int64(truncatingIfNeeded: floorDivide(total, 86_400_000_000_000))
      }
      // Years up to a few millions.
      guard day.magnitude < 1 << 31, let narrow = Int32(exactly: day) else { throw .outOfRange }
      return node.pointee.append(narrow)
    }
    let total = ConventionalText.nanoseconds(
      value, unit, digits: digits, isMoment: node.pointee.op != .time)
    if node.pointee.op == .time {
      if total < 0 || total >= 86_400_000_000_000 { throw .outOfRange }
      // Times are held in milliseconds, whatever their type says.
      return node.pointee.append(Int32(truncatingIfNeeded: total / 1_000_000))
    }
    if digits > 6 { return node.pointee.append(total) }
    let scaled = floorDivide(total, digits <= 3 ? 1_000_000 : 1_000)
    guard let narrow = Int64(exactly: scaled), narrow.magnitude < 1 << 60 else {
      throw .outOfRange
    }
    node.pointee.append(narrow)
  }

  private func floorDivide(_ value: Int128, _ by: Int128) -> Int128 {
    let (quotient, rest) = value.quotientAndRemainder(dividingBy: by)
    return rest < 0 ? quotient - 1 : quotient
  }

  /// A quoted value of a BYTES column.
  func binary(_ node: Node, _ text: UnsafeBufferPointer<UInt8>) throws(TextProblem) {
    let out = ByteWriter(capacity: text.count)
    defer { withExtendedLifetime(out) {} }
    if node.pointee.binary == .base64 {
      try ConventionalText.base64(UnsafeRawBufferPointer(text), to: out)
    } else {
      try ConventionalText.hex(UnsafeRawBufferPointer(text), to: out)
    }
    if out.count > Int(node.pointee.precision) { throw .tooLong }
    node.pointee.builder._withUnsafeGuaranteedRef { $0.append(bytes: out.bytes) }
  }

  /// A quoted value of a DECIMAL column that is no plain number.
  func decimalBytes(
    _ node: Node, _ text: UnsafeBufferPointer<UInt8>, scale: Int? = nil
  ) throws(TextProblem) {
    let out = ByteWriter(capacity: text.count)
    defer { withExtendedLifetime(out) {} }
    do throws(TextProblem) {
      try ConventionalText.base64(UnsafeRawBufferPointer(text), to: out)
    } catch { throw node.pointee.decimals == .bytes ? error : .notNumber }
    let unscaled = try ConventionalText.number(out.bytes)
    let wanted = Int(node.pointee.digits)
    let stored = node.pointee.storedScale
    let from = scale ?? (stored == .min ? wanted : Int(stored))
    // By its digits: one rule for all that does not fit.
    out.removeAll()
    out.append(String(unscaled))
    if from != 0 {
      out.append("e" as StaticString)
      ValueText.append(Int64(-from), to: out)
    }
    try scalars.long(node, out.bytes)
  }

  /// `{"scale": 2, "value": "AYg="}`: a decimal without a fixed scale, as Debezium writes it.
  func variableDecimal(_ node: Node, _ at: inout Bytes) throws(RecordProblem) {
    let start = at
    at = try JSONSkipper.skip(at, self)
    let whole = UnsafeRawBufferPointer(start: start, count: at - start)
    guard let document = parsed(whole), let scale = document["scale"]?.asInt,
      let value = document["value"]?.asString, (-1000...1000).contains(scale)
    else { throw problem(.wrongKind, start, node) }
    var text = value
    do throws(TextProblem) {
      let result: Result<Void, TextProblem> = text.withUTF8 { bytes in
        Result { () throws(TextProblem) in try decimalBytes(node, bytes, scale: Int(scale)) }
      }
      try result.get()
    } catch {
      var problem = problem(.value, start, node)
      problem.problem = error
      throw problem
    }
  }

  private func parsed(_ text: UnsafeRawBufferPointer) -> JSONValue? {
    // What is no document is told as a value of another kind.
    try? JSONValue.parse(text, limit: 1 << 16)
  }
}
