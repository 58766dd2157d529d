import Columns
import Dataflow
import Store

/// The tags of a source table, as barriers: end instants of periods, each at a snapshot.
final class TagWatch {
  private let table: Table
  private let own: TagSchedule
  private var known: [String: (snapshot: Int64, ends: [Int64])] = [:]
  /// Tags from before the table's job was started over. They are no barriers; each is made anew as the job
  /// passes it.
  private var outlived: Set<String> = []
  /// How often the table's job was started over, and the barrier it passed last, when that was looked at.
  private var seen: (generation: Int64?, last: Int64?)
  /// How the table's tags follow each other: by its options, or as its job's roots say.
  private(set) var schedule: TagSchedule

  init(_ table: Table, session: SessionZone) throws(TerraceError) {
    self.table = table
    own = try TagSchedule(table.schema, session: session)
    schedule = own
  }

  /// Takes in tags that came and went. To be called after the newest snapshot was looked up: tags of
  /// older ones are there by then.
  func refresh(_ latest: Snapshot?) throws(TerraceError) {
    if !own.isAutomatic, let text = latest?.properties?[TagSchedule.propertyName] {
      schedule = own.inheriting(encoded: text) ?? schedule
    }
    let directory = TagDirectory(table.path, table.environment)
    let names = try directory.names()
    if let latest { try forgetReplaced(latest) }
    if names.count == known.count, names.allSatisfy({ known[$0] != nil }) { return }
    var now: [String: (snapshot: Int64, ends: [Int64])] = [:]
    for name in names {
      if let found = known[name] {
        now[name] = found
      } else if let tag = try directory.find(name) {
        let isOld = latest.map { Root.isOutlived(tag.snapshot, by: $0) } ?? false
        if isOld { outlived.insert(name) }
        now[name] = (tag.snapshot.id, isOld ? [] : try ends(of: tag))
      }
    }
    known = now
  }

  /// Tags keep their names when they are made anew: those are read again that may have been.
  private func forgetReplaced(_ latest: Snapshot) throws(TerraceError) {
    let now = (generation: Root.generation(of: latest), last: try Root.Tags(of: latest)?.last)
    if now.generation != seen.generation {
      known = [:]
      outlived = []
    } else if now.last != seen.last {
      for name in outlived { known[name] = nil }
      outlived = []
    }
    seen = now
  }

  /// Our own roots say which periods their tags stand for; names of other writers' tags are read.
  private func ends(of tag: Tag) throws(TerraceError) -> [Int64] {
    if let tags = try Root.Tags(of: tag.snapshot), !tags.made.isEmpty,
      schedule.period(named: tag.name) != nil
    {
      return tags.made
    }
    return schedule.period(named: tag.name).map { [$0.endMillis] } ?? []
  }

  /// Barriers on a calendar, by snapshot: the last of each.
  func barriers(_ calendar: TagCalendar) -> [(snapshot: Int64, end: Int64)] {
    var last: [Int64: Int64] = [:]
    for (snapshot, ends) in known.values {
      for end in ends where calendar.isBoundary(end) {
        last[snapshot] = max(last[snapshot] ?? .min, end)
      }
    }
    return last.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// Whether a period that ends then was ever tagged.
  func has(_ end: Int64) -> Bool { known.values.contains { $0.ends.contains(end) } }
}
