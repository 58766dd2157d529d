package import Columns

/// Rows as JSON lines: one object a row, in the order of the columns; nulls are written.
///
/// The values are those of ``ValueFormat/appendJSON(_:_:to:)``.
package struct JSONRows {
  private let formats: [ValueFormat]
  private let names: [[UInt8]]
  private let isResult: Bool

  /// - Parameter isResult: values are those of ``ValueFormat/appendResultJSON(_:_:to:)``.
  package init(_ type: RowType, isResult: Bool = false) {
    self.isResult = isResult
    formats = type.fields.map { ValueFormat($0.type) }
    names = type.fields.map { ValueFormat.jsonName($0.name) }
  }

  /// Appends one row's object, without a line end.
  package func append(_ batch: Batch, _ row: Int, to out: ByteWriter) {
    out.append(UInt8(ascii: "{"))
    for index in 0..<formats.count {
      if index > 0 { out.append(UInt8(ascii: ",")) }
      names[index].withUnsafeBytes { out.append($0) }
      formats[index].appendJSON(batch.columns[index], row, to: out)
    }
    out.append(UInt8(ascii: "}"))
  }

  /// Appends every row and a line end after each.
  package func append(_ batch: Batch, to out: ByteWriter) {
    let cells = RowCells(formats, batch)
    defer { withExtendedLifetime((batch, formats)) {} }
    for row in 0..<batch.count {
      out.append(UInt8(ascii: "{"))
      for index in 0..<cells.count {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        names[index].withUnsafeBytes { out.append($0) }
        if isResult {
          cells.appendResultJSON(index, row, to: out)
        } else {
          cells.appendJSON(index, row, to: out)
        }
      }
      out.append(UInt8(ascii: "}"))
      out.append(0x0a)
    }
  }
}

/// The columns of a batch with their formats, for loops over rows: nothing is retained per value.
/// The batch and the formats must be kept alive.
private struct RowCells {
  private let pairs: [(format: Unmanaged<ValueFormat>, column: Unmanaged<Column>)]

  init(_ formats: [ValueFormat], _ batch: Batch) {
    pairs = zip(formats, batch.columns).map {
      (Unmanaged.passUnretained($0), Unmanaged.passUnretained($1))
    }
  }

  var count: Int { pairs.count }

  @inline(__always) func isNull(_ index: Int, _ row: Int) -> Bool {
    pairs[index].column._withUnsafeGuaranteedRef { $0.isNull(row) }
  }

  func column(_ index: Int) -> Column { pairs[index].column.takeUnretainedValue() }

  /// Of a column of bytes.
  func bytes(_ index: Int, _ row: Int) -> UnsafeRawBufferPointer {
    pairs[index].column._withUnsafeGuaranteedRef { $0.bytes(row) }
  }

  @inline(__always) func appendJSON(_ index: Int, _ row: Int, to out: ByteWriter) {
    pairs[index].format._withUnsafeGuaranteedRef { format in
      pairs[index].column._withUnsafeGuaranteedRef { format.appendJSON($0, row, to: out) }
    }
  }

  @inline(__always) func appendResultJSON(_ index: Int, _ row: Int, to out: ByteWriter) {
    pairs[index].format._withUnsafeGuaranteedRef { format in
      pairs[index].column._withUnsafeGuaranteedRef { format.appendResultJSON($0, row, to: out) }
    }
  }

  @inline(__always) func append(_ index: Int, _ row: Int, to out: ByteWriter) {
    pairs[index].format._withUnsafeGuaranteedRef { format in
      pairs[index].column._withUnsafeGuaranteedRef { format.append($0, row, to: out) }
    }
  }
}

/// Rows as CSV (RFC 4180, with `\n` as the line end): quotes only where they are needed.
///
/// Nested values are JSON text, or as ``CSVOptions/Flink`` says, other values as ``ValueText`` prints them.
package struct CSVRows {
  private let formats: [ValueFormat]
  private let header: [String]
  private let options: CSVOptions
  private let null: [UInt8]
  private let cell = ByteWriter()
  /// Of Flink's: columns whose bytes are written in base64, and what writes arrays and rows.
  private let base64: [Bool]
  private let elements: [CSVElements?]

  package init(_ type: RowType, options: CSVOptions = CSVOptions()) {
    base64 = type.fields.map { options.flink != nil && $0.type.isBinary }
    elements = type.fields.map { field in
      options.flink.flatMap { CSVElements(field.type, $0, options.null) }
    }
    formats = type.fields.map { ValueFormat($0.type) }
    header = type.fields.map(\.name)
    self.options = options
    null = Array(options.null.utf8)
  }

  /// Appends the record of column names.
  package func appendHeader(to out: ByteWriter) {
    for (index, name) in header.enumerated() {
      if index > 0 { out.append(options.delimiter) }
      cell.removeAll()
      cell.append(name)
      appendCell(to: out)
    }
    out.append(0x0a)
  }

  /// Appends every row and a line end after each.
  package func append(_ batch: Batch, to out: ByteWriter) {
    let cells = RowCells(formats, batch)
    defer { withExtendedLifetime((batch, formats)) {} }
    for row in 0..<batch.count {
      append(cells, row, to: out)
      out.append(0x0a)
    }
  }

  /// Appends one row, without a line end.
  package func append(_ batch: Batch, _ row: Int, to out: ByteWriter) {
    append(RowCells(formats, batch), row, to: out)
    withExtendedLifetime((batch, formats)) {}
  }

  private func append(_ cells: RowCells, _ row: Int, to out: ByteWriter) {
    for index in 0..<cells.count {
      if index > 0 { out.append(options.delimiter) }
      if cells.isNull(index, row) {
        null.withUnsafeBytes { out.append($0) }
        continue
      }
      cell.removeAll()
      if base64[index] {
        Base64Text.append(cells.bytes(index, row), to: cell)
      } else if let elements = elements[index] {
        elements.append(cells.column(index), row, to: cell)
      } else {
        cells.append(index, row, to: cell)
      }
      appendCell(to: out)
    }
  }

  private func appendCell(to out: ByteWriter) {
    let bytes = cell.bytes
    if !needsQuotes(bytes) { return out.append(bytes) }
    if options.quote == CSVOptions.noQuote { return appendEscaped(bytes, to: out) }
    out.append(options.quote)
    for byte in bytes {
      if let escape = options.escape {
        if byte == options.quote || byte == escape { out.append(escape) }
      } else if byte == options.quote {
        out.append(byte)
      }
      out.append(byte)
    }
    out.append(options.quote)
  }

  /// Without quotes: what would end the field stands behind the escape, line ends as letters. Without an escape
  /// either, it is a blank: the record stays one.
  private func appendEscaped(_ bytes: UnsafeRawBufferPointer, to out: ByteWriter) {
    for byte in bytes {
      let isLineEnd = byte == 0x0a || byte == 0x0d
      guard isLineEnd || byte == options.delimiter || byte == options.escape else {
        out.append(byte)
        continue
      }
      guard let escape = options.escape else {
        out.append(UInt8(ascii: " "))
        continue
      }
      out.append(escape)
      out.append(byte == 0x0a ? UInt8(ascii: "n") : byte == 0x0d ? UInt8(ascii: "r") : byte)
    }
  }

  private func needsQuotes(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if bytes.count == null.count, bytes.elementsEqual(null) { return true }
    for byte in bytes
    where byte == options.delimiter || byte == options.quote || byte == 0x0a || byte == 0x0d
      || byte == options.escape
    {
      return true
    }
    return false
  }
}
