package import Columns
package import Formats

/// The one door to the file system: every read and write of a table goes through it.
///
/// Paths are absolute or relative to the process, with `/`; nothing is normalised. Missing things are
/// answers (nil, false, empty), everything else that the system refuses is thrown.
/// Counting, faults, delays and power loss are put in between by wrappers; see ``CountingFileIO``,
/// ``FaultyFileIO`` and ``MemoryFileIO``.
package protocol FileIO: Sendable {
  /// Opens a file for reading at any place, from several threads. `notFound` when it is missing.
  func open(_ path: String) throws(TerraceError) -> any ByteSource
  /// Creates a file and opens it for writing. `conflict` when the name is taken.
  func create(_ path: String) throws(TerraceError) -> any FileSink
  /// Makes the names in a directory survive a loss of power. A missing directory is no error.
  func syncDirectory(_ path: String) throws(TerraceError)
  /// Gives a finished file its name, in the same directory, in one step; never replaces one.
  ///
  /// - Returns: false when the name is taken; the temporary file is then still there.
  func publish(_ temporary: String, as path: String) throws(TerraceError) -> Bool
  /// Puts a small file in the place of another in one step, so that readers see the one or the other.
  func replace(_ path: String, with bytes: [UInt8], durable: Bool) throws(TerraceError)
  /// Renames a directory or file, durably; `conflict` when the new name is taken.
  func rename(_ path: String, to new: String) throws(TerraceError)
  /// Names in a directory, sorted; empty when it is missing.
  func list(_ path: String) throws(TerraceError) -> [String]
  /// What a name stands for; nil when it is missing. Symbolic links are not followed.
  func status(_ path: String) throws(TerraceError) -> FileStatus?
  /// Removes a file or symbolic link, never what it points to. False when it was missing.
  @discardableResult func delete(_ path: String) throws(TerraceError) -> Bool
  /// Removes an empty directory. False when it is missing or not empty.
  @discardableResult func deleteDirectory(_ path: String) throws(TerraceError) -> Bool
  /// Makes a directory and those above it; the new names are made durable.
  func makeDirectories(_ path: String) throws(TerraceError)
  /// Takes an operating-system lock on a file, which is created when missing and never deleted.
  /// It ends with the process, however that dies.
  ///
  /// - Throws: kind `held` when somebody else has it.
  func lock(_ path: String) throws(TerraceError) -> any FileLock
}

/// A file being written. Without `close()` the file is left as it is and counts as unfinished.
package protocol FileSink: ByteSink {
  var byteCount: Int { get }
  /// Writes what is buffered and lets the disk begin, without waiting: where several files are to be
  /// synced, starting all of them first lets the file system do the work of one.
  func startSync() throws(TerraceError)
  /// Writes what is buffered and makes the content durable (not the name).
  func sync() throws(TerraceError)
  /// Writes what is buffered and closes. Further writes are a mistake.
  func close() throws(TerraceError)
}

package protocol FileLock: Sendable {
  func unlock()
}

package struct FileStatus: Sendable, Hashable {
  package enum Kind: Sendable { case file, directory, link, other }
  package var kind: Kind
  package var byteCount: Int
  /// Milliseconds since 1970 UTC.
  package var modifiedMillis: Int64
  /// Changes whenever the name is given to another file.
  package var identity: UInt64
  /// Stays the same while the file grows; 0 where files have no number.
  package var inode: UInt64

  package init(
    kind: Kind, byteCount: Int, modifiedMillis: Int64, identity: UInt64, inode: UInt64 = 0
  ) {
    self.kind = kind
    self.byteCount = byteCount
    self.modifiedMillis = modifiedMillis
    self.identity = identity
    self.inode = inode
  }

  package var isDirectory: Bool { kind == .directory }
}

extension FileIO {
  package func exists(_ path: String) throws(TerraceError) -> Bool { try status(path) != nil }

  /// The whole content of a small file; nil when it is missing.
  ///
  /// - Throws: kind `corrupted` when it is longer than `limit`.
  package func readSmall(
    _ path: String, limit: Int = 64 << 20
  ) throws(TerraceError) -> [UInt8]? {
    let source: any ByteSource
    do {
      source = try open(path)
    } catch {
      if error.kind == .notFound { return nil }
      throw error
    }
    if source.byteCount > limit {
      throw TerraceError(.corrupted, "the file is too long to be what its name says")
        .with("file", path).with("bytes", source.byteCount)
    }
    let content = try source.readAll()
    defer { withExtendedLifetime(content) {} }
    return Array(content.bytes)
  }

  /// Writes a new file, makes its content durable and closes it.
  package func write(_ bytes: [UInt8], to path: String) throws(TerraceError) {
    let sink = try create(path)
    try bytes.write(to: sink)
    try sink.sync()
    try sink.close()
  }

  /// Removes a directory with all that is in it. Symbolic links are removed, not followed.
  package func deleteTree(_ path: String) throws(TerraceError) {
    guard let status = try status(path) else { return }
    guard status.isDirectory else {
      try delete(path)
      return
    }
    for name in try list(path) { try deleteTree(path + "/" + name) }
    try deleteDirectory(path)
  }
}

extension Array where Element == UInt8 {
  package func write(to sink: any ByteSink) throws(TerraceError) {
    var failure: TerraceError?
    withUnsafeBytes { bytes in
      do throws(TerraceError) { try sink.write(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
