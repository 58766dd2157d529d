package import Columns

/// How a file is made ready to be looked into by key: see ``ParquetLookupWriter``.
package struct ParquetLookupOptions: Sendable {
  /// Top-level columns by which the rows ascend, each key once, and their types as keys.
  package var columns: [Int]
  package var types: [DataType]
  /// A page takes about as many bytes in the file.
  package var pageBytes: Int

  package init(columns: [Int], types: [DataType], pageBytes: Int) {
    self.columns = columns
    self.types = types
    self.pageBytes = pageBytes
  }
}

/// Writes the *lookup index* of a file: what it takes to read the rows of a key without reading an index
/// of all pages before.
///
/// The rows of a row group are cut into *stripes* of equal length, and pages are closed where stripes end. A
/// stripe has a *separator*: bytes above all keys before it, and not above those in it. What begins with
/// one stripe and ends with another is a *unit* of pages of a column. 64 stripes are a *block*; the blocks lie between the
/// last row group and the footer, and behind them their *directory*, which is small enough to be held in memory.
///
///     block:     of each column the unit that the first stripe lies in: offset, bytes, stripes it began before;
///                of each further stripe the separator, and of each column the bytes of the unit that
///                begins there, 0 when none does; CRC-32
///     directory: rows of a stripe, columns, key types as text, offset of the first block, row groups;
///                of each group its blocks; of each block the separator of its first stripe, bytes; CRC-32
///
/// All numbers are LEB128. A separator is the number of bytes it shares with the one before, the number of those that
/// differ, and those. The footer names the directory under ``key``. Other readers pass it all by.
final class ParquetLookupWriter {
  static let key = "terrace.lookup"
  static let version = 1
  static let blockStripes = 64

  let stripeRows: Int
  private let options: ParquetLookupOptions
  private let encoder: KeyEncoder
  private let blocks = ByteWriter()
  private let directory = ByteWriter()
  private var groupBlocks: [Int] = []
  /// Of the open row group.
  private let separators = ByteWriter()
  private var ends: [Int] = []
  /// The key of the last row.
  private var last = ByteWriter(capacity: 64)
  private var next = ByteWriter(capacity: 64)
  private var hasRows = false
  private var listed: [UInt8] = []

  /// - Parameter first: the rows that come first: wide ones make short stripes.
  init(_ options: ParquetLookupOptions, first: Batch) {
    self.options = options
    encoder = KeyEncoder(options.types)
    let wanted = options.pageBytes * 8 / max(1, first.byteCount / max(1, first.count))
    stripeRows = min(1024, max(8, 1 << (Int.bitWidth - 1 - max(1, wanted).leadingZeroBitCount)))
  }

  /// Notes rows before they are written.
  ///
  /// - Parameter groupRow: rows of the row group before them.
  func note(_ batch: Batch, groupRow: Int) {
    if batch.count == 0 { return }
    let first = (stripeRows - groupRow % stripeRows) % stripeRows
    let starts = stride(from: first, to: batch.count, by: stripeRows)
    var rows: [Int32] = []
    for start in starts {
      if start > 0 { rows.append(Int32(start - 1)) }
      rows.append(Int32(start))
    }
    rows.append(Int32(batch.count - 1))
    let columns = options.columns.map { batch.columns[$0].gather(rows, count: rows.count) }
    let keys = encoder.encode(columns, count: rows.count)
    func load(_ row: Int, _ out: ByteWriter) {
      out.removeAll()
      ParquetLookupKeys.append(keys, row, encoder, tail: 0, to: out)
    }
    var at = 0
    for start in starts {
      if start > 0 {
        load(at, last)
        at += 1
      }
      load(at, next)
      at += 1
      // The first stripe of a file has nothing before it.
      let length = hasRows ? Self.shared(last.bytes, next.bytes) + 1 : 0
      hasRows = true
      separators.append(UnsafeRawBufferPointer(rebasing: next.bytes[..<min(next.count, length)]))
      ends.append(separators.count)
    }
    load(at, last)
  }

  private static func shared(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
    let most = min(a.count, b.count)
    var n = 0
    while n < most && a[n] == b[n] { n += 1 }
    return n
  }

  private func separator(_ stripe: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      rebasing: separators.bytes[(stripe == 0 ? 0 : ends[stripe - 1])..<ends[stripe]])
  }

  private struct Unit {
    var stripe: Int
    var offset: Int
    var byteCount: Int
  }

  private func units(_ pages: [ParquetChunkBuilder.Page], _ dataOffset: Int) -> [Unit] {
    var units: [Unit] = []
    for page in pages {
      if page.firstRow % stripeRows == 0 || units.isEmpty {
        units.append(
          Unit(
            stripe: page.firstRow / stripeRows, offset: dataOffset + page.offset,
            byteCount: page.byteCount))
      } else {
        units[units.count - 1].byteCount += page.byteCount
      }
    }
    return units
  }

  /// - Parameter columns: of each leaf its pages, and where the first of them lies.
  func closeGroup(_ columns: [(pages: [ParquetChunkBuilder.Page], dataOffset: Int)]) {
    let units = columns.map { self.units($0.pages, $0.dataOffset) }
    var at = units.map { _ in 0 }
    var count = 0
    for first in stride(from: 0, to: ends.count, by: Self.blockStripes) {
      let start = blocks.count
      for (c, units) in units.enumerated() {
        while at[c] + 1 < units.count && units[at[c] + 1].stripe <= first { at[c] += 1 }
        blocks.appendVarint(UInt64(units[at[c]].offset))
        blocks.appendVarint(UInt64(units[at[c]].byteCount))
        blocks.appendVarint(UInt64(first - units[at[c]].stripe))
      }
      for stripe in first + 1..<max(first + 1, min(first + Self.blockStripes, ends.count)) {
        Self.append(separator(stripe), after: separator(stripe - 1), to: blocks)
        for (c, units) in units.enumerated() {
          let begins = at[c] + 1 < units.count && units[at[c] + 1].stripe == stripe
          at[c] += begins ? 1 : 0
          blocks.appendVarint(begins ? UInt64(units[at[c]].byteCount) : 0)
        }
      }
      Self.appendChecksum(blocks, from: start)
      listed.withUnsafeBytes { Self.append(separator(first), after: $0, to: directory) }
      listed = Array(separator(first))
      directory.appendVarint(UInt64(blocks.count - start))
      count += 1
    }
    groupBlocks.append(count)
    separators.removeAll()
    ends = []
  }

  private static func append(
    _ bytes: UnsafeRawBufferPointer, after before: UnsafeRawBufferPointer, to out: ByteWriter
  ) {
    let same = shared(before, bytes)
    out.appendVarint(UInt64(same))
    out.appendVarint(UInt64(bytes.count - same))
    out.append(UnsafeRawBufferPointer(rebasing: bytes[same...]))
  }

  private static func appendChecksum(_ out: ByteWriter, from start: Int) {
    out.appendRaw(crc32(UnsafeRawBufferPointer(rebasing: out.bytes[start...])))
  }

  /// Appends blocks and directory, which will lie at `offset` of the file.
  ///
  /// - Returns: what the footer says of it.
  func write(leaves: Int, at offset: Int, into out: ByteWriter) -> (String, String) {
    let begin = offset + out.count
    out.append(blocks.bytes)
    let start = out.count
    let types = options.types.map(\.text).joined(separator: ", ")
    for number in [stripeRows, leaves, types.utf8.count] { out.appendVarint(UInt64(number)) }
    out.append(types)
    out.appendVarint(UInt64(begin))
    out.appendVarint(UInt64(groupBlocks.count))
    for count in groupBlocks { out.appendVarint(UInt64(count)) }
    out.append(directory.bytes)
    Self.appendChecksum(out, from: start)
    return (Self.key, "\(Self.version) \(offset + start) \(out.count - start)")
  }
}
