import Columns
import Formats
import Synchronization

/// How far all files were read, and in which order since positions were taken last.
struct FileProgress {
  fileprivate struct Part {
    var path: String
    var end: Int
  }

  var states: [String: FileState] = [:]
  /// File that the next record comes from.
  var next: String?
  /// What has happened since positions were taken.
  private var history = FileHistory()
  /// Parts to be read again, the last first, before anything else.
  private var toFollow: [Part] = []
  private var nextToFollow: String?

  /// Records were given.
  mutating func note(_ state: FileState) {
    states[state.path] = state
    history.append(state, isPart: true)
  }

  /// A file's present end was reached, or it is lost.
  mutating func end(_ state: FileState) {
    states[state.path] = state
    history.append(state, isPart: false)
  }

  /// The place as of now.
  var mark: SourceMark {
    let (history, count, next) = (history, history.count, next)
    return SourceMark { history.text(upTo: count, next: next) }
  }

  mutating func take() -> DeltaBatch? {
    let paths = history.paths
    if paths.isEmpty { return nil }
    // Marks that were made keep theirs.
    history = FileHistory()
    return FileState.rows(paths.sorted().compactMap { states[$0] })
  }

  mutating func restore(_ position: String) throws(TerraceError) {
    let value = try JSONValue.parse(position)
    history = FileHistory()
    for item in try value.array("files") { end(try FileState(item)) }
    for part in try Self.parts(value) { history.append(part) }
    next = try value.optionalString("next")
  }

  private static func parts(_ value: JSONValue) throws(TerraceError) -> [Part] {
    var parts: [Part] = []
    for item in try value.array("order") {
      guard let pair = item.asArray, pair.count == 2, let path = pair[0].asString,
        let end = pair[1].asInt, end >= 0
      else { throw TerraceError(.corrupted, "a position of files is damaged") }
      parts.append(Part(path: path, end: Int(end)))
    }
    return parts
  }

  // MARK: Reading again

  mutating func follow(_ position: String) throws(TerraceError) {
    let value = try JSONValue.parse(position)
    toFollow = try Self.parts(value).reversed()
    nextToFollow = try value.optionalString("next")
    if !toFollow.isEmpty { next = nil }
  }

  /// The next part to be read again, and the file that it belongs to.
  mutating func nextPart() -> (path: String, end: Int)? {
    while let part = toFollow.last {
      if (states[part.path]?.offset ?? 0) < part.end { return (part.path, part.end) }
      toFollow.removeLast()
    }
    if let path = nextToFollow {
      next = path
      nextToFollow = nil
    }
    return nil
  }

  var isFollowed: Bool { toFollow.isEmpty && nextToFollow == nil }
}

/// Steps in the order in which they happened. Places are numbers of steps, so that a place costs nothing
/// until somebody wants its text, however many files there are.
private final class FileHistory: Sendable {
  private struct Step {
    var path: String
    /// The file's state as JSON; nil for parts that were read before.
    var state: String?
    /// Records up to here were given; nil when none were.
    var end: Int?
  }

  private let steps = Mutex<[Step]>([])

  var count: Int { steps.withLock { $0.count } }
  var paths: Set<String> { steps.withLock { steps in Set(steps.lazy.map(\.path)) } }

  func append(_ state: FileState, isPart: Bool) {
    let step = Step(
      path: state.path, state: state.json.text(), end: isPart ? state.offset : nil)
    steps.withLock { $0.append(step) }
  }

  func append(_ part: FileProgress.Part) {
    steps.withLock { $0.append(Step(path: part.path, state: nil, end: part.end)) }
  }

  func text(upTo count: Int, next: String?) -> String {
    var states: [String: String] = [:]
    var order: [FileProgress.Part] = []
    for step in steps.withLock({ $0.prefix(count) }) {
      if let state = step.state { states[step.path] = state }
      guard let end = step.end else { continue }
      if order.last?.path == step.path {
        order[order.count - 1].end = end
      } else {
        order.append(FileProgress.Part(path: step.path, end: end))
      }
    }
    let parts = JSONValue.array(
      order.map { .array([.string($0.path), .int(Int64($0.end))]) })
    var text = "{\"files\":["
    text += states.keys.sorted().compactMap { states[$0] }.joined(separator: ",")
    text += "],\"order\":" + parts.text()
    if let next { text += ",\"next\":" + JSONValue.string(next).text() }
    return text + "}"
  }
}
