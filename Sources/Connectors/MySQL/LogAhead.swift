import Columns
import Store

/// What a subscription may ask while its log is read.
protocol LogQuestions: AnyObject {
  /// The tables as they are by now.
  func schema() throws(TerraceError) -> MySQLSchema
  /// Whether columns of a table may have changed between the place in the log and now.
  func movesAhead(_ name: MySQLTableName) throws(TerraceError) -> Bool
}

/// Statements that change tables and stand in the binary log ahead of where it is read.
///
/// A log without column names is only right to read by what a table is now when none of them lies in between.
/// They are looked for on a connection of its own, up to the end of the log, which passes over rows unseen.
struct LogAhead {
  private var found: [(database: String, text: String)] = []
  private var end: (file: String, offset: UInt64)?

  /// One of them was met.
  mutating func pass(_ database: String, _ text: String) {
    if let i = found.firstIndex(where: { $0.database == database && $0.text == text }) {
      found.removeFirst(i + 1)
    }
  }

  /// - Parameter place: where the log is read.
  mutating func movesColumns(
    of name: MySQLTableName, behind place: (file: String, offset: UInt64), server: UInt32,
    _ settings: MySQLConnection.Settings
  ) throws(TerraceError) -> Bool {
    try read(from: end ?? place, server, settings)
    return found.contains {
      MySQLStatement.concerns($0.text, $0.database, name) && MySQLStatement.movesColumns($0.text)
    }
  }

  /// Reads on to the end of the log.
  private mutating func read(
    from place: (file: String, offset: UInt64), _ server: UInt32,
    _ settings: MySQLConnection.Settings
  ) throws(TerraceError) {
    let connection = try MySQLConnection(settings, readSeconds: 60)
    try connection.query("SET @master_binlog_checksum = @@global.binlog_checksum")
    if connection.isMariaDB { try connection.query("SET @mariadb_slave_capability = 4") }
    // Far from the number of the one that reads, whose connection the server would end.
    let other = server ^ 0x8000_0000
    try connection.dump(place.file, place.offset, server: other, waits: false)
    var parser = BinlogParser()
    var at = place
    while true {
      let packet = try connection.nextPacket()
      if packet.first == 0xfe, packet.count < 9 { break }
      if packet.first != 0 {
        throw MySQLFailure.packet(packet).with("server", settings.place)
      }
      let bytes = UnsafeRawBufferPointer(rebasing: packet.dropFirst())
      guard bytes.count >= BinlogHeader.byteCount else { continue }
      let wanted = [
        BinlogType.formatDescription, BinlogType.rotate, BinlogType.query,
        BinlogType.queryCompressed,
      ]
      if !wanted.contains(bytes[4]) {
        let next = bytes.loadUnaligned(fromByteOffset: 13, as: UInt32.self)
        if next > 0 { at.offset = UInt64(UInt32(littleEndian: next)) }
        continue
      }
      let (header, event) = try parser.parse(bytes)
      if !header.isArtificial { at.offset = header.next }
      switch event {
      case .rotate(let file, let offset): at = (file, offset)
      case .query(let database, let text) where MySQLStatement.isDefinition(text):
        found.append((database, text))
      default: break
      }
    }
    end = at
  }
}
