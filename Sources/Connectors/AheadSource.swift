package import Columns
import Store

/// A source whose next batches are decoded by a thread of its own while the job works on the last one.
///
/// What was decoded ahead and not yet given does not count: ``position`` is that of the last batch given. Only
/// for sources whose records come again in the same order after a seek.
package final class AheadSource: Source {
  private struct Item: Sendable {
    var batch: Result<SourceBatch?, TerraceError>
    var mark: SourceMark
  }

  /// Hands the source to one thread at a time.
  private final class Holder: @unchecked Sendable {
    let source: any Source
    init(_ source: any Source) { self.source = source }

    /// Some batches, until there are none or one fails.
    func polls(_ count: Int, rows: Int, bytes: Int) -> [Item] {
      var items: [Item] = []
      while items.count < count {
        let item = poll(rows: rows, bytes: bytes)
        items.append(item)
        guard case .success(.some) = item.batch else { break }
      }
      return items
    }

    func poll(rows: Int, bytes: Int) -> Item {
      var batch: Result<SourceBatch?, TerraceError>
      do throws(TerraceError) {
        batch = .success(try source.poll(rows: rows, bytes: bytes))
      } catch { batch = .failure(error) }
      return Item(batch: batch, mark: source.mark)
    }
  }

  /// Batches that are decoded in one go: enough that handing over costs nothing.
  private static let depth = 4

  private let holder: Holder
  private let worker = Workers(count: 1)
  private var ready: [Item] = []
  private var pending: Pending<[Item]>?
  private var given: SourceMark
  /// Positions are to be taken: nothing more is decoded ahead until they are.
  private var rests = false

  package init(_ source: any Source) {
    holder = Holder(source)
    given = source.mark
  }

  /// The source, when no other thread has it.
  private func settled() -> any Source {
    if let pending {
      // The work itself never fails: failures are items.
      ready += (try? pending.wait()) ?? []
      self.pending = nil
    }
    return holder.source
  }

  package func poll(rows: Int, bytes: Int) throws(TerraceError) -> SourceBatch? {
    if ready.isEmpty { _ = settled() }
    let item = ready.isEmpty ? holder.poll(rows: rows, bytes: bytes) : ready.removeFirst()
    given = item.mark
    if case .success(.some) = item.batch, pending == nil, !rests, ready.count < Self.depth {
      let holder = self.holder
      pending = worker.start { holder.polls(Self.depth, rows: rows, bytes: bytes) }
    }
    return try item.batch.get()
  }

  package var type: RowType { holder.source.type }
  package var style: ChangeStyle { holder.source.style }

  package func stopAtPresent() throws(TerraceError) { try settled().stopAtPresent() }
  package func endInput() { settled().endInput() }

  package var isDrained: Bool {
    let source = settled()
    let isRest = ready.contains { if case .success(.none) = $0.batch { false } else { true } }
    return !isRest && source.isDrained
  }

  // MARK: Positions

  package var position: String { given.position }
  package var mark: SourceMark { given }
  package var positionTable: (type: RowType, keyCount: Int)? { holder.source.positionTable }

  package func takePositions() throws(TerraceError) -> DeltaBatch? {
    let source = settled()
    ready.removeAll { if case .success(.none) = $0.batch { true } else { false } }
    // They say how far the source is, which is further than what was given.
    rests = !ready.isEmpty
    if rests { return nil }
    let rows = try source.takePositions()
    given = source.mark
    return rows
  }

  package func restorePositions(_ rows: DeltaBatch) throws(TerraceError) {
    try settled().restorePositions(rows)
    forget()
  }

  package func seek(_ position: String) throws(TerraceError) {
    try settled().seek(position)
    forget()
  }

  package func replay(to position: String) throws(TerraceError) {
    try settled().replay(to: position)
  }

  private func forget() {
    ready = []
    given = holder.source.mark
  }

  package func confirm(_ position: String) throws(TerraceError) {
    try settled().confirm(position)
  }

  // MARK: For people

  package var skipped: Int64 { settled().skipped }
  package var backlog: (amount: Int64, unit: String)? { settled().backlog }
  package var trouble: SourceTrouble? { settled().trouble }
  package func takeNotices() -> [String] { settled().takeNotices() }

  package func close() {
    settled().close()
    worker.stop()
  }
}
