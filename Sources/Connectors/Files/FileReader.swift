import Columns
import Formats
import Store

/// Some rows of a file.
struct FileBatch {
  var columns: [Column]
  var count: Int
  var kinds: Buffer?
  var letters: [DeadLetter] = []
  /// Records that were refused and passed over.
  var skipped = 0
  /// Nothing that follows in the file can be read.
  var endsFile = false

  init(columns: [Column], count: Int, kinds: Buffer? = nil) {
    self.columns = columns
    self.count = count
    self.kinds = kinds
  }

  /// What is left of a file that is damaged from here on.
  ///
  /// - Parameter rest: the first bytes that were not given, as far as there are any.
  init(
    endedBy error: TerraceError, at place: String, rest: [UInt8], _ reject: RecordFormat.Reject
  ) {
    self.init(columns: [], count: 0)
    endsFile = true
    if reject == .skip { skipped = 1 }
    if reject == .deadLetter {
      let reason = error.message + ": the rest of the file is not read"
      letters = [DeadLetter(row: 0, place: place, bytes: rest, reason: reason)]
    }
  }
}

/// Reads one file from a place on.
protocol FileReader: AnyObject {
  /// Nil at the present end of the file. The state is moved on.
  ///
  /// - Parameters:
  ///   - limit: offset to stop at, for reading again what was read before.
  ///   - isLast: the file is complete, so an unfinished last line counts.
  func read(
    _ state: inout FileState, rows: Int, bytes: Int, limit: Int?, isLast: Bool
  ) throws(TerraceError) -> FileBatch?
}

/// A file of text, packed or not.
final class TextFileReader: FileReader {
  private let decoder: any RecordDecoder
  private let reject: RecordFormat.Reject
  private let window: FileWindow
  private let name: String
  /// What places in it are named by.
  private let label: String
  private let isPacked: Bool
  private let inflater: InflatingStream?
  private var isLast = false
  /// Why there is nothing to read behind what is in memory.
  private var damage: TerraceError?

  init(
    _ source: any ByteSource, name: String, _ state: FileState, size: Int,
    _ decoder: any RecordDecoder, _ reject: RecordFormat.Reject
  ) throws(TerraceError) {
    self.decoder = decoder
    self.reject = reject
    self.name = name
    label = state.path
    let head = try source.read(at: 0, count: min(Packing.headBytes, source.byteCount, size))
    defer { withExtendedLifetime(head) {} }
    isPacked = try Packing.of(head.bytes, name: name) != .none
    if isPacked {
      let stream = FileStream(source, name: name, from: 0, to: size)
      let inflater = InflatingStream(stream)
      self.inflater = inflater
      window = FileWindow(inflater, offset: 0)
      if try !window.skip(state.offset) {
        throw TerraceError(.corrupted, "a packed file holds less than was read from it")
          .with("file", name)
      }
    } else {
      inflater = nil
      let stream = FileStream(source, name: name, from: state.offset, to: size)
      window = FileWindow(stream, offset: state.offset)
    }
  }

  func read(
    _ state: inout FileState, rows: Int, bytes: Int, limit: Int?, isLast: Bool
  ) throws(TerraceError) -> FileBatch? {
    self.isLast = isLast
    var whole = 0
    var madeUp = false
    // Small enough to stay in the processor's cache until it is decoded.
    let block = min(max(bytes, 64 << 10), 1 << 20)
    while true {
      if window.count < 4, window.offset == 0 { _ = try fill(block) }
      if window.offset == 0 { skipByteOrderMark() }
      whole = window.wholeLines
      if whole > 0 { break }
      if window.count > FileWindow.recordLimit { return try oversized(&state, block) }
      if try fill(block) { continue }
      if let damage, limit == nil { return damaged(&state, damage) }
      guard isLast, window.count > 0 else {
        state.hasRest = window.count > 0
        return nil
      }
      window.endLine()
      madeUp = true
      whole = window.count
      break
    }
    if let limit { whole = min(whole, limit - window.offset + (madeUp ? 1 : 0)) }
    if whole <= 0 { return nil }
    while true {
      let isEnd = isLast && window.isEnded
      let shape = RecordText.Shape.lines(isLast: isEnd, rows: rows)
      let records = try decoder.decode(
        RecordText(bytes: window.base, count: whole, shape: shape))
      if records.consumed == 0 {
        // A record of several lines that is not whole yet.
        if window.count > FileWindow.recordLimit { return try oversized(&state, block) }
        if try fill(block) {
          whole = window.wholeLines
          continue
        }
        if let damage, limit == nil { return damaged(&state, damage) }
        if isLast, !madeUp, window.count > whole {
          window.endLine()
          madeUp = true
          whole = window.count
          continue
        }
        // That it is the end was seen after the record was looked at.
        if isLast, !isEnd, window.isEnded { continue }
        state.hasRest = true
        return nil
      }
      return try batch(records, &state, endsMadeUp: madeUp && records.consumed == whole)
    }
  }

  /// An unpacker that meets the end too early waits for the rest of a file that is still written. What is
  /// damaged otherwise ends the file: the records before count.
  private func fill(_ bytes: Int) throws(TerraceError) -> Bool {
    if damage != nil { return false }
    do throws(TerraceError) { return try window.fill(bytes) } catch {
      if inflater?.isCut == true, !isLast { return false }
      if error.kind != .corrupted || reject == .fail { throw error }
      damage = error
      return false
    }
  }

  private func damaged(_ state: inout FileState, _ damage: TerraceError) -> FileBatch {
    let rest = UnsafeRawBufferPointer(start: window.base, count: min(window.count, 4096))
    state.hasRest = false
    return FileBatch(
      endedBy: damage, at: "\(label):\(state.lines + 1)", rest: Array(rest), reject)
  }

  private func skipByteOrderMark() {
    guard window.count >= 3 else { return }
    let base = window.base
    if base[0] == 0xef, base[1] == 0xbb, base[2] == 0xbf { window.consume(3) }
  }

  private func batch(
    _ records: DecodedRecords, _ state: inout FileState, endsMadeUp: Bool
  ) throws(TerraceError) -> FileBatch {
    var batch = FileBatch(columns: records.columns, count: records.count, kinds: records.kinds)
    if reject == .skip {
      batch.skipped = records.rejects.count
    } else {
      for line in records.rejects {
        let place = "\(label):\(state.lines + line.line + 1)"
        if reject == .fail {
          throw TerraceError(.invalid, line.reason).with("file", name)
            .with("line", state.lines + line.line + 1)
        }
        let raw = UnsafeRawBufferPointer(
          start: window.base + line.range.lowerBound, count: line.range.count)
        batch.letters.append(
          DeadLetter(row: line.row, place: place, bytes: Array(raw), reason: line.reason))
      }
    }
    advance(&state, records.consumed, lines: records.lines)
    if endsMadeUp {
      window.trim()
      state.offset = window.offset
      state.tailLength = 0
    }
    return batch
  }

  private func advance(_ state: inout FileState, _ count: Int, lines: Int) {
    if isPacked {
      state.tailLength = 0
    } else {
      let tail = min(count, FileState.tailBytes)
      state.tailLength = tail
      state.tailHash = FileState.hash(
        UnsafeRawBufferPointer(start: window.base + (count - tail), count: tail))
    }
    window.consume(count)
    state.offset = window.offset
    state.lines += lines
    state.hasRest = false
  }

  /// Refuses a record that is too long and passes over its line.
  private func oversized(
    _ state: inout FileState, _ block: Int
  ) throws(TerraceError) -> FileBatch? {
    let reason = "a record over \(FileWindow.recordLimit) bytes"
    let place = "\(label):\(state.lines + 1)"
    if reject == .fail { throw TerraceError(.invalid, reason).with("file", name) }
    let head = Array(UnsafeRawBufferPointer(start: window.base, count: 4096))
    var line = window.wholeLines
    while line == 0 {
      let held = window.count
      window.consume(held)
      if try !fill(block) { break }
      line = window.wholeLines
    }
    if line > 0, let end = firstLine() { window.consume(end) }
    state.offset = window.offset
    state.tailLength = 0
    state.lines += 1
    var batch = FileBatch(columns: [], count: 0)
    if reject == .skip { batch.skipped = 1 }
    if reject == .deadLetter {
      batch.letters = [DeadLetter(row: 0, place: place, bytes: head, reason: reason)]
    }
    return batch
  }

  private func firstLine() -> Int? {
    let base = window.base
    for i in 0..<window.count where base[i] == 0x0a { return i + 1 }
    return nil
  }
}

/// A Parquet or Avro file; its offset counts rows.
final class RowFileReader: FileReader {
  private enum Rows {
    case parquet(ParquetScan)
    case avro(AvroReader)
  }
  private let file: Rows
  private let reject: RecordFormat.Reject
  private let type: RowType
  private var rest: Batch?
  private var skip: Int

  init(
    _ source: any ByteSource, name: String, _ state: FileState, _ type: RowType,
    _ format: RecordFormat
  ) throws(TerraceError) {
    reject = format.reject
    self.type = type
    // As with text, no value is larger than a record may be.
    var limits = (avro: AvroLimits(), parquet: ParquetLimits())
    limits.avro.blockBytes = FileWindow.recordLimit
    limits.avro.batchBytes = FileWindow.recordLimit / 2
    limits.parquet.pageBytes = FileWindow.recordLimit
    limits.parquet.batchBytes = 8 * FileWindow.recordLimit
    do throws(TerraceError) {
      file =
        format.kind == .avro
        ? .avro(try AvroReader(source, as: type, limits: limits.avro))
        : .parquet(try ParquetFile(source).scan(type, limits: limits.parquet))
    } catch { throw error.facts.contains { $0.name == "file" } ? error : error.with("file", name) }
    skip = state.offset
  }

  private func more() throws(TerraceError) -> Batch? {
    switch file {
    case .parquet(let scan): try scan.next()
    case .avro(let reader): try reader.next()
    }
  }

  func read(
    _ state: inout FileState, rows: Int, bytes: Int, limit: Int?, isLast: Bool
  ) throws(TerraceError) -> FileBatch? {
    while true {
      var next = rest
      do throws(TerraceError) {
        if next == nil { next = try more() }
      } catch {
        if error.kind != .corrupted || reject == .fail || limit != nil {
          throw error.facts.contains { $0.name == "file" } ? error : error.with("file", state.path)
        }
        let place = "\(state.path):\(state.offset + 1)"
        return FileBatch(endedBy: error, at: place, rest: [], reject)
      }
      guard var batch = next else { return nil }
      rest = nil
      if skip >= batch.count {
        skip -= batch.count
        continue
      }
      if skip > 0 {
        batch = batch.slice(skip..<batch.count)
        skip = 0
      }
      var count = min(batch.count, max(rows, 1))
      if let limit { count = min(count, limit - state.offset) }
      if count <= 0 { return nil }
      if count < batch.count { rest = batch.slice(count..<batch.count) }
      let first = state.offset
      state.offset += count
      return try checked(batch.slice(0..<count), first, state.path)
    }
  }

  /// Puts rows aside that have a null where none may be: the file's own columns may all be null.
  ///
  /// - Parameter first: rows of the file before these.
  private func checked(
    _ part: Batch, _ first: Int, _ path: String
  ) throws(TerraceError) -> FileBatch {
    let notNull = type.fields.indices.filter {
      !type.fields[$0].type.isNullable && part.columns[$0].nullCount > 0
    }
    if notNull.isEmpty { return FileBatch(columns: part.columns, count: part.count) }
    var kept: [Int32] = []
    var letters: [DeadLetter] = []
    let text = ByteWriter()
    for row in 0..<part.count {
      guard let column = notNull.first(where: { part.columns[$0].isNull(row) }) else {
        kept.append(Int32(row))
        continue
      }
      let reason =
        "null in a column that may not be null, field \(type.fields[column].name)"
      if reject == .fail {
        throw TerraceError(.invalid, reason).with("file", path).with("row", first + row + 1)
      }
      text.removeAll()
      JSONRows(type).append(part, row, to: text)
      letters.append(
        DeadLetter(
          row: kept.count, place: "\(path):\(first + row + 1)", bytes: Array(text.bytes),
          reason: reason))
    }
    let rows = part.gather(kept, count: kept.count)
    var batch = FileBatch(columns: rows.columns, count: rows.count)
    if reject == .skip { batch.skipped = letters.count } else { batch.letters = letters }
    return batch
  }
}
