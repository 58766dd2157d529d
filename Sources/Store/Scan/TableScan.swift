package import Columns

/// A read of a table at one snapshot.
///
///     let scan = table.scan(columns: [0, 3], predicate: .compare(column: 0, .less, .int(10)))
///     let read = try scan.read(try scan.plan(snapshot), threads: 2)
///     while let batch = try read.next() { … }
package struct TableScan: Sendable {
  package let table: Table
  /// Fields of the table, in the order in which they are delivered.
  package let columns: [Int]
  /// Over the table's fields; exactly the rows for which it is true are delivered.
  package let predicate: Predicate

  init(_ table: Table, columns: [Int]?, predicate: Predicate) {
    self.table = table
    self.columns = columns ?? Array(table.schema.fields.indices)
    self.predicate = predicate
  }

  /// What the batches hold.
  package var type: RowType { RowType(columns.map { table.schema.fields[$0] }) }

  /// - Parameter snapshot: nil for a table without a commit.
  package func plan(_ snapshot: Snapshot?) throws(TerraceError) -> ScanPlan {
    do {
      return try ScanPlanner(table, predicate).plan(snapshot)
    } catch {
      throw table.explained(error, reading: snapshot)
    }
  }

  /// Starts reading. With one thread or less everything happens in `next`, in the plan's order: by
  /// partition and bucket, then by key. With more, batches come as they are ready.
  package func read(_ plan: ScanPlan, threads: Int = 1) throws(TerraceError) -> TableRead {
    TableRead(
      SplitReader.Request(
        files: table.files,
        layout: try layout(), columns: columns, predicate: predicate,
        keyValue: table.schema.hasPrimaryKey), plan.splits, threads: threads
    ) { [table] error in table.explained(error, reading: plan.snapshot) }
  }

  /// Asked-for columns first, then those that only the condition, the keys or the order need.
  private func layout() throws(TerraceError) -> KeyValueLayout {
    let extra = predicate.columns.subtracting(columns).sorted()
    return try TableFiles.layout(table.schema, columns: columns + extra)
  }
}

extension Table {
  /// - Parameters:
  ///   - columns: indices of the table's fields; nil for all.
  ///   - predicate: over the table's fields.
  package func scan(columns: [Int]? = nil, predicate: Predicate = .always) -> TableScan {
    TableScan(self, columns: columns, predicate: predicate)
  }

  /// A missing file told as what it is where the snapshot has expired since the read began.
  fileprivate func explained(
    _ error: TerraceError, reading snapshot: Snapshot?
  ) -> TerraceError {
    guard error.kind == .notFound, let snapshot else { return error }
    do throws(TerraceError) {
      if try snapshots.find(snapshot.id) != nil { return error }
      let tags = try TagDirectory(path, environment).list()
      if tags.contains(where: { $0.snapshot.id == snapshot.id }) { return error }
    } catch {
      return error
    }
    return TerraceError(.notFound, "the snapshot expired while it was read")
      .with("snapshot", snapshot.id)
      .hint(
        "ask again; 'snapshot.time-retained' and 'snapshot.num-retained.min' keep snapshots longer, "
          + "tags and consumers until they are removed")
  }
}

/// Batches of a scan.
package final class TableRead {
  private let request: SplitReader.Request
  private var splits: ArraySlice<Split>
  private var current: SplitReader?
  private let channel: Channel<Batch>?
  private let workers: Workers?
  private let explain: (TerraceError) -> TerraceError

  init(
    _ request: SplitReader.Request, _ splits: [Split], threads: Int,
    explain: @escaping (TerraceError) -> TerraceError
  ) {
    self.request = request
    self.explain = explain
    let count = min(threads, splits.count)
    if count <= 1 {
      self.splits = splits[...]
      channel = nil
      workers = nil
      return
    }
    self.splits = []
    let channel = Channel<Batch>(capacity: count * 2, producers: count)
    let workers = Workers(count: count)
    // Largest first, so that no thread is left with a long one at the end.
    let queue = SplitQueue(splits.sorted { $0.byteCount > $1.byteCount })
    for _ in 0..<count {
      workers.submit {
        do throws(TerraceError) {
          while let split = queue.take(), !channel.isClosed {
            let reader = SplitReader(request, split)
            while let batch = try reader.next() {
              if !channel.push(batch) { break }
            }
          }
          channel.finish()
        } catch {
          channel.finish(error)
        }
      }
    }
    self.channel = channel
    self.workers = workers
  }

  deinit { close() }

  /// The next rows, at least one; nil at the end.
  package func next() throws(TerraceError) -> Batch? {
    do {
      if let channel { return try channel.pop() }
      return try nextInOrder()
    } catch {
      throw explain(error)
    }
  }

  private func nextInOrder() throws(TerraceError) -> Batch? {
    while true {
      if let current {
        if let batch = try current.next() { return batch }
        self.current = nil
      }
      guard let split = splits.popFirst() else { return nil }
      current = SplitReader(request, split)
    }
  }

  /// Stops early.
  package func close() {
    channel?.close()
    workers?.stop()
    splits = []
    current = nil
  }
}

private final class SplitQueue: @unchecked Sendable {
  private let monitor = Monitor()
  private var splits: ArraySlice<Split>

  init(_ splits: [Split]) { self.splits = splits[...] }

  func take() -> Split? { monitor.withLock { splits.popFirst() } }
}
