import Columns
import Formats

/// A log sequence number: bytes of the server's write-ahead log since its beginning.
struct PostgresPosition: LogPosition {
  var lsn: UInt64

  init(_ lsn: UInt64) { self.lsn = lsn }

  /// As the server prints it: `16/B374D848`.
  init(text: String) throws(TerraceError) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let high = UInt32(parts[0], radix: 16),
      let low = UInt32(parts[1], radix: 16)
    else {
      throw TerraceError(.corrupted, "not a position of PostgreSQL's log").with("position", text)
    }
    lsn = UInt64(high) << 32 | UInt64(low)
  }

  var text: String {
    String(lsn >> 32, radix: 16, uppercase: true) + "/"
      + String(lsn & 0xffff_ffff, radix: 16, uppercase: true)
  }

  static func < (a: PostgresPosition, b: PostgresPosition) -> Bool { a.lsn < b.lsn }
}

/// Which transactions a snapshot sees: `xmin:xmax:xip,…` as pg_current_snapshot() prints it.
struct PostgresVisibility: Hashable, Sendable {
  private let least: UInt64
  private let next: UInt64
  private let running: Set<UInt64>
  let text: String

  init(_ text: String) throws(TerraceError) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3, let least = UInt64(parts[0]), let next = UInt64(parts[1]),
      least <= next
    else {
      throw TerraceError(.corrupted, "not a snapshot of PostgreSQL").with("snapshot", text)
    }
    var running: Set<UInt64> = []
    for item in parts[2].split(separator: ",") {
      guard let xid = UInt64(item) else {
        throw TerraceError(.corrupted, "not a snapshot of PostgreSQL").with("snapshot", text)
      }
      running.insert(xid)
    }
    (self.least, self.next, self.running, self.text) = (least, next, running, text)
  }

  /// Whether the snapshot sees a committed transaction by the 32 bits of its number that logs hold: the
  /// number meant is the one nearest to the snapshot's own.
  func sees(_ xid: UInt32) -> Bool {
    let distance = Int64(Int32(bitPattern: xid &- UInt32(truncatingIfNeeded: next)))
    let (full, overflow) = Int64(bitPattern: next).addingReportingOverflow(distance)
    if overflow || full < 0 { return true }
    let number = UInt64(full)
    if number < least { return true }
    return number < next && !running.contains(number)
  }
}
