import CSystem
package import Columns
package import Formats
import Glibc

/// Files of the operating system.
package struct LocalFileIO: FileIO {
  package init() {}

  package func open(_ path: String) throws(TerraceError) -> any ByteSource {
    let descriptor = try retrying("open", path) { Glibc.open(path, O_RDONLY | O_CLOEXEC) }
    var info = stat()
    if fstat(descriptor, &info) != 0 {
      let error = systemError("fstat", path)
      close(descriptor)
      throw error
    }
    guard info.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw TerraceError(.invalid, "not a file").with("path", path)
    }
    return LocalSource(descriptor, path, Int(info.st_size))
  }

  package func create(_ path: String) throws(TerraceError) -> any FileSink {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC
    let descriptor = try retrying("create", path) { Glibc.open(path, flags, 0o644) }
    return LocalSink(descriptor, path)
  }

  package func syncDirectory(_ path: String) throws(TerraceError) {
    let descriptor: Int32
    do {
      descriptor = try retrying("open", path) {
        Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      }
    } catch {
      if error.kind == .notFound { return }
      throw error
    }
    defer { close(descriptor) }
    _ = try retrying("fsync", path) { fsync(descriptor) }
  }

  package func publish(
    _ temporary: String, as path: String
  ) throws(TerraceError) -> Bool {
    if t_rename_noreplace(temporary, path) == 0 { return true }
    if errno == EEXIST { return false }
    // File systems without RENAME_NOREPLACE: link() does not replace either.
    guard errno == EINVAL || errno == ENOSYS else { throw systemError("rename", path) }
    if link(temporary, path) != 0 {
      if errno == EEXIST { return false }
      throw systemError("link", path)
    }
    _ = unlink(temporary)  // A second name of the published file is an orphan at most.
    return true
  }

  package func replace(
    _ path: String, with bytes: [UInt8], durable: Bool
  ) throws(TerraceError) {
    let (folder, name) = splitPath(path)
    let temporary = folder + "/." + name + "." + RandomNames().uuid() + ".tmp"
    do {
      let sink = try create(temporary)
      try bytes.write(to: sink)
      if durable { try sink.sync() }
      try sink.close()
      _ = try retrying("rename", path) { Glibc.rename(temporary, path) }
    } catch {
      _ = unlink(temporary)
      throw error
    }
    if durable { try syncDirectory(folder) }
  }

  package func rename(_ path: String, to new: String) throws(TerraceError) {
    if t_rename_noreplace(path, new) != 0 {
      guard errno == EINVAL || errno == ENOSYS else { throw systemError("rename", path) }
      if try status(new) != nil {
        throw TerraceError(.conflict, "the new name is taken").with("path", new)
      }
      _ = try retrying("rename", path) { Glibc.rename(path, new) }
    }
    try syncDirectory(splitPath(new).folder)
    if splitPath(new).folder != splitPath(path).folder {
      try syncDirectory(splitPath(path).folder)
    }
  }

  package func list(_ path: String) throws(TerraceError) -> [String] {
    guard let directory = opendir(path) else {
      if errno == ENOENT { return [] }
      throw systemError("opendir", path)
    }
    defer { closedir(directory) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(directory) else {
        if errno != 0 { throw systemError("readdir", path) }
        break
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
        field.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  package func status(_ path: String) throws(TerraceError) -> FileStatus? {
    var info = stat()
    if lstat(path, &info) != 0 {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw systemError("lstat", path)
    }
    let kind: FileStatus.Kind =
      switch info.st_mode & S_IFMT {
      case S_IFREG: .file
      case S_IFDIR: .directory
      case S_IFLNK: .link
      default: .other
      }
    let nanos = Int64(info.st_mtim.tv_sec) * 1_000_000_000 + Int64(info.st_mtim.tv_nsec)
    // An inode number alone is soon used again.
    let identity = UInt64(info.st_ino) &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(bitPattern: nanos)
    return FileStatus(
      kind: kind, byteCount: Int(info.st_size), modifiedMillis: nanos / 1_000_000,
      identity: identity, inode: UInt64(info.st_ino))
  }

  package func delete(_ path: String) throws(TerraceError) -> Bool {
    if unlink(path) == 0 { return true }
    if errno == ENOENT { return false }
    throw systemError("unlink", path)
  }

  package func deleteDirectory(_ path: String) throws(TerraceError) -> Bool {
    if rmdir(path) == 0 { return true }
    if errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST { return false }
    throw systemError("rmdir", path)
  }

  package func makeDirectories(_ path: String) throws(TerraceError) {
    if mkdir(path, 0o755) == 0 {
      try syncDirectory(splitPath(path).folder)
      return
    }
    switch errno {
    case EEXIST:
      var info = stat()
      if stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR { return }
      throw TerraceError(.invalid, "a file is where a folder should be").with("path", path)
    case ENOENT where splitPath(path).folder != path:
      try makeDirectories(splitPath(path).folder)
      try makeDirectories(path)
    default: throw systemError("mkdir", path)
    }
  }

  package func lock(_ path: String) throws(TerraceError) -> any FileLock {
    let descriptor = try retrying("open", path) {
      Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    }
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      if errno == EINTR { continue }
      let refused = errno
      let error =
        refused == EWOULDBLOCK
        ? TerraceError(.held, "another process holds the lock").with("path", path)
        : systemError("flock", path)
      close(descriptor)
      throw error
    }
    return LocalLock(descriptor)
  }
}

/// The folder of a path, "." when it has none, and the last name.
package func splitPath(_ path: String) -> (folder: String, name: String) {
  guard let slash = path.lastIndex(of: "/") else { return (".", path) }
  let folder = slash == path.startIndex ? "/" : String(path[..<slash])
  return (folder, String(path[path.index(after: slash)...]))
}

private final class LocalLock: FileLock, Sendable {
  private let descriptor: Int32

  init(_ descriptor: Int32) { self.descriptor = descriptor }
  deinit { close(descriptor) }

  func unlock() { flock(descriptor, LOCK_UN) }
}
