import Columns
import Formats
import Glibc
import Store

/// Files as a sink: an epoch's rows go to new files with hidden names, which are made durable by
/// ``prepare(epoch:)`` and get their names by ``publish(_:)``.
///
/// Names are `part-<epoch>-<random>-<n>.<format>`, below `column=value` folders where the table has
/// partitions. Hidden names begin with `.terrace-<table>-`; those that no root names are removed on
/// recovery, so two jobs must not write a table of one name into one folder.
final class FolderSink: Sink {
  private let table: ConnectorTable
  private let format: RecordFormat
  private let files: any FileIO
  private let names: any NameSource
  private let root: String
  private let rollBytes: Int
  /// The empty file that says that a folder's files of an epoch are all there.
  private let successName: String?
  private let partitions: [Int]
  private let stored: [Int]
  /// By the bytes of the folder's name: texts that look alike may be written in two ways.
  private var open: [[UInt8]: OpenFile] = [:]
  private var closed: [(hidden: String, folder: String)] = []
  private var writes = 0
  /// A share of what the process may open: an epoch may have more partitions than that.
  private let openLimit: Int

  private struct OpenFile {
    /// Number of the write that used it last.
    var used = 0
    var hidden: String
    var folder: String
    var sink: any FileSink
    var encoder: any FileEncoder
  }

  /// - Parameter openLimit: files that may be open at once; nil: by the system's limit.
  init(
    _ table: ConnectorTable, _ environment: Environment, openLimit: Int? = nil
  ) throws(TerraceError) {
    self.openLimit = openLimit ?? Self.systemLimit
    let checked = try FileTable(table)
    self.table = table
    format = checked.format
    files = environment.files
    names = environment.names
    var options = ConnectorOptions(table)
    let size = options.text("sink.rolling-policy.file-size") ?? "128MB"
    guard let bytes = OptionValue.memoryBytes(size), bytes > 0 else {
      throw options.wrong("sink.rolling-policy.file-size", "a size such as '128 MB'")
    }
    rollBytes = bytes
    successName = try Self.successName(&options)
    root = FileListing.resolved(checked.path, folder: table.folder)
    partitions = table.partitionKeys.compactMap { table.type.index(of: $0) }
    let divided = partitions
    stored = table.type.fields.indices.filter { !divided.contains($0) }
    if stored.isEmpty {
      throw TerraceError(.invalid, "all columns are partition columns").with("table", table.name)
    }
    let row = RowType(stored.map { table.type.fields[$0] })
    do throws(TerraceError) { try FileEncoders.check(format, row) } catch {
      throw error.with("table", table.name)
    }
  }

  private static var systemLimit: Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0 else {
      return 100
    }
    return Int(min(max(limit.rlim_cur / 4, 16), 1000))
  }

  /// Folders are committed with the epoch; `partition-time` would wait for what no root says.
  private static func successName(
    _ options: inout ConnectorOptions
  ) throws(TerraceError) -> String? {
    let kinds = (options.text("sink.partition-commit.policy.kind") ?? "").split(separator: ",")
      .map(\.trimmed).filter { !$0.isEmpty }
    if let other = kinds.first(where: { $0 != "success-file" && $0 != "metastore" }) {
      throw TerraceError(
        .unsupported, "'sink.partition-commit.policy.kind' = '\(other)'",
        hint: "success-file writes an empty file into each folder that got files"
      ).with("table", options.table.name)
    }
    if kinds.contains("metastore") {
      throw TerraceError(
        .unsupported, "'sink.partition-commit.policy.kind' = 'metastore' for plain files",
        hint: "tables of the warehouse are in its catalog"
      ).with("table", options.table.name)
    }
    let trigger = try options.choice(
      "sink.partition-commit.trigger", ["process-time", "partition-time"])
    if trigger == "partition-time" {
      throw TerraceError(
        .unsupported, "'sink.partition-commit.trigger' = 'partition-time'",
        hint: "success files are written with the epoch that wrote into a folder"
      ).with("table", options.table.name)
    }
    let name = options.text("sink.partition-commit.success-file.name") ?? "_SUCCESS"
    if name.isEmpty || name.contains("/") || name == ".." || name == "." {
      throw options.wrong("sink.partition-commit.success-file.name", "a file name")
    }
    return kinds.contains("success-file") ? name : nil
  }

  // MARK: Writing

  func write(_ rows: Batch, kinds: Buffer?) throws(TerraceError) {
    if rows.count == 0 { return }
    if let kinds, !format.isChanges {
      let codes = kinds.pointer(UInt8.self)
      for row in 0..<rows.count where codes[row] != RowKind.insert.rawValue {
        throw TerraceError(
          .invalid, "format '\(format.kind.rawValue)' cannot tell updates and deletes",
          hint: "formats debezium-json and canal-json can"
        ).with("table", table.name)
      }
    }
    if partitions.isEmpty { return try write(rows.project(stored), kinds, to: "") }
    var order: [String] = []
    var groups: [[UInt8]: [Int32]] = [:]
    for row in 0..<rows.count {
      let folder = folder(rows, row)
      let name = Array(folder.utf8)
      if groups[name] == nil { order.append(folder) }
      groups[name, default: []].append(Int32(row))
    }
    for folder in order {
      let members = groups[Array(folder.utf8)] ?? []
      let part = rows.project(stored).gather(members, count: members.count)
      let own = kinds.map { all in
        let some = Buffer(byteCount: members.count)
        for (i, row) in members.enumerated() {
          some.pointer(UInt8.self)[i] = all.pointer(UInt8.self)[Int(row)]
        }
        return some
      }
      try write(part, own, to: folder)
    }
  }

  private func folder(_ rows: Batch, _ row: Int) -> String {
    partitions.map { c in
      let none = table.options["partition.default-name"] ?? "__DEFAULT_PARTITION__"
      let column = rows.columns[c]
      let text = column.isNull(row) ? none : ValueText.text(column, row)
      return Self.escaped(rows.type.fields[c].name) + "="
        + Self.escaped(text.isEmpty ? none : text)
    }.joined(separator: "/")
  }

  /// As Hive escapes names in paths.
  private static func escaped(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      let isSpecial =
        scalar.value < 0x20 || "\"#%'*/:=?\\{[]^\u{7f}".unicodeScalars.contains(scalar)
      if isSpecial {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        out += "%" + (digits.count < 2 ? "0" : "") + digits
      } else {
        out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  private func write(_ rows: Batch, _ kinds: Buffer?, to folder: String) throws(TerraceError) {
    var file: OpenFile
    let name = Array(folder.utf8)
    if let known = open[name] {
      file = known
    } else {
      if open.count >= openLimit, let idle = open.min(by: { $0.value.used < $1.value.used }) {
        open[idle.key] = nil
        try finish(idle.value)
      }
      file = try create(folder, rows.type)
    }
    writes += 1
    file.used = writes
    open[name] = file
    try file.encoder.write(rows, kinds)
    if file.encoder.byteCount >= rollBytes {
      open[name] = nil
      try finish(file)
    }
  }

  private func create(_ folder: String, _ type: RowType) throws(TerraceError) -> OpenFile {
    let place = folder.isEmpty ? root : root + "/" + folder
    try files.makeDirectories(place)
    let hidden = Self.hidden(table) + names.uuid() + ".tmp"
    let sink = try files.create(place + "/" + hidden)
    let encoder = try FileEncoders.make(format, sink, type)
    return OpenFile(hidden: hidden, folder: folder, sink: sink, encoder: encoder)
  }

  private static func hidden(_ table: ConnectorTable) -> String { ".terrace-\(table.name)-" }

  private func finish(_ file: OpenFile) throws(TerraceError) {
    try file.encoder.finish()
    try file.sink.sync()
    try file.sink.close()
    closed.append((file.hidden, file.folder))
  }

  // MARK: Epochs

  func prepare(epoch: Int64) throws(TerraceError) -> String {
    for name in open.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      if let file = open.removeValue(forKey: name) { try finish(file) }
    }
    let mark = names.uuid().prefix(8)
    let suffix = format.isChanges ? "json" : format.kind.rawValue
    let pairs = closed.enumerated().map { index, file in
      JSONValue.array([
        .string(file.folder), .string(file.hidden),
        .string("part-\(epoch)-\(mark)-\(index).\(suffix)"),
      ])
    }
    closed = []
    return JSONValue.array(pairs).text()
  }

  func publish(_ prepared: String) throws(TerraceError) {
    var folders: Set<String> = []
    for item in try JSONValue.parse(prepared).asArray ?? [] {
      let texts = item.asArray?.compactMap(\.asString) ?? []
      guard texts.count == 3 else {
        throw TerraceError(.corrupted, "what a sink prepared is damaged").with("table", table.name)
      }
      let place = texts[0].isEmpty ? root : root + "/" + texts[0]
      let (from, to) = (place + "/" + texts[1], place + "/" + texts[2])
      // It has its name already when it was done before a crash.
      if try files.status(from) != nil, try !files.publish(from, as: to) {
        throw TerraceError(.conflict, "the name of a new file is taken").with("file", to)
      }
      try files.syncDirectory(place)
      folders.insert(place)
    }
    guard let successName else { return }
    for place in folders.sorted() {
      let path = place + "/" + successName
      if try files.status(path) == nil { try files.write([], to: path) }
      try files.syncDirectory(place)
    }
  }

  func recover(_ prepared: String?) throws(TerraceError) -> SinkRecovery {
    if let prepared, !prepared.isEmpty { try publish(prepared) }
    try removeHidden(root, depth: 0)
    return .complete
  }

  private func removeHidden(_ folder: String, depth: Int) throws(TerraceError) {
    for name in try files.list(folder) {
      let path = folder + "/" + name
      if name.hasPrefix(Self.hidden(table)), name.hasSuffix(".tmp") {
        try files.delete(path)
      } else if depth < partitions.count, try files.status(path)?.isDirectory == true {
        try removeHidden(path, depth: depth + 1)
      }
    }
  }

  /// What was not prepared is removed, if it can be: recovery would do it too.
  func close() {
    for file in open.values {
      let place = file.folder.isEmpty ? root : root + "/" + file.folder
      // A hidden file that stays is removed on the next recovery.
      try? file.sink.close()
      _ = try? files.delete(place + "/" + file.hidden)  // Likewise.
    }
    open = [:]
  }
}
