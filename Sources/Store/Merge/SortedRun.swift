internal import Columns

/// A data file with its key range as normalized bytes, which compare as the keys do.
struct RunFile: Sendable {
  let file: DataFile
  let low: [UInt8]
  let high: [UInt8]

  func overlaps(_ other: RunFile) -> Bool {
    !high.lexicographicallyPrecedes(other.low) && !other.high.lexicographicallyPrecedes(low)
  }

  /// - Throws: `corrupted` when a key range does not decode.
  static func decode(_ files: [DataFile], keyTypes: [DataType]) throws(TerraceError) -> [RunFile] {
    let lows = try NormalizedKeys.decode(files.map(\.minKey), keyTypes, files)
    let highs = try NormalizedKeys.decode(files.map(\.maxKey), keyTypes, files)
    return files.indices.map {
      RunFile(file: files[$0], low: lows.bytes(of: $0), high: highs.bytes(of: $0))
    }
  }
}

extension NormalizedKeys {
  /// Keys that manifests hold as binary rows.
  fileprivate static func decode(
    _ rows: [[UInt8]], _ types: [DataType], _ files: [DataFile]
  ) throws(TerraceError) -> NormalizedKeys {
    let builders = types.map { ColumnBuilder($0.notNull, capacity: rows.count) }
    for (row, file) in zip(rows, files) {
      let values: [Scalar]
      do throws(TerraceError) {
        values = try row.withUnsafeBytesTyped { (bytes) throws(TerraceError) in
          try BinaryRow.decode(serialized: bytes, types)
        }
      } catch {
        throw error.with("file", file.name)
      }
      for (builder, value) in zip(builders, values) { builder.append(value) }
    }
    return KeyEncoder(types.map(\.notNull)).encode(builders.map { $0.finish() }, count: rows.count)
  }

  /// One key as bytes, also when it is whole in its prefix.
  func bytes(of row: Int) -> [UInt8] {
    isWhole ? withUnsafeBytes(of: prefixes[row].bigEndian) { Array($0) } : Array(key(row))
  }
}

/// Data files whose key ranges are disjoint, in key order.
///
/// A lookup touches at most one file of a run, so that the cost of a read grows with the number of
/// runs and not with the number of files.
struct SortedRun: Sendable {
  let level: Int
  /// Invariant: `files[i].high < files[i + 1].low`.
  let files: [RunFile]

  var byteCount: Int { files.reduce(0) { $0 + Int($1.file.byteCount) } }

  /// - Throws: `corrupted`, when two files overlap.
  init(level: Int, files: [RunFile]) throws(TerraceError) {
    self.level = level
    self.files = files.sorted { $0.low.lexicographicallyPrecedes($1.low) }
    for (left, right) in zip(self.files, self.files.dropFirst())
    where !left.high.lexicographicallyPrecedes(right.low) {
      throw TerraceError(.corrupted, "files of a sorted run overlap")
        .with("left", left.file.name).with("right", right.file.name).with("level", level)
    }
  }

  /// The runs of a bucket, newest first: each file of level 0, then one run a level.
  static func runs(_ files: [RunFile]) throws(TerraceError) -> [SortedRun] {
    var runs: [SortedRun] = []
    let young = files.filter { $0.file.level == 0 }.sorted {
      ($0.file.maxSequence, $0.file.minSequence, $0.file.creationMillis ?? 0, $0.file.name)
        > ($1.file.maxSequence, $1.file.minSequence, $1.file.creationMillis ?? 0, $1.file.name)
    }
    for file in young { runs.append(try SortedRun(level: 0, files: [file])) }
    for level in Set(files.map(\.file.level)).filter({ $0 > 0 }).sorted() {
      runs.append(try SortedRun(level: level, files: files.filter { $0.file.level == level }))
    }
    return runs
  }
}

/// Files of several runs whose key ranges overlap one another, and no file outside.
struct Section: Sendable {
  /// Oldest run first; the files of each in key order.
  let runs: [[RunFile]]

  var files: [RunFile] { runs.flatMap { $0 } }

  /// Cuts runs into sections, in key order (Paimon `IntervalPartition`).
  ///
  /// - Parameter runs: newest first.
  static func split(_ runs: [SortedRun]) -> [Section] {
    var all: [(file: RunFile, age: Int)] = []
    for (age, run) in runs.enumerated() { all += run.files.map { ($0, age) } }
    all.sort { $0.file.low.lexicographicallyPrecedes($1.file.low) }
    var sections: [Section] = []
    var open: [(file: RunFile, age: Int)] = []
    var bound: [UInt8] = []
    func close() {
      let ages = Set(open.map(\.age)).sorted(by: >)
      sections.append(Section(runs: ages.map { age in open.filter { $0.age == age }.map(\.file) }))
      open = []
    }
    for entry in all {
      if !open.isEmpty && bound.lexicographicallyPrecedes(entry.file.low) { close() }
      if open.isEmpty || bound.lexicographicallyPrecedes(entry.file.high) {
        bound = entry.file.high
      }
      open.append(entry)
    }
    if !open.isEmpty { close() }
    return sections
  }
}
