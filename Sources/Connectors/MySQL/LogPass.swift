import Columns
import Synchronization

/// Reads a server's binary log from a place to its present end, on a connection of its own.
final class LogPass {
  private let connection: MySQLConnection
  private var parser = BinlogParser()
  /// Behind what was read last.
  private(set) var place: (file: String, offset: UInt64)
  private static let opened = Atomic<UInt32>(0)

  /// - Parameter server: our number at the server, from which this connection's is made: far from it, or the
  ///   server would end the other connection.
  init(
    _ settings: MySQLConnection.Settings, server: UInt32, from place: (file: String, offset: UInt64)
  ) throws(TerraceError) {
    self.place = place
    connection = try MySQLConnection(settings, readSeconds: 60)
    try connection.prepareDump()
    try connection.dump(
      place.file, place.offset, server: Self.number(near: server), waits: false)
  }

  static func number(near server: UInt32) -> UInt32 {
    (server &+ opened.wrappingAdd(1, ordering: .relaxed).newValue) | 0x8000_0000
  }

  func parse(
    _ bytes: UnsafeRawBufferPointer, isBare: Bool
  ) throws(TerraceError) -> (header: BinlogHeader, event: BinlogEvent) {
    try parser.parse(bytes, isBare: isBare)
  }

  /// The next event of the types that are wanted; others are passed over unseen.
  ///
  /// - Returns: nil at the end of the log.
  func nextEvent(
    _ wanted: Set<UInt8>
  ) throws(TerraceError) -> (header: BinlogHeader, event: BinlogEvent)? {
    while let bytes = try nextBytes() {
      let type = bytes[4]
      let moves = type == BinlogType.formatDescription || type == BinlogType.rotate
      if !moves, !wanted.contains(type) {
        let next = bytes.loadUnaligned(fromByteOffset: 13, as: UInt32.self)
        if next > 0 { place.offset = UInt64(UInt32(littleEndian: next)) }
        continue
      }
      let (header, event) = try parser.parse(bytes)
      if !header.isArtificial { place.offset = header.next }
      if case .rotate(let file, let offset) = event { place = (file, offset) }
      if wanted.contains(type) { return (header, event) }
    }
    return nil
  }

  private func nextBytes() throws(TerraceError) -> UnsafeRawBufferPointer? {
    while true {
      let packet = try connection.nextPacket()
      if packet.first == 0xfe, packet.count < 9 { return nil }
      if packet.first != 0 {
        throw MySQLFailure.packet(packet).with("server", connection.settings.place)
      }
      let bytes = UnsafeRawBufferPointer(rebasing: packet.dropFirst())
      if bytes.count >= BinlogHeader.byteCount { return bytes }
    }
  }
}
