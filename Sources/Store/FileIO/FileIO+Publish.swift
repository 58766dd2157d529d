package import Columns

extension FileIO {
  /// Writes a new metadata file under a temporary name and publishes it, durably.
  ///
  /// When publishing reports a failure, the outcome is unknown until somebody looks: the name may
  /// hold our bytes all the same. They should therefore be unlike anybody else's.
  /// - Returns: false when the name is taken by other content.
  package func publishNew(
    _ path: String, _ bytes: [UInt8], names: any NameSource
  ) throws(TerraceError) -> Bool {
    let temporary = try writeTemporary(for: path, bytes, names: names)
    return try publishTemporary(temporary, as: path, bytes)
  }

  /// Writes what ``publishTemporary`` will give its name, durably.
  package func writeTemporary(
    for path: String, _ bytes: [UInt8], names: any NameSource
  ) throws(TerraceError) -> String {
    let (folder, name) = splitPath(path)
    let temporary = folder + "/." + name + "." + names.uuid() + ".tmp"
    do {
      try write(bytes, to: temporary)
      return temporary
    } catch {
      discard(temporary)
      throw error
    }
  }

  /// Publishes a temporary file that holds `bytes`. Whatever happens, it is then gone.
  package func publishTemporary(
    _ temporary: String, as path: String, _ bytes: [UInt8]
  ) throws(TerraceError) -> Bool {
    var published: Bool
    do {
      published = try publish(temporary, as: path)
    } catch {
      let found: [UInt8]?
      do {
        found = try readSmall(path)
      } catch let second {
        discard(temporary)
        throw second.with("while", "looking whether the file was published")
      }
      published = found == bytes
      if found == nil {
        discard(temporary)
        throw error
      }
    }
    if !published {
      // A retried call can find its own earlier success.
      if try readSmall(path) == bytes { published = true }
      discard(temporary)
    }
    if published { try syncNames(splitPath(path).folder) }
    return published
  }

  /// Makes published names durable, once more when the first try fails.
  package func syncNames(_ folder: String) throws(TerraceError) {
    do {
      try syncDirectory(folder)
    } catch {
      try syncDirectory(folder)
    }
  }

  /// Removes a file that nobody can reach. If that fails it stays behind as an orphan, which
  /// `terrace orphans` removes: the caller has a better error to tell.
  package func discard(_ path: String) {
    do { try delete(path) } catch { return }
  }
}
