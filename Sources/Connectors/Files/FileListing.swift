import Columns
import Formats
import Store

/// The files of a source: one file, or those below a folder. Names that begin with a dot or an
/// underscore are nobody's data.
struct FileListing {
  struct Entry {
    /// Below the root; for a single file its name.
    var path: String
    var status: FileStatus
  }

  let files: any FileIO
  /// What paths are below.
  let root: String
  /// The single file, when the path names one.
  private let single: String?
  private let pattern: NamePattern

  /// - Parameter path: absolute, or below `folder`; `file://` and `file:` may precede it.
  init(
    _ path: String, folder: String, pattern: String?, _ files: any FileIO
  ) throws(TerraceError) {
    self.files = files
    self.pattern = try NamePattern(pattern, option: "source.path.regex-pattern")
    var path = Self.resolved(path, folder: folder)
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    if let status = try files.status(path), !status.isDirectory, status.kind != .link {
      let cut = path.lastIndex(of: "/") ?? path.startIndex
      root = cut == path.startIndex ? "/" : String(path[..<cut])
      single = String(path[path.index(after: cut)...])
    } else {
      root = path
      single = nil
    }
  }

  static func resolved(_ path: String, folder: String) -> String {
    var path = path
    if path.hasPrefix("file:") {
      path.removeFirst(5)
      while path.hasPrefix("//") { path.removeFirst() }
    }
    if path.hasPrefix("/") { return path }
    return folder.hasSuffix("/") ? folder + path : folder + "/" + path
  }

  func full(_ path: String) -> String { root + "/" + path }

  /// All files, in the order of their names; hidden ones left out.
  ///
  /// - Parameter odd: gets names that are not UTF-8, by which no file can be opened.
  func list(odd: (String) -> Void = { _ in }) throws(TerraceError) -> [Entry] {
    if let single {
      guard let status = try files.status(full(single)), !status.isDirectory else { return [] }
      return [Entry(path: single, status: status)]
    }
    var found: [Entry] = []
    try collect("", 0, &found, odd)
    return found.sorted { Array($0.path.utf8).lexicographicallyPrecedes(Array($1.path.utf8)) }
  }

  private func collect(
    _ folder: String, _ depth: Int, _ found: inout [Entry], _ odd: (String) -> Void
  ) throws(TerraceError) {
    if depth > 32 { return }
    for name in try files.list(folder.isEmpty ? root : full(folder)) {
      if name.hasPrefix(".") || name.hasPrefix("_") { continue }
      let path = folder.isEmpty ? name : folder + "/" + name
      guard let status = try files.status(full(path)) else {
        // What is no text became this mark.
        if name.unicodeScalars.contains("\u{fffd}") { odd(path) }
        continue
      }
      switch status.kind {
      case .directory: try collect(path, depth + 1, &found, odd)
      case .file:
        if pattern.matches(full(path)) || pattern.matches(path) {
          found.append(Entry(path: path, status: status))
        }
      case .link:
        guard pattern.matches(full(path)) || pattern.matches(path),
          // What it points to is a file if it opens as one.
          let source = try? files.open(full(path))
        else { continue }
        var pointed = status
        pointed.byteCount = source.byteCount
        found.append(Entry(path: path, status: pointed))
      case .other: continue
      }
    }
  }
}
