import Columns
import Formats

/// How far all files were read, and in which order since positions were taken last.
struct FileProgress {
  struct Part {
    var path: String
    var end: Int
  }

  var states: [String: FileState] = [:]
  /// File that the next record comes from.
  var next: String? {
    didSet { if next != oldValue { cached = nil } }
  }
  /// Files changed since positions were taken, with their text.
  private var changed: [String: String] = [:]
  /// Parts in the order in which they were read since then.
  private var log: [Part] = []
  /// Parts to be read again, in this order, before anything else.
  private var toFollow: [Part] = []
  private var nextToFollow: String?
  private var cached: String?

  /// Records were given.
  mutating func note(_ state: FileState, from before: FileState) {
    put(state)
    if log.last?.path == state.path {
      log[log.count - 1].end = state.offset
    } else {
      log.append(Part(path: state.path, end: state.offset))
    }
  }

  /// A file's present end was reached, or it is lost.
  mutating func end(_ state: FileState) { put(state) }

  private mutating func put(_ state: FileState) {
    states[state.path] = state
    changed[state.path] = state.json.text()
    cached = nil
  }

  var text: String {
    mutating get {
      if let cached { return cached }
      var text = "{\"files\":["
      text += changed.keys.sorted().compactMap { changed[$0] }.joined(separator: ",")
      let parts = JSONValue.array(
        log.map { .array([.string($0.path), .int(Int64($0.end))]) })
      text += "],\"order\":" + parts.text()
      if let next { text += ",\"next\":" + JSONValue.string(next).text() }
      text += "}"
      cached = text
      return text
    }
  }

  mutating func take() -> DeltaBatch? {
    if changed.isEmpty { return nil }
    let rows = FileState.rows(changed.keys.sorted().compactMap { states[$0] })
    changed = [:]
    log = []
    cached = nil
    return rows
  }

  mutating func restore(_ position: String) throws(TerraceError) {
    let value = try JSONValue.parse(position)
    for item in try value.array("files") {
      let state = try FileState(item)
      states[state.path] = state
      changed[state.path] = item.text()
    }
    log = try Self.parts(value)
    next = try value.optionalString("next")
    cached = nil
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
    toFollow = try Self.parts(value)
    nextToFollow = try value.optionalString("next")
    if !toFollow.isEmpty { next = nil }
  }

  /// The next part to be read again.
  mutating func nextPart() -> Part? {
    while let part = toFollow.first {
      if (states[part.path]?.offset ?? 0) < part.end { return part }
      toFollow.removeFirst()
    }
    if let path = nextToFollow {
      next = path
      nextToFollow = nil
    }
    return nil
  }

  var isFollowed: Bool { toFollow.isEmpty && nextToFollow == nil }
}
