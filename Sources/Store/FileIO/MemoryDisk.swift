import Columns
import Glibc

/// Folders, names and bytes, each as seen and as durable.
struct MemoryDisk {
  struct Inode {
    var bytes: [UInt8] = []
    /// What a sync has brought to the disk.
    var durable: [UInt8] = []
    var modifiedMillis: Int64
  }

  struct Folder {
    var names: [String: Int] = [:]
    var durable: [String: Int] = [:]
    /// Changes of names since the last sync, in order; nil removes.
    var pending: [(name: String, inode: Int?)] = []
  }

  var inodes: [Int: Inode] = [:]
  /// Folders survive a crash at once: whoever makes one syncs the folder above it.
  var folders: [String: Folder] = ["": Folder()]
  var locks: Set<String> = []
  private var next = 1

  static func clean(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." { parts.append(part) }
    return parts.map { "/" + $0 }.joined()
  }

  private static func split(_ path: String) -> (String, String) {
    let path = clean(path)
    guard let slash = path.lastIndex(of: "/") else { return ("", path) }
    return (String(path[..<slash]), String(path[path.index(after: slash)...]))
  }

  func file(_ path: String) -> Inode? {
    let (folder, name) = MemoryDisk.split(path)
    return folders[folder]?.names[name].flatMap { inodes[$0] }
  }

  private mutating func set(_ folder: String, _ name: String, _ inode: Int?) {
    folders[folder]?.names[name] = inode
    folders[folder]?.pending.append((name, inode))
  }

  mutating func create(_ path: String, _ now: Int64) -> (code: Int32, inode: Int?) {
    let (folder, name) = MemoryDisk.split(path)
    guard let found = folders[folder] else { return (ENOENT, nil) }
    if found.names[name] != nil || folders[folder + "/" + name] != nil { return (EEXIST, nil) }
    let inode = next
    next += 1
    inodes[inode] = Inode(modifiedMillis: now)
    set(folder, name, inode)
    return (0, inode)
  }

  mutating func rename(_ from: String, _ to: String, replacing: Bool) -> Int32 {
    let source = MemoryDisk.clean(from)
    let target = MemoryDisk.clean(to)
    if folders[source] != nil { return renameFolder(source, target) }
    let (folder, name) = MemoryDisk.split(from)
    let (newFolder, newName) = MemoryDisk.split(to)
    guard let inode = folders[folder]?.names[name], let other = folders[newFolder] else {
      return ENOENT
    }
    if !replacing, other.names[newName] != nil || folders[target] != nil { return EEXIST }
    // The new name first: a crash between the two keeps the file.
    set(newFolder, newName, inode)
    set(folder, name, nil)
    return 0
  }

  private mutating func renameFolder(_ source: String, _ target: String) -> Int32 {
    if folders[target] != nil || file(target) != nil { return EEXIST }
    for path in folders.keys where path == source || path.hasPrefix(source + "/") {
      folders[target + path.dropFirst(source.count)] = folders.removeValue(forKey: path)
    }
    return 0
  }

  func names(in folder: String) -> [String] {
    let files = folders[folder]?.names.keys.map { $0 } ?? []
    let inner = folders.keys.compactMap { path -> String? in
      let (above, name) = MemoryDisk.split(path)
      return above == folder && !name.isEmpty ? name : nil
    }
    return (files + inner).sorted()
  }

  func status(_ path: String) -> FileStatus? {
    if folders[MemoryDisk.clean(path)] != nil {
      return FileStatus(kind: .directory, byteCount: 0, modifiedMillis: 0, identity: 0)
    }
    let (folder, name) = MemoryDisk.split(path)
    guard let number = folders[folder]?.names[name], let inode = inodes[number] else { return nil }
    return FileStatus(
      kind: .file, byteCount: inode.bytes.count, modifiedMillis: inode.modifiedMillis,
      identity: UInt64(number))
  }

  mutating func unlink(_ path: String) -> Bool {
    let (folder, name) = MemoryDisk.split(path)
    guard folders[folder]?.names[name] != nil else { return false }
    set(folder, name, nil)
    return true
  }

  mutating func removeFolder(_ path: String) -> Bool {
    let path = MemoryDisk.clean(path)
    guard !path.isEmpty, folders[path] != nil, names(in: path).isEmpty else { return false }
    folders[path] = nil
    return true
  }

  mutating func makeFolders(_ path: String) {
    var made = ""
    for part in MemoryDisk.clean(path).split(separator: "/") {
      made += "/" + part
      if folders[made] == nil { folders[made] = Folder() }
    }
  }

  mutating func syncNames(of folder: String) {
    guard let names = folders[folder]?.names else { return }
    folders[folder]?.durable = names
    folders[folder]?.pending = []
  }

  /// Keeps what is durable and an arbitrary part of the rest.
  mutating func crash(seed: UInt64) {
    var random = SplitMix(seed: seed)
    locks = []
    for path in folders.keys.sorted() {
      guard var folder = folders[path] else { continue }
      for change in folder.pending where random.next() % 2 == 0 {
        folder.durable[change.name] = change.inode
      }
      folder.names = folder.durable
      folder.pending = []
      folders[path] = folder
    }
    let named = Set(folders.values.flatMap { $0.names.values })
    for number in inodes.keys.sorted() {
      guard var inode = inodes[number], named.contains(number) else {
        inodes[number] = nil
        continue
      }
      inode.bytes = MemoryDisk.survivors(inode, &random)
      inode.durable = inode.bytes
      inodes[number] = inode
    }
  }

  /// Bytes that a crash leaves of a file: what was synced, and of the pages after that some, while
  /// others read as zeros. The file's length may have grown before its pages were written.
  private static func survivors(_ inode: Inode, _ random: inout SplitMix) -> [UInt8] {
    if inode.bytes.count == inode.durable.count { return inode.bytes }
    let page = 4096
    var bytes = inode.durable
    let grown = inode.bytes.count - inode.durable.count
    let length = inode.durable.count + Int(random.next() % UInt64(grown + 1))
    while bytes.count < length {
      let end = min(length, (bytes.count / page + 1) * page)
      if random.next() % 2 == 0 {
        bytes += inode.bytes[bytes.count..<end]
      } else {
        bytes += [UInt8](repeating: 0, count: end - bytes.count)
      }
    }
    return bytes
  }
}
