import Columns
import Connectors
import Dataflow
import Store

/// How event time moves: by rows, by the parts of a source, and past sources that are idle.
extension JobRun {
  /// The row at which the watermark ends a period, if the target is tagged by it.
  func cutRow(_ cut: EventCut, _ rows: Batch, _ i: Int) throws(TerraceError) -> Int? {
    let times = try cut.times(of: rows)
    let tags = barriers.kind == .watermark
    if tags, barriers.last == nil, let first = times.times.first(where: { $0 != .min }) {
      barriers.begin(at: first)
    }
    let due = tags ? barriers.nextDue : nil
    let feed = feeds[i]
    let now = time.nowMillis()
    let part = feed.part ?? (0, 1)
    if feed.parts == nil, feed.part != nil || idleMillis(of: i) != nil {
      feed.parts = PartWatermarks(idleMillis: idleMillis(of: i))
    }
    feed.parts?.grow(to: part.count, now: now)
    let others = feed.parts?.others(than: part.number, now: now) ?? .max
    var mark = feed.parts?[part.number] ?? feed.watermark
    defer { feed.parts?.set(part.number, mark, now: now) }
    for (row, value) in times.watermarks.enumerated() where value > mark {
      let combined = min(value, others)
      if let due, combined >= due {
        cutAt[i] = barriers.schedule?.lastDue(at: combined)?.endMillis
        return row
      }
      mark = value
      feed.watermark = max(feed.watermark, combined)
    }
    return nil
  }

  /// Tells the pipeline how far a source has come whose rows alone do not say it.
  func driveWatermark(_ i: Int) {
    guard let cut = cuts[i], feeds[i].parts != nil else { return }
    pipeline.setWatermark(of: cut.node, to: feeds[i].watermark)
  }

  /// How long a source, or a part of it, may give nothing before it is not waited for.
  private func idleMillis(of i: Int) -> Int64? {
    var text = spec.settings["table.exec.source.idle-timeout"]
    if case .connector(let table)? = spec.sources[feeds[i].source.reference] {
      text = table.options["scan.watermark.idle-timeout"] ?? text
    }
    guard let text, let millis = OptionValue.durationMillis(text), millis > 0 else { return nil }
    return millis
  }

  /// Lets event time pass the parts that have fallen idle, and the sources all of whose parts have, as far as
  /// the others have come.
  ///
  /// - Returns: whether it has moved.
  func passIdle(_ now: Int64) -> Bool {
    let timed = feeds.indices.filter { cuts[$0] != nil && cutAt[$0] == nil }
    if !timed.contains(where: { feeds[$0].parts != nil }) { return false }
    var marks: [Int: Int64] = [:]
    for i in timed {
      marks[i] = feeds[i].parts.map { $0.combined(now: now) } ?? feeds[i].watermark
    }
    let awake = marks.values.min()
    var moved = false
    for i in timed {
      let feed = feeds[i]
      guard feed.parts != nil, let mark = marks[i] ?? awake, mark > feed.watermark else { continue }
      if barriers.kind == .watermark, let due = barriers.nextDue, mark >= due {
        cutAt[i] = barriers.schedule?.lastDue(at: mark)?.endMillis
      }
      feed.watermark = mark
      moved = true
      driveWatermark(i)
    }
    return moved
  }
}
