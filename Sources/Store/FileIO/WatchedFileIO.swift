package import Columns
package import Formats

/// Sees every call before and after it is made; may let time pass, or throw instead.
package protocol FileWatcher: Sendable {
  /// Before the call. Throwing stops it from being made.
  ///
  /// - Parameter bytes: to be read or written.
  /// - Returns: of a write, how many bytes are to be written before ``after`` is told; nil for all.
  func before(_ call: FileCall, _ path: String, bytes: Int) throws(TerraceError) -> Int?
  /// After the call was made. Throwing hides its success.
  func after(_ call: FileCall, _ path: String, bytes: Int) throws(TerraceError)
}

/// A ``FileIO`` with a watcher at each of its calls, and at those of the files it opens.
package struct WatchedFileIO: FileIO {
  let base: any FileIO
  let watcher: any FileWatcher

  package init(_ base: any FileIO, _ watcher: any FileWatcher) {
    self.base = base
    self.watcher = watcher
  }

  package func open(_ path: String) throws(TerraceError) -> any ByteSource {
    WatchedSource(
      try around(.open, path) { () throws(TerraceError) in try base.open(path) }, path, watcher)
  }

  package func create(_ path: String) throws(TerraceError) -> any FileSink {
    WatchedSink(
      try around(.create, path) { () throws(TerraceError) in try base.create(path) }, path, watcher)
  }

  package func syncDirectory(_ path: String) throws(TerraceError) {
    try around(.syncDirectory, path) { () throws(TerraceError) in try base.syncDirectory(path) }
  }

  package func publish(_ temporary: String, as path: String) throws(TerraceError) -> Bool {
    try around(.publish, path) { () throws(TerraceError) in
      try base.publish(temporary, as: path)
    }
  }

  package func replace(
    _ path: String, with bytes: [UInt8], durable: Bool
  ) throws(TerraceError) {
    try around(.replace, path, bytes.count) { () throws(TerraceError) in
      try base.replace(path, with: bytes, durable: durable)
    }
  }

  package func rename(_ path: String, to new: String) throws(TerraceError) {
    try around(.rename, path) { () throws(TerraceError) in try base.rename(path, to: new) }
  }

  package func list(_ path: String) throws(TerraceError) -> [String] {
    try around(.list, path) { () throws(TerraceError) in try base.list(path) }
  }

  package func status(_ path: String) throws(TerraceError) -> FileStatus? {
    try around(.status, path) { () throws(TerraceError) in try base.status(path) }
  }

  package func delete(_ path: String) throws(TerraceError) -> Bool {
    try around(.delete, path) { () throws(TerraceError) in try base.delete(path) }
  }

  package func deleteDirectory(_ path: String) throws(TerraceError) -> Bool {
    try around(.deleteDirectory, path) { () throws(TerraceError) in
      try base.deleteDirectory(path)
    }
  }

  package func makeDirectories(_ path: String) throws(TerraceError) {
    try around(.makeDirectories, path) { () throws(TerraceError) in
      try base.makeDirectories(path)
    }
  }

  package func lock(_ path: String) throws(TerraceError) -> any FileLock {
    try around(.lock, path) { () throws(TerraceError) in try base.lock(path) }
  }

  private func around<Value>(
    _ call: FileCall, _ path: String, _ bytes: Int = 0, _ body: () throws(TerraceError) -> Value
  ) throws(TerraceError) -> Value {
    _ = try watcher.before(call, path, bytes: bytes)
    let value = try body()
    try watcher.after(call, path, bytes: bytes)
    return value
  }
}

private final class WatchedSource: ByteSource {
  let name: String
  private let base: any ByteSource
  private let watcher: any FileWatcher
  var byteCount: Int { base.byteCount }

  init(_ base: any ByteSource, _ path: String, _ watcher: any FileWatcher) {
    self.base = base
    self.watcher = watcher
    name = path
  }

  func read(at offset: Int, count: Int) throws(TerraceError) -> Buffer {
    _ = try watcher.before(.read, name, bytes: count)
    let buffer = try base.read(at: offset, count: count)
    try watcher.after(.read, name, bytes: count)
    return buffer
  }
}

private final class WatchedSink: FileSink {
  let name: String
  private let base: any FileSink
  private let watcher: any FileWatcher
  var byteCount: Int { base.byteCount }

  init(_ base: any FileSink, _ path: String, _ watcher: any FileWatcher) {
    self.base = base
    self.watcher = watcher
    name = path
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(TerraceError) {
    let part = try watcher.before(.write, name, bytes: bytes.count)
    if let part, part < bytes.count {
      try base.write(UnsafeRawBufferPointer(rebasing: bytes[..<part]))
    } else {
      try base.write(bytes)
    }
    try watcher.after(.write, name, bytes: bytes.count)
  }

  func startSync() throws(TerraceError) { try base.startSync() }

  func sync() throws(TerraceError) {
    _ = try watcher.before(.sync, name, bytes: 0)
    try base.sync()
    try watcher.after(.sync, name, bytes: 0)
  }

  func close() throws(TerraceError) {
    _ = try watcher.before(.close, name, bytes: 0)
    try base.close()
    try watcher.after(.close, name, bytes: 0)
  }
}
