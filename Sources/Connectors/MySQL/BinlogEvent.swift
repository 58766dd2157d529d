import Columns
import Formats
import Glibc

/// Numbers of MySQL's and MariaDB's binary log events (log_event.h).
enum BinlogType {
  static let query: UInt8 = 2, stop: UInt8 = 3, rotate: UInt8 = 4
  static let formatDescription: UInt8 = 15, xid: UInt8 = 16, tableMap: UInt8 = 19
  static let executeLoad: UInt8 = 18
  static let incident: UInt8 = 26, heartbeat: UInt8 = 27, heartbeat2: UInt8 = 41
  static let gtidLog: UInt8 = 33, anonymousGTID: UInt8 = 34, previousGTIDs: UInt8 = 35
  static let xaPrepare: UInt8 = 38, partialUpdate: UInt8 = 39, payload: UInt8 = 40
  static let gtidTagged: UInt8 = 42
  static let gtid: UInt8 = 162, gtidList: UInt8 = 163, startEncryption: UInt8 = 164
  static let queryCompressed: UInt8 = 165
}

/// The 19 bytes before every event.
struct BinlogHeader {
  static let byteCount = 19
  /// Seconds since 1970 of the statement's start.
  var seconds: UInt32
  var type: UInt8
  var server: UInt32
  var length: Int
  /// Offset behind the event in its file; 0 for events that are made up for us.
  var next: UInt64
  var flags: UInt16

  /// Made up by the server, in no file: it moves no position.
  var isArtificial: Bool { flags & 0x20 != 0 || next == 0 }

  init(_ cursor: inout ByteCursor) throws(TerraceError) {
    seconds = try cursor.readRaw(UInt32.self)
    type = try cursor.readByte()
    server = try cursor.readRaw(UInt32.self)
    length = Int(try cursor.readRaw(UInt32.self))
    next = UInt64(try cursor.readRaw(UInt32.self))
    flags = try cursor.readRaw(UInt16.self)
  }
}

/// What an event says. Bytes are valid until the next event is read.
enum BinlogEvent {
  case rotate(file: String, offset: UInt64)
  case formatDescription(version: String, hasChecksum: Bool)
  /// MariaDB's; a group that `isAlone` has no COMMIT behind it, one that `isPrepared` waits for XA COMMIT.
  /// One that `isVoid` changes nothing: the start of an ALTER in two steps, or the end of one that failed.
  case gtid(MariaGTID, isAlone: Bool, isPrepared: Bool, isVoid: Bool)
  /// MySQL's; of a server without GTIDs empty.
  case gtidLog(server: [UInt8], number: UInt64)
  case gtidList([MariaGTID])
  /// What was in the log before its file.
  case previous(GTIDSet)
  /// XA PREPARE, or XA COMMIT … ONE PHASE.
  case prepare(XAName, isCommit: Bool)
  /// A statement, without comments and settings before it.
  case query(database: String, text: String)
  case commit
  case tableMap(TableMap)
  /// The same words on the table of that number as before.
  case sameTable(UInt64)
  case rows(BinlogRows)
  /// Events inside a compressed transaction.
  case payload(PackedTransaction)
  case heartbeat
  case nothing
}

/// One rows event: images of rows of one table.
struct BinlogRows {
  enum Kind { case write, update, delete }
  var kind: Kind
  var tableID: UInt64
  var columnCount: Int
  /// Bits of the columns that the (first) image has.
  var present: UnsafeRawBufferPointer
  /// Of an update's second image.
  var presentAfter: UnsafeRawBufferPointer
  var images: UnsafeRawBufferPointer
  /// Holds `images` when they were packed.
  var owner: Buffer?
}

/// Reads events from bytes that come from a server: everything is checked, nothing is trusted.
struct BinlogParser {
  /// Whether a CRC-32 follows each event, as the format description says.
  private(set) var hasChecksum = false
  private let decompressor = Decompressor()
  /// What was said of each table last.
  private var maps: [UInt64: [UInt8]] = [:]
  /// No event is larger than `max_allowed_packet` can be.
  static let limit = 1 << 30

  /// Tables are told anew, although the log says the same.
  mutating func forgetTables() { maps = [:] }

  /// - Parameter isBare: an event inside a compressed transaction, which has no checksum of its own.
  mutating func parse(
    _ bytes: UnsafeRawBufferPointer, isBare: Bool = false
  ) throws(TerraceError) -> (header: BinlogHeader, event: BinlogEvent) {
    var cursor = ByteCursor(bytes)
    let header = try BinlogHeader(&cursor)
    guard header.length == bytes.count else {
      throw broken("an event of another length than its header says", header)
    }
    var end = bytes.count
    if header.type == BinlogType.formatDescription {
      return (header, try formatDescription(bytes, cursor, header))
    }
    // The first event of a connection tells the file, before the description says whether there are checksums.
    let isFirst = header.type == BinlogType.rotate && !hasChecksum && hasChecksumAnyway(bytes)
    if isFirst { end -= 4 }
    if hasChecksum, !isBare {
      guard end >= BinlogHeader.byteCount + 4 else { throw broken("an event too short", header) }
      end -= 4
      try verify(bytes, end, header)
    }
    var body = ByteCursor(
      UnsafeRawBufferPointer(rebasing: bytes[BinlogHeader.byteCount..<end]),
      origin: BinlogHeader.byteCount)
    return (header, try event(header, &body))
  }

  private func hasChecksumAnyway(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let end = bytes.count - 4
    guard end > BinlogHeader.byteCount + 8 else { return false }
    let stored = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt32.self))
    return BinlogChecksum.crc32(bytes.baseAddress, end) == stored
  }

  private func verify(
    _ bytes: UnsafeRawBufferPointer, _ end: Int, _ header: BinlogHeader
  ) throws(TerraceError) {
    let stored = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt32.self))
    if BinlogChecksum.crc32(bytes.baseAddress, end) != stored {
      throw broken("a checksum that does not fit its event", header)
    }
  }

  func broken(_ what: String, _ header: BinlogHeader) -> TerraceError {
    TerraceError(.corrupted, "the binary log has " + what).with("event", header.type)
      .with("position", header.next)
  }

  private mutating func event(
    _ header: BinlogHeader, _ body: inout ByteCursor
  ) throws(TerraceError) -> BinlogEvent {
    switch header.type {
    case BinlogType.rotate:
      let offset = try body.readRaw(UInt64.self)
      return .rotate(file: try body.text(body.remaining), offset: offset)
    case BinlogType.xid: return .commit
    case BinlogType.query, BinlogType.queryCompressed, BinlogType.executeLoad:
      return try query(header, &body)
    case BinlogType.tableMap:
      let bytes = UnsafeRawBufferPointer(start: body.position, count: body.remaining)
      let map = body
      let id = try body.readTableID()
      if let old = maps[id], old.count == bytes.count,
        old.withUnsafeBytes({ Self.isSame($0, bytes) })
      {
        return .sameTable(id)
      }
      maps[id] = Array(bytes)
      var cursor = map
      return .tableMap(try TableMap(&cursor))
    case 23...25, 30...32, 166...171: return .rows(try rows(header, &body))
    case BinlogType.gtid:
      let sequence = try body.readRaw(UInt64.self)
      let domain = try body.readRaw(UInt32.self)
      let flags = try body.readByte()
      let gtid = MariaGTID(domain: domain, server: header.server, sequence: sequence)
      let more = try Self.moreFlags(flags, &body)
      return .gtid(
        gtid, isAlone: flags & 1 != 0, isPrepared: flags & 0x40 != 0, isVoid: more & 0x0a != 0)
    case BinlogType.gtidList: return .gtidList(try gtidList(&body))
    case BinlogType.gtidLog:
      try body.skip(1)
      let server = Array(try body.readBytes(16))
      return .gtidLog(server: server, number: try checked(try body.readRaw(UInt64.self), header))
    case BinlogType.gtidTagged:
      let (server, number) = try body.readTaggedGTID()
      return .gtidLog(server: server, number: try checked(number, header))
    case BinlogType.anonymousGTID: return .gtidLog(server: [], number: 0)
    case BinlogType.previousGTIDs: return .previous(try GTIDSet(encoded: &body))
    case BinlogType.xaPrepare:
      let isCommit = try body.readByte() != 0
      return .prepare(try XAName(&body), isCommit: isCommit)
    case BinlogType.payload: return try payload(header, &body)
    case BinlogType.heartbeat, BinlogType.heartbeat2: return .heartbeat
    case BinlogType.startEncryption:
      throw TerraceError(
        .unsupported, "an encrypted binary log sent as it is",
        hint: "the server decrypts its log for replicas: this file was read in another way")
    case BinlogType.incident:
      throw TerraceError(
        .invalid, "the server says that its binary log misses changes (an INCIDENT event)",
        hint: "the tables must be read again: “terrace run --rebuild TABLE”")
    case BinlogType.partialUpdate:
      throw TerraceError(
        .unsupported, "partial JSON updates in the binary log",
        hint: "SET GLOBAL binlog_row_value_options = ''")
    default: return .nothing
    }
  }

  /// MariaDB's flags_extra, behind the number of a group commit and the name of an XA transaction: 2 where an
  /// ALTER in two steps starts, 4 where it is done, 8 where it is rolled back.
  private static func moreFlags(
    _ flags: UInt8, _ body: inout ByteCursor
  ) throws(TerraceError) -> UInt8 {
    if flags & 2 != 0 { try body.skip(8) }
    if flags & 0xc0 != 0 {
      try body.skip(4)
      let sizes = (Int(try body.readByte()), Int(try body.readByte()))
      try body.skip(sizes.0 + sizes.1)
    }
    return body.remaining > 0 ? try body.readByte() : 0
  }

  /// Numbers of transactions end at 2⁶³ - 1.
  private func checked(_ number: UInt64, _ header: BinlogHeader) throws(TerraceError) -> UInt64 {
    if number >= 1 << 63 { throw broken("a transaction whose number is too large", header) }
    return number
  }

  private static func isSame(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard let first = a.baseAddress, let second = b.baseAddress else { return a.count == b.count }
    return memcmp(first, second, min(a.count, b.count)) == 0
  }

  private mutating func formatDescription(
    _ bytes: UnsafeRawBufferPointer, _ cursor: ByteCursor, _ header: BinlogHeader
  ) throws(TerraceError) -> BinlogEvent {
    var cursor = cursor
    let format = try cursor.readRaw(UInt16.self)
    guard format == 4 else {
      throw TerraceError(.unsupported, "binary logs of version \(format)")
    }
    let version = try cursor.text(50).prefix { $0 != "\0" }
    try cursor.skip(4)
    guard try cursor.readByte() == UInt8(BinlogHeader.byteCount) else {
      throw broken("event headers of another length", header)
    }
    // Since MySQL 5.6.1 and MariaDB 5.3: the algorithm, and four bytes that are there in any case.
    guard cursor.remaining >= 5 else { throw broken("no word about checksums", header) }
    let algorithm = bytes[bytes.count - 5]
    guard algorithm <= 1 else {
      throw TerraceError(.unsupported, "checksums of kind \(algorithm) in a binary log")
    }
    hasChecksum = algorithm == 1
    // An artificial description was changed after its checksum was made, by some servers.
    if hasChecksum, header.flags & 0x20 == 0, header.next != 0 {
      // The flag "in use" was set after the checksum was computed without it.
      try verifyDescription(bytes, header)
    }
    return .formatDescription(version: String(version), hasChecksum: hasChecksum)
  }

  private func verifyDescription(
    _ bytes: UnsafeRawBufferPointer, _ header: BinlogHeader
  ) throws(TerraceError) {
    let copy = Buffer(copying: bytes)
    copy.pointer(UInt8.self)[17] &= 0xfe
    try verify(copy.bytes, bytes.count - 4, header)
  }

  private func query(
    _ header: BinlogHeader, _ body: inout ByteCursor
  ) throws(TerraceError) -> BinlogEvent {
    try body.skip(8)
    let nameLength = Int(try body.readByte())
    try body.skip(2)
    let statusLength = Int(try body.readRaw(UInt16.self))
    // LOAD DATA has more: a file and a place in it.
    if header.type == BinlogType.executeLoad { try body.skip(13) }
    let collation = try StatementCharset.collation(try body.readBytes(statusLength))
    let database = try body.text(nameLength)
    try body.skip(1)
    let text = try body.readBytes(body.remaining)
    if header.type == BinlogType.queryCompressed {
      let unpacked = try BinlogPacking.unpack(text, decompressor)
      return .query(database: database, text: Self.statement(unpacked.bytes, collation))
    }
    return .query(database: database, text: Self.statement(text, collation))
  }

  /// The beginning of a statement: what is long is data, and of no interest here.
  private static func statement(_ bytes: UnsafeRawBufferPointer, _ collation: Int?) -> String {
    let head = UnsafeRawBufferPointer(rebasing: bytes.prefix(1 << 20))
    return MySQLStatement.plain(StatementCharset.text(head, collation))
  }

  private func rows(
    _ header: BinlogHeader, _ body: inout ByteCursor
  ) throws(TerraceError) -> BinlogRows {
    let isPacked = header.type >= 166
    let isV2 = (30...32).contains(header.type) || header.type >= 169
    let kinds: [BinlogRows.Kind] = [.write, .update, .delete]
    let first: UInt8 = isPacked ? (isV2 ? 169 : 166) : (isV2 ? 30 : 23)
    let kind = kinds[Int(header.type - first)]
    let id = try body.readTableID()
    try body.skip(2)
    if isV2 {
      let extra = Int(try body.readRaw(UInt16.self))
      try body.skip(max(extra, 2) - 2)
    }
    let count = try body.readPackedInteger(limit: 4096)
    let present = try body.readBytes((count + 7) / 8)
    let after = kind == .update ? try body.readBytes((count + 7) / 8) : present
    var images = try body.readBytes(body.remaining)
    var owner: Buffer?
    if isPacked {
      let unpacked = try BinlogPacking.unpack(images, decompressor)
      images = UnsafeRawBufferPointer(start: unpacked.base, count: unpacked.byteCount)
      owner = unpacked
    }
    return BinlogRows(
      kind: kind, tableID: id, columnCount: count, present: present, presentAfter: after,
      images: images, owner: owner)
  }

  private func gtidList(_ body: inout ByteCursor) throws(TerraceError) -> [MariaGTID] {
    let count = Int(try body.readRaw(UInt32.self) & 0x0fff_ffff)
    guard count <= body.remaining / 16 else { throw body.broken("a GTID list that ends early") }
    var list: [MariaGTID] = []
    for _ in 0..<count {
      let domain = try body.readRaw(UInt32.self)
      let server = try body.readRaw(UInt32.self)
      list.append(
        MariaGTID(domain: domain, server: server, sequence: try body.readRaw(UInt64.self)))
    }
    return list
  }

  /// MySQL's Transaction_payload_log_event: fields of type, length and value, then the packed events.
  private func payload(
    _ header: BinlogHeader, _ body: inout ByteCursor
  ) throws(TerraceError) -> BinlogEvent {
    var size = 0
    var algorithm = 0
    while true {
      let type = try body.readPackedInteger(limit: 255)
      if type == 0 { break }
      let length = try body.readPackedInteger(limit: body.remaining)
      var value = ByteCursor(try body.readBytes(length))
      switch type {
      case 1: size = try value.readPackedInteger(limit: Self.limit)
      case 2: algorithm = try value.readPackedInteger(limit: 255)
      default: break
      }
    }
    guard size <= body.remaining else { throw broken("a transaction that ends early", header) }
    let packed = try body.readBytes(size)
    switch algorithm {
    case 255: return .payload(PackedTransaction(packed, isPlain: true))
    case 0: return .payload(PackedTransaction(packed, isPlain: false))
    default: throw TerraceError(.unsupported, "transactions packed by method \(algorithm)")
    }
  }
}
