import Columns

/// The order in which the sources of a job give their rows, where some of them play the state of joins.
///
/// What is looked up in such a table is what it held at the snapshot at which its feed stands. So while a feed
/// stands within a snapshot, nothing else may come, and nothing that came before may wait in an operator for
/// the end of the epoch: a snapshot that an epoch ends within was the only thing that gave.
final class SourceTurns {
  /// Numbers of the feeds: those that stand within a snapshot, then those that play, each first in turn, then
  /// the others. What is joined to goes first: rows that find their match at once are not sent without it
  /// before.
  let order: [Int]
  /// Feeds that have something to replay.
  let unfinished: Set<ObjectIdentifier>
  /// Feeds that have given something in this epoch.
  private var gave: Set<ObjectIdentifier> = []

  init(_ feeds: [Feed], number: Int) {
    unfinished = Set(feeds.filter { !$0.isReplayed }.map { ObjectIdentifier($0) })
    let playing = feeds.indices.filter { SourceTurns.playing(feeds[$0]) != nil }
    let start = playing.isEmpty ? 0 : number % playing.count
    let turned = Array(playing[start...] + playing[..<start])
    let within = turned.filter { SourceTurns.playing(feeds[$0])?.isWithin == true }
    order =
      within + turned.filter { !within.contains($0) }
      + feeds.indices.reversed().filter { !playing.contains($0) }
  }

  private static func playing(_ feed: Feed) -> TableFeed? {
    (feed as? TableFeed).flatMap { $0.isPlaying ? $0 : nil }
  }

  /// Before a feed is asked. Returns whether it plays.
  func prepare(_ feed: Feed) -> Bool {
    guard let table = SourceTurns.playing(feed) else { return false }
    table.beginsSmallOnly = !table.isUncut && gave.contains { $0 != ObjectIdentifier(feed) }
    return true
  }

  func note(_ feed: Feed) { gave.insert(ObjectIdentifier(feed)) }

  /// The feed stands within a snapshot: the epoch ends here.
  func mustEnd(_ feed: Feed) -> Bool { SourceTurns.playing(feed)?.isWithin == true }

  /// The feed may not stop here.
  func mustGoOn(_ feed: Feed) -> Bool {
    guard let table = SourceTurns.playing(feed), table.isWithin else { return false }
    return table.beginsSmallOnly || !table.canPause
  }

  /// Before a feed is asked in a replay. The snapshot that a feed is to end within comes last, alone: when the
  /// epoch began, the others had come to their end.
  func prepareReplay(_ feed: Feed) {
    SourceTurns.playing(feed)?.leavesLast = unfinished.contains { $0 != ObjectIdentifier(feed) }
  }
}
