import Columns
import Connectors
import Dataflow
import Formats
import Store

/// A wish that a job reads its dead letters again: a file in the project's folder `.requests`. The job's
/// positions say which wish is done, so each is done once, whatever process dies when.
struct ReplayRequest {
  var id: Int64

  static func file(_ job: String, folder: String) -> String {
    folder + "/.requests/replay-" + job + ".json"
  }

  static func read(
    _ job: String, folder: String, _ files: any FileIO
  ) throws(TerraceError) -> ReplayRequest? {
    guard let bytes = try files.readSmall(file(job, folder: folder), limit: 1 << 16) else {
      return nil
    }
    return ReplayRequest(id: try parseJSON(bytes).int("id"))
  }

  static func write(
    _ job: String, folder: String, _ environment: Environment
  ) throws(TerraceError) -> ReplayRequest {
    let last = try read(job, folder: folder, environment.files)?.id ?? 0
    let request = ReplayRequest(id: max(environment.time.nowMillis(), last + 1))
    let text = JSONValue.members([("id", .int(request.id))]).text()
    let path = file(job, folder: folder)
    try environment.files.makeDirectories(folder + "/.requests")
    try environment.files.replace(path, with: Array(text.utf8), durable: true)
    return request
  }
}

/// Gives the letters of one source that are rows today, a block at a time.
final class LetterReplay {
  /// Letters a block: rows of a block are in memory together.
  static let blockCount = 10_000
  private let job: String
  private let source: String
  private let environment: JobEnvironment
  private let table: ConnectorTable
  private var lastLook: Int64 = .min
  private var pending: ReplayRequest?
  /// The wish that is done, and number of the letter that one under way goes on from.
  private(set) var done: Int64 = 0
  private(set) var next: Int64 = 0

  init(
    job: String, source: String, _ table: ConnectorTable, _ environment: JobEnvironment
  ) {
    self.job = job
    self.source = source
    self.table = table
    self.environment = environment
  }

  /// The rows, their kinds, and the letters that they were.
  struct Block {
    var rows: [(Batch, Buffer?)] = []
    var letters: [Int64] = []
  }

  var isPending: Bool { pending != nil }

  /// Whether there is a wish that is not done. Looks twice a second.
  func isWanted() throws(TerraceError) -> Bool {
    if pending != nil { return true }
    let now = environment.warehouse.environment.time.nowMillis()
    if lastLook != .min, now >= lastLook, now - lastLook < 500 { return false }
    lastLook = now
    let files = environment.warehouse.environment.files
    guard let request = try ReplayRequest.read(job, folder: environment.folder, files),
      request.id > done
    else { return false }
    pending = request
    return true
  }

  /// The next block; nil when there is no wish. A block without rows is the end of a wish.
  func block() throws(TerraceError) -> Block? {
    guard try isWanted(), let request = pending else { return nil }
    let stored = try DeadLetters.stored(
      job, environment.warehouse, from: next, limit: Self.blockCount)
    var block = Block()
    let own = stored.filter { $0.source == source }
    if !own.isEmpty {
      let decoder = try Connectors.letterDecoder(table, environment.warehouse.environment)
      for letter in own {
        switch try decoder.decode(letter.letter, keepsKey: letter.keepsKey) {
        case .refused: continue
        case .rows(let rows, let kinds):
          if rows.count > 0 { block.rows.append((rows, kinds)) }
          block.letters.append(letter.id)
        }
      }
    }
    if stored.count < Self.blockCount {
      done = request.id
      next = 0
      pending = nil
    } else {
      next = (stored.last?.id ?? next) + 1
    }
    return block
  }

  var position: JSONValue? {
    if done == 0, next == 0 { return nil }
    return .members([("done", .int(done)), ("next", .int(next))])
  }

  func seek(_ position: JSONValue?) throws(TerraceError) {
    done = try position?.int("done") ?? 0
    next = try position?.int("next") ?? 0
    pending = nil
    lastLook = .min
  }
}
