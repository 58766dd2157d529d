import Columns
import Formats
import Store

/// Files as a source: taken in the order of their names, read on when they grow, each record once.
///
/// A poll takes from one file only, and the one that goes to another file gives no rows: so a position
/// names the file that the next record comes from, and a batch that is read again is the same, whatever
/// files have come or grown since. For longer stretches the position keeps the order in which parts of
/// files were read since positions were taken last: see ``replay(to:)``.
final class FileSource: Source {
  let table: FileTable
  let environment: Environment
  let listing: FileListing
  private let decoder: any RecordDecoder
  var progress = FileProgress()
  /// Files found with something unread, the next one last.
  private var queue: [FileListing.Entry] = []
  private var current: Open?
  private var lastScan: Int64?
  /// What is taken after ``stopAtPresent()``: sizes by path.
  private var present: [String: Int]?
  private var isLast = false
  private var notices: [String] = []
  /// Files whose names were complained of.
  private var told: Set<String> = []
  /// Files that cannot be read at all, until they are told.
  private var letters: [DeadLetter] = []
  private var missing: Set<String> = []
  private(set) var skipped: Int64 = 0

  private struct Open {
    var entry: FileListing.Entry
    var reader: any FileReader
    var state: FileState
    var limit: Int?
    /// Whether it was known when the file was opened that its input had ended: what is added later
    /// to an unfinished line is not seen otherwise.
    var isLast: Bool
  }

  var type: RowType { table.table.type }
  var worksToDecode: Bool { true }
  var style: ChangeStyle { table.style }

  init(_ table: ConnectorTable, _ environment: Environment) throws(TerraceError) {
    self.table = try FileTable(table)
    self.environment = environment
    listing = try FileListing(
      self.table.path, folder: table.folder, pattern: self.table.pattern, environment.files)
    decoder = try self.table.decoder()
    if try environment.files.status(listing.root) == nil {
      notices.append("\(listing.root) is not there; it is looked for again and again")
    }
  }

  // MARK: Reading

  func poll(rows: Int, bytes: Int) throws(TerraceError) -> SourceBatch? {
    guard var open = current else { return try goOn() }
    let part: FileBatch?
    part = try open.reader.read(
      &open.state, rows: max(rows, 1), bytes: bytes, limit: open.limit, isLast: open.isLast)
    guard let part else {
      finish(open)
      return try goOn()
    }
    progress.note(open.state)
    skipped += Int64(part.skipped)
    current = open
    if part.endsFile || open.limit.map({ open.state.offset >= $0 }) == true { finish(open) }
    let full = listing.full(open.entry.path)
    return SourceBatch(
      rows: try table.batch(part, open.state, open.entry, full), kinds: part.kinds,
      deadLetters: part.letters)
  }

  /// Goes to the next file, which gives no rows yet.
  private func goOn() throws(TerraceError) -> SourceBatch? {
    if try !choose(), letters.isEmpty { return nil }
    defer { letters = [] }
    return SourceBatch(
      rows: Batch(type, type.fields.map { ColumnBuilder($0.type).finish() }, count: 0),
      deadLetters: letters)
  }

  /// Leaves the file: its present end, or the end of a part read again, is reached.
  private func finish(_ open: Open) {
    var state = open.state
    if open.limit == nil {
      state.size = open.entry.status.byteCount
      state.modified = open.entry.status.modifiedMillis
      progress.end(state)
    }
    progress.next = nil
    current = nil
    let path = state.path
    if isLast, !open.isLast, state.hasRest, !queue.contains(where: { $0.path == path }) {
      queue.append(open.entry)
    }
  }

  /// Opens the file that the next record comes from; false when there is none now.
  private func choose() throws(TerraceError) -> Bool {
    while let part = progress.nextPart() {
      guard let entry = try entry(part.path), try open(entry, limit: part.end) else {
        throw TerraceError(
          .notFound, "a file whose records must be read again is gone or was replaced",
          hint: "bring it back, or build the state anew: “terrace run --rebuild TABLE”"
        ).with("file", listing.full(part.path))
      }
      return true
    }
    if let next = progress.next {
      progress.next = nil
      if let entry = try entry(next), try open(entry, limit: nil) { return true }
    }
    if queue.isEmpty { try scan() }
    while let entry = queue.popLast() {
      if try open(entry, limit: nil) { return true }
    }
    return false
  }

  private func entry(_ path: String) throws(TerraceError) -> FileListing.Entry? {
    guard var status = try environment.files.status(listing.full(path)) else { return nil }
    if status.kind == .link {
      status.byteCount = try environment.files.open(listing.full(path)).byteCount
    }
    return FileListing.Entry(path: path, status: status)
  }

  /// False when the file is gone, was replaced or has nothing new.
  private func open(_ entry: FileListing.Entry, limit: Int?) throws(TerraceError) -> Bool {
    let full = listing.full(entry.path)
    let source: any ByteSource
    do throws(TerraceError) { source = try environment.files.open(full) } catch {
      if error.kind != .notFound { throw error }
      say(gone: entry.path)
      return false
    }
    var entry = entry
    entry.status.byteCount = source.byteCount
    if let present { entry.status.byteCount = min(source.byteCount, present[entry.path] ?? 0) }
    var state = progress.states[entry.path] ?? FileState(entry.path)
    if let problem = try FileCheck.problem(source, entry.status, state, table.format) {
      state.isLost = true
      progress.end(state)
      notices.append("\(full) \(problem); it is not read again")
      return false
    }
    if entry.status.byteCount == 0 { return false }
    try FileCheck.recognise(source, entry.status, &state)
    let reader: any FileReader
    do throws(TerraceError) {
      reader =
        if table.format.isContainer {
          try RowFileReader(source, name: full, state, table.physical, table.format)
        } else {
          try TextFileReader(
            source, name: full, state, size: entry.status.byteCount, decoder, table.format.reject)
        }
    } catch {
      if error.kind != .corrupted || table.format.reject == .fail || limit != nil { throw error }
      putAside(entry, state, error)
      return false
    }
    current = Open(entry: entry, reader: reader, state: state, limit: limit, isLast: isLast)
    if limit == nil { progress.next = entry.path }
    return true
  }

  /// A file that cannot be opened as what it should be. If nothing was read of it, it is looked at again
  /// when it has changed: somebody may still write it.
  private func putAside(
    _ entry: FileListing.Entry, _ state: FileState, _ error: TerraceError
  ) {
    var state = state.offset == 0 ? FileState(entry.path) : state
    state.size = entry.status.byteCount
    state.modified = entry.status.modifiedMillis
    progress.end(state)
    let batch = FileBatch(endedBy: error, at: entry.path, rest: [], table.format.reject)
    letters += batch.letters
    skipped += Int64(batch.skipped)
  }

  // MARK: Finding files

  /// Files that vanished at once and are told by name.
  private static let named = 10

  private func scan() throws(TerraceError) {
    if present != nil { return }
    let now = environment.time.nowMillis()
    if let lastScan, now >= lastScan, now - lastScan < table.interval { return }
    try look()
    lastScan = now
  }

  private func look() throws(TerraceError) {
    let entries = try listing.list { path in
      if told.insert(path).inserted {
        notices.append("\(listing.full(path)) has a name that is not UTF-8: it is passed over")
      }
    }
    queue = entries.reversed().filter { entry in
      guard let state = progress.states[entry.path] else { return true }
      if state.isLost { return false }
      return state.size != entry.status.byteCount || state.modified != entry.status.modifiedMillis
        || (isLast && state.hasRest)
    }
    let known = entries.count { progress.states[$0.path] != nil }
    if known == progress.states.count { return }
    let there = Set(entries.map(\.path))
    let gone = progress.states.keys.filter { !there.contains($0) && !missing.contains($0) }.sorted()
    for path in gone.prefix(Self.named) { say(gone: path) }
    let rest = gone.dropFirst(Self.named).filter { progress.states[$0]?.isLost == false }
    missing.formUnion(rest)
    if !rest.isEmpty { notices.append("\(rest.count) more files vanished from \(listing.root)") }
  }

  private func say(gone path: String) {
    guard let state = progress.states[path], !state.isLost, missing.insert(path).inserted else {
      return
    }
    let isWhole = state.size >= 0 && !state.hasRest
    notices.append(
      "\(listing.full(path)) vanished"
        + (isWhole ? "; all that was seen of it was read" : " before it was read to its end"))
  }

  func stopAtPresent() throws(TerraceError) {
    if present != nil { return }
    try look()
    var sizes: [String: Int] = [:]
    for entry in try listing.list() { sizes[entry.path] = entry.status.byteCount }
    present = sizes
    guard let open = current, open.limit == nil else { return }
    // What is open may have grown since it was opened.
    queue.removeAll { $0.path == open.entry.path }
    if let entry = try entry(open.entry.path) { queue.append(entry) }
  }

  func endInput() {
    isLast = true
    let known = Set(queue.map(\.path))
    var rest: [FileListing.Entry] = []
    for path in progress.states.keys.sorted(by: >) where !known.contains(path) {
      guard let state = progress.states[path], state.hasRest, !state.isLost else { continue }
      if path == current?.entry.path { continue }
      // It is opened only when it is still there.
      let status = FileStatus(
        kind: .file, byteCount: state.size, modifiedMillis: state.modified, identity: 0)
      rest.append(FileListing.Entry(path: path, status: status))
    }
    // Behind all others.
    queue.insert(contentsOf: rest, at: 0)
  }

  var isDrained: Bool {
    present != nil && current == nil && queue.isEmpty && progress.next == nil
      && progress.isFollowed
  }

  // MARK: Positions

  var position: String { mark.position }
  var mark: SourceMark { progress.mark }
  var positionTable: (type: RowType, keyCount: Int)? { (FileState.table, 1) }
  func takePositions() throws(TerraceError) -> DeltaBatch? { progress.take() }

  func restorePositions(_ rows: DeltaBatch) throws(TerraceError) {
    for state in FileState.states(rows) { progress.states[state.path] = state }
  }

  func seek(_ position: String) throws(TerraceError) {
    current = nil
    queue = []
    lastScan = nil
    try progress.restore(position)
  }

  func replay(to position: String) throws(TerraceError) { try progress.follow(position) }

  // MARK: For people

  var backlog: (amount: Int64, unit: String)? {
    if table.format.isContainer { return (Int64(queue.count), "files") }
    var bytes = queue.reduce(0) { sum, entry in
      sum + max(entry.status.byteCount - (progress.states[entry.path]?.offset ?? 0), 0)
    }
    if let open = current { bytes += max(open.entry.status.byteCount - open.state.offset, 0) }
    return (Int64(bytes), "bytes")
  }

  func takeNotices() -> [String] {
    defer { notices = [] }
    return notices
  }

  func close() {
    current = nil
    queue = []
  }
}
