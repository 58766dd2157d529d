package import Columns
import SQL
import Store

/// A job that cannot be made now, for no fault of the specs: a server that cannot be asked, a variable that is
/// not set. The others run.
package struct AbsentJob: Sendable {
  /// `ods.orders`, or `ods.*` for tables that nobody knows yet.
  package var name: String
  package var reason: TerraceError
  /// How soon a project that runs asks again, in milliseconds; nil: it does not.
  var askedAgainMillis: Int64?

  package var warning: String { "\(name) cannot be made now: \(reason.message)" }

  /// Of a job that was applied while it could not be made: it may come without being asked for again.
  static let fingerprint = ""

  /// It stands for more than one job, whose names nobody knows.
  var isOpen: Bool { name.hasSuffix("*") }

  func covers(_ job: String) -> Bool {
    isOpen ? job.hasPrefix(name.dropLast()) : job == name
  }
}

/// The files of a project whose jobs can be made now.
struct PresentSpecs {
  private(set) var files: [SpecFile]
  private(set) var absent: [AbsentJob]
  private let layers: [String]
  private let warehouse: OpenWarehouse

  init(
    _ files: [SpecFile], _ absent: [AbsentJob], layers: [String], _ warehouse: OpenWarehouse
  ) {
    self.files = files
    self.absent = absent
    self.layers = layers
    self.warehouse = warehouse
  }

  /// Leaves out files that read tables which are not there, and which no job makes now.
  mutating func leaveOutReaders() throws(TerraceError) {
    if absent.isEmpty { return }
    while let (file, table) = try reader() {
      let reason = TerraceError(
        .invalid, "it reads \(table), of which nothing is known yet",
        hint: "the next run after that is there makes it")
      leaveOut(file, reason)
    }
  }

  private func reader() throws(TerraceError) -> (file: Int, table: TableName)? {
    let made = Set(files.flatMap(\.targets))
    for mention in SpecGraph(files, layers: layers).mentions.values.joined() {
      let table = mention.from
      guard !made.contains(table), absent.contains(where: { $0.covers(table.description) })
      else { continue }
      // What an earlier run has left can be read.
      if try warehouse.hasFolder, try warehouse.databases().contains(table.database),
        try warehouse.has(table)
      {
        continue
      }
      return (mention.file, table)
    }
    return nil
  }

  /// Leaves out files that lack a variable of the environment.
  ///
  /// - Returns: whether there are any among those with problems.
  mutating func leaveOut(_ problems: [TerraceError]) -> Bool {
    var found = false
    for problem in problems where problem.fact("variable") != nil {
      guard let file = files.firstIndex(where: { $0.text.name == problem.fact("source") }) else {
        continue
      }
      found = true
      leaveOut(file, problem)
    }
    return found
  }

  private mutating func leaveOut(_ index: Int, _ reason: TerraceError) {
    let file = files.remove(at: index)
    for name in file.targets { absent.append(AbsentJob(name: name.description, reason: reason)) }
  }
}

extension SpecFile {
  /// Tables that its jobs fill, those outside by the names that their jobs have.
  fileprivate var targets: Set<TableName> {
    var found = Set(inserts.compactMap { target($0.syntax.target) })
    if table != nil { found.insert(name) }
    return found
  }
}
