package import Columns
import Foundation
import Glibc

/// The right to run a project's jobs, held by one process.
///
/// The operating system's lock excludes, and goes with the process, however that ends; what the file says
/// about the holder only informs.
package final class ProjectLock {
  /// Who holds it, as the file says it.
  package struct Holder: Codable, Sendable {
    package var pid: Int32
    package var host: String
    /// Milliseconds since 1970.
    package var since: Int64
    package var command: String
  }

  private var descriptor: Int32

  private init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// - Parameter file: made when it is missing, and never removed: a removed file could be locked twice.
  /// - Throws: `held` with the holder, `unavailable`.
  package static func take(
    _ file: String, command: String, nowMillis: Int64
  ) throws(TerraceError) -> ProjectLock {
    let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw TerraceError(.unavailable, "the lock file cannot be opened")
        .with("file", file).with("reason", String(cString: strerror(errno)))
    }
    // Commands that only look hold the lock for a moment: that is no reason to give up.
    var tries = 0
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0, tries < 15 {
      tries += 1
      usleep(20_000)
    }
    guard tries < 15 else {
      let holder = read(descriptor)
      Glibc.close(descriptor)
      throw held(by: holder, file)
    }
    let holder = Holder(
      pid: getpid(), host: ProcessInfo.processInfo.hostName, since: nowMillis, command: command)
    let lock = ProjectLock(descriptor)
    try lock.write(holder, file)
    return lock
  }

  /// Who holds the project now; nil when nobody does.
  package static func holder(_ file: String) -> Holder? {
    let descriptor = open(file, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { Glibc.close(descriptor) }
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return nil }
    return read(descriptor) ?? Holder(pid: 0, host: "", since: 0, command: "")
  }

  private static func held(by holder: Holder?, _ file: String) -> TerraceError {
    guard let holder, holder.pid > 0 else {
      return TerraceError(.held, "another process runs this project").with("file", file)
    }
    let since = InstantText.text(millis: holder.since)
    return TerraceError(
      .held,
      "“\(holder.command)” runs this project: process \(holder.pid) on \(holder.host), since \(since)",
      hint: "stop it with: kill \(holder.pid)")
  }

  private func write(_ holder: Holder, _ file: String) throws(TerraceError) {
    let bytes: Data
    do { bytes = try JSONEncoder().encode(holder) } catch {
      throw TerraceError(.unavailable, "the lock file cannot be written").with("file", file)
    }
    let written = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    guard written == bytes.count, ftruncate(descriptor, off_t(bytes.count)) == 0 else {
      throw TerraceError(.unavailable, "the lock file cannot be written")
        .with("file", file).with("reason", String(cString: strerror(errno)))
    }
  }

  private static func read(_ descriptor: Int32) -> Holder? {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    guard count > 0 else { return nil }
    // A file that says nothing readable leaves the holder unnamed; the lock holds all the same.
    return try? JSONDecoder().decode(Holder.self, from: Data(bytes[..<count]))
  }

  package func release() {
    if descriptor < 0 { return }
    Glibc.close(descriptor)
    descriptor = -1
  }

  deinit { release() }
}
