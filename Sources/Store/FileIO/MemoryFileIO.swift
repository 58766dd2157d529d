package import Columns
package import Formats
import Glibc
import Synchronization

/// A file system in memory that forgets what was not synced when the power fails.
///
/// It keeps two states: what processes see, and what the disk is sure to hold. `sync` of a file moves
/// its bytes to the disk, `syncDirectory` its names. ``crash(seed:)`` lets the disk keep an arbitrary
/// part of the rest: any of the pages written, any of the names made, changed and removed, as a disk
/// may that writes in its own order.
package final class MemoryFileIO: FileIO {
  private let state: Mutex<MemoryDisk>
  private let time: any Timekeeper

  package init(time: any Timekeeper = SystemTime()) {
    state = Mutex(MemoryDisk())
    self.time = time
  }

  /// Another disk with the same content, seen and durable.
  package func copy() -> MemoryFileIO {
    let copy = MemoryFileIO(time: time)
    let disk = state.withLock { $0 }
    copy.state.withLock { $0 = disk }
    return copy
  }

  /// The power fails and comes back: open files are lost, locks are free.
  package func crash(seed: UInt64) { state.withLock { $0.crash(seed: seed) } }

  package func open(_ path: String) throws(TerraceError) -> any ByteSource {
    let bytes = state.withLock { $0.file(path)?.bytes }
    guard let bytes else { throw systemError("open", path, code: ENOENT) }
    return MemorySource(bytes, name: path)
  }

  package func create(_ path: String) throws(TerraceError) -> any FileSink {
    let now = time.nowMillis()
    let (code, file) = state.withLock { disk in disk.create(path, now) }
    guard let file else { throw systemError("create", path, code: code) }
    return MemoryDiskSink(path, file, self)
  }

  fileprivate func append(_ bytes: UnsafeRawBufferPointer, to file: Int) -> Int {
    state.withLock { disk in
      disk.inodes[file]?.bytes.append(contentsOf: bytes)
      return disk.inodes[file]?.bytes.count ?? 0
    }
  }

  fileprivate func sync(file: Int) {
    state.withLock { disk in
      if let bytes = disk.inodes[file]?.bytes { disk.inodes[file]?.durable = bytes }
    }
  }

  package func syncDirectory(_ path: String) throws(TerraceError) {
    state.withLock { $0.syncNames(of: MemoryDisk.clean(path)) }
  }

  package func publish(_ temporary: String, as path: String) throws(TerraceError) -> Bool {
    let code = state.withLock { $0.rename(temporary, path, replacing: false) }
    if code == EEXIST { return false }
    if code != 0 { throw systemError("rename", path, code: code) }
    return true
  }

  package func replace(
    _ path: String, with bytes: [UInt8], durable: Bool
  ) throws(TerraceError) {
    let (folder, name) = splitPath(path)
    let temporary = folder + "/." + name + ".replace.tmp"
    _ = try delete(temporary)
    let sink = try create(temporary)
    try bytes.write(to: sink)
    if durable { try sink.sync() }
    try sink.close()
    let code = state.withLock { $0.rename(temporary, path, replacing: true) }
    if code != 0 { throw systemError("rename", path, code: code) }
    if durable { try syncDirectory(folder) }
  }

  package func rename(_ path: String, to new: String) throws(TerraceError) {
    let code = state.withLock { $0.rename(path, new, replacing: false) }
    if code != 0 { throw systemError("rename", path, code: code) }
  }

  package func list(_ path: String) throws(TerraceError) -> [String] {
    state.withLock { $0.names(in: MemoryDisk.clean(path)) }
  }

  package func status(_ path: String) throws(TerraceError) -> FileStatus? {
    state.withLock { $0.status(path) }
  }

  package func delete(_ path: String) throws(TerraceError) -> Bool {
    state.withLock { $0.unlink(path) }
  }

  package func deleteDirectory(_ path: String) throws(TerraceError) -> Bool {
    state.withLock { $0.removeFolder(path) }
  }

  package func makeDirectories(_ path: String) throws(TerraceError) {
    state.withLock { $0.makeFolders(path) }
  }

  package func lock(_ path: String) throws(TerraceError) -> any FileLock {
    let taken = state.withLock { $0.locks.insert(path).inserted }
    if !taken {
      throw TerraceError(.held, "another process holds the lock").with("path", path)
    }
    return MemoryLock { [weak self] in self?.unlock(path) }
  }

  private func unlock(_ path: String) { state.withLock { _ = $0.locks.remove(path) } }
}

private final class MemoryLock: FileLock {
  private let release: @Sendable () -> Void
  init(_ release: @escaping @Sendable () -> Void) { self.release = release }
  deinit { release() }
  func unlock() { release() }
}

private final class MemoryDiskSink: FileSink {
  let name: String
  private(set) var byteCount = 0
  private let file: Int
  private let disk: MemoryFileIO

  init(_ path: String, _ file: Int, _ disk: MemoryFileIO) {
    name = path
    self.file = file
    self.disk = disk
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(TerraceError) {
    byteCount = disk.append(bytes, to: file)
  }

  func startSync() throws(TerraceError) {}
  func sync() throws(TerraceError) { disk.sync(file: file) }
  func close() throws(TerraceError) {}
}
