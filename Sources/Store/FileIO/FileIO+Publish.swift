package import Columns

/// What became of an attempt to give a file its name.
package enum PublishOutcome: Sendable {
  /// Everybody sees it. With an error, it may not survive a loss of power.
  case published(undurable: TerraceError?)
  /// Somebody else has the name.
  case taken
  /// The name is not there.
  case failed(TerraceError)
  /// The system would not even say whether the name is there: keep everything that it may name.
  case unknown(TerraceError)
}

extension FileIO {
  /// Writes a new metadata file under a temporary name and publishes it, durably.
  ///
  /// - Returns: false when the name is taken by other content.
  package func publishNew(
    _ path: String, _ bytes: [UInt8], names: any NameSource
  ) throws(TerraceError) -> Bool {
    let temporary = try writeTemporary(for: path, bytes, names: names)
    switch publishTemporary(temporary, as: path, bytes) {
    case .published(let undurable):
      if let undurable { throw undurable }
      return true
    case .taken: return false
    case .failed(let error): throw error
    case .unknown(let error):
      throw error.with("while", "looking whether the file was published")
    }
  }

  /// Writes what ``publishTemporary`` will give its name, durably.
  package func writeTemporary(
    for path: String, _ bytes: [UInt8], names: any NameSource
  ) throws(TerraceError) -> String {
    let (temporary, sink) = try startTemporary(for: path, bytes, names: names)
    do {
      try sink.sync()
      try sink.close()
      return temporary
    } catch {
      discard(temporary)
      throw error
    }
  }

  /// As ``writeTemporary``, but leaves syncing and closing to the caller.
  package func startTemporary(
    for path: String, _ bytes: [UInt8], names: any NameSource
  ) throws(TerraceError) -> (path: String, sink: any FileSink) {
    let (folder, name) = splitPath(path)
    let temporary = folder + "/." + name + "." + names.uuid() + ".tmp"
    let sink = try create(temporary)
    do {
      try bytes.write(to: sink)
      try sink.startSync()
      return (temporary, sink)
    } catch {
      discard(temporary)
      throw error
    }
  }

  /// Publishes a temporary file that holds `bytes`. Whatever happens, its temporary name is then gone.
  ///
  /// When the system reports a failure, the name may hold our bytes all the same: this looks. They
  /// should therefore be unlike anybody else's.
  package func publishTemporary(
    _ temporary: String, as path: String, _ bytes: [UInt8]
  ) -> PublishOutcome {
    defer { discard(temporary) }
    do throws(TerraceError) {
      if try publish(temporary, as: path) { return .published(undurable: sync(namesOf: path)) }
      // A repeated call can find its own earlier success.
      if try readSmall(path) != bytes { return .taken }
      return .published(undurable: sync(namesOf: path))
    } catch {
      do throws(TerraceError) {
        guard let found = try readSmall(path) else { return .failed(error) }
        return found == bytes ? .published(undurable: sync(namesOf: path)) : .taken
      } catch let second {
        return .unknown(second)
      }
    }
  }

  private func sync(namesOf path: String) -> TerraceError? {
    do throws(TerraceError) {
      try syncNames(splitPath(path).folder)
      return nil
    } catch {
      return error
    }
  }

  /// Makes published names durable, once more when the first try fails.
  package func syncNames(_ folder: String) throws(TerraceError) {
    do {
      try syncDirectory(folder)
    } catch {
      try syncDirectory(folder)
    }
  }

  /// Removes a file that nobody can reach.
  package func discard(_ path: String) {
    // It stays as an orphan, which `terrace orphans` removes: the caller has a better error to tell.
    do { try delete(path) } catch { return }
  }
}
