import Catalog
import Columns
import Connectors
import Foundation
import Store
import Synchronization
import XCTest

@testable import Warehouse

/// A database server in memory: tables with a log each.
final class FakeServer: Sendable {
  enum Event: Sendable {
    case row(RowKind, [String: Scalar], millis: Int64)
    case drift(SchemaDrift)
  }

  struct Content {
    var shapes: [DatabaseTable: DatabaseTableShape] = [:]
    var logs: [DatabaseTable: [Event]] = [:]
    var isAway = false
    /// The login is refused with these words.
    var refusal: String?
    var asked = 0
    /// What the server's clock has reached.
    var readMillis: Int64 = 0
  }

  let content = Mutex(Content())

  func create(
    _ name: String, _ columns: [(String, DataType)], key: [String], comment: String? = nil,
    comments: [String: String] = [:], tellsOldRows: Bool = false
  ) {
    let parts = name.split(separator: ".").map(String.init)
    let table = DatabaseTable(database: parts[0], table: parts[1])
    let shape = DatabaseTableShape(
      table: table, columns: FakeServer.fields(columns, comments), primaryKey: key,
      comment: comment, tellsOldRows: tellsOldRows)
    content.withLock { $0.shapes[table] = shape }
  }

  static func fields(
    _ columns: [(String, DataType)], _ comments: [String: String] = [:]
  ) -> [Field] {
    columns.enumerated().map {
      Field(id: $0, name: $1.0, type: $1.1, comment: comments[$1.0])
    }
  }

  static func table(_ name: String) -> DatabaseTable {
    let parts = name.split(separator: ".").map(String.init)
    return DatabaseTable(database: parts[0], table: parts[1])
  }

  func put(
    _ name: String, _ row: [String: Scalar], _ kind: RowKind = .insert, millis: Int64 = 0
  ) {
    let event = Event.row(kind, row, millis: millis)
    content.withLock { $0.logs[FakeServer.table(name), default: []].append(event) }
  }

  /// ALTER TABLE.
  func alter(
    _ name: String, _ columns: [(String, DataType)], key: [String] = ["id"],
    renamed: [String: String] = [:], isDropped: Bool = false, reason: String = "ALTER TABLE"
  ) {
    let drift = SchemaDrift(
      columns: FakeServer.fields(columns), primaryKey: key, renamed: renamed,
      isDropped: isDropped, reason: reason)
    content.withLock { content in
      let table = FakeServer.table(name)
      content.shapes[table]?.columns = drift.columns
      content.logs[table, default: []].append(.drift(drift))
    }
  }

  func admit() throws(TerraceError) {
    if let refusal = content.withLock({ $0.refusal }) {
      throw TerraceError(.invalid, refusal).with("server", "db:5432")
    }
  }

  /// The doors of a project that lead here.
  var door: ConnectorDoor {
    var door = ConnectorDoor()
    door.catalog = { (name, options, _, _) throws(TerraceError) in
      if let wrong = options["wrong"] {
        throw TerraceError(.invalid, "unknown option 'wrong'").with("value", wrong)
      }
      return FakeCatalog(self)
    }
    door.check = { (_, _, _) throws(TerraceError) in }
    door.style = { (_) throws(TerraceError) in .upserts }
    door.source = { (table, _) throws(TerraceError) in FakeTableSource(self, table) }
    return door
  }
}

final class FakeCatalog: DatabaseCatalog {
  private let server: FakeServer

  init(_ server: FakeServer) { self.server = server }

  private func ask<Answer>(
    _ body: (FakeServer.Content) -> Answer
  ) throws(TerraceError) -> Answer {
    try server.admit()
    let answer = server.content.withLock { content -> Answer? in
      content.asked += 1
      return content.isAway ? nil : body(content)
    }
    guard let answer else {
      throw TerraceError(.unavailable, "the server does not answer").with("hostname", "db")
    }
    return answer
  }

  func databases() throws(TerraceError) -> [String] {
    try ask { Set($0.shapes.keys.map(\.database)).sorted() }
  }

  func tables(database: String?, schema: String?) throws(TerraceError) -> [DatabaseTable] {
    try ask { $0.shapes.keys.filter { database == nil || $0.database == database }.sorted() }
  }

  func shape(of table: DatabaseTable) throws(TerraceError) -> DatabaseTableShape {
    guard let shape = try ask({ $0.shapes[table] }) else {
      throw TerraceError(.notFound, "table \(table.text)")
    }
    return shape
  }

  func options(for table: DatabaseTable) -> [String: String] {
    [
      "connector": "fake", "hostname": "db", "password": "secret",
      "database-name": table.database, "table-name": table.table,
    ]
  }

  func close() {}
}

/// Reads the log of one table of a ``FakeServer`` from its beginning; stops where its columns change.
final class FakeTableSource: Source {
  let type: RowType
  let style = ChangeStyle.upserts
  private let server: FakeServer
  private let table: ConnectorTable
  private let place: DatabaseTable
  private var next = 0
  private var end: Int?
  private var held: Int64?
  private(set) var drift: SchemaDrift?

  init(_ server: FakeServer, _ table: ConnectorTable) {
    self.server = server
    self.table = table
    type = table.type
    place = DatabaseTable(
      database: table.options["database-name"] ?? "", table: table.options["table-name"] ?? "")
  }

  private var log: [FakeServer.Event] { server.content.withLock { $0.logs[place] ?? [] } }

  func poll(rows: Int, bytes: Int) throws(TerraceError) -> SourceBatch? {
    if drift != nil { return nil }
    if table.options["hostname"] == "db" { try server.admit() }
    if server.content.withLock({ $0.isAway }) {
      throw TerraceError(.unavailable, "the server does not answer")
    }
    var taken: [[Scalar]] = []
    var kinds: [UInt8] = []
    let log = self.log
    while next < min(log.count, end ?? .max), taken.count < rows {
      switch log[next] {
      case .row(let kind, let values, let millis):
        if let held, millis >= held { return batch(taken, kinds) }
        taken.append(type.fields.map { value($0.name, values) })
        kinds.append(kind.rawValue)
      case .drift(let found):
        if !fits(found) {
          drift = taken.isEmpty ? found : nil
          return batch(taken, kinds)
        }
      }
      next += 1
    }
    return batch(taken, kinds)
  }

  private func value(_ name: String, _ values: [String: Scalar]) -> Scalar {
    switch table.metadata.first(where: { $0.column == name })?.key {
    case "database_name": .text(place.database)
    case "table_name": .text(place.table)
    default: values[name] ?? .null
    }
  }

  private func fits(_ drift: SchemaDrift) -> Bool {
    !drift.isDropped
      && drift.columns.map(\.name) == table.declared.fields.map(\.name)
      && drift.columns.map(\.type.kind) == table.declared.fields.map(\.type.kind)
  }

  private func batch(_ rows: [[Scalar]], _ kinds: [UInt8]) -> SourceBatch? {
    if rows.isEmpty { return nil }
    let marks = Buffer(byteCount: kinds.count)
    for (i, kind) in kinds.enumerated() { marks.pointer(UInt8.self)[i] = kind }
    return SourceBatch(rows: JobFixture.batch(type, rows), kinds: marks)
  }

  func stopAtPresent() { end = log.count }
  var isDrained: Bool { drift == nil && end.map { next >= $0 } ?? false }
  var position: String { String(next) }
  func seek(_ position: String) { next = Int(position) ?? 0 }
  func hold(at millis: Int64?) { held = millis }

  func hasGiven(before millis: Int64) -> Bool? {
    let left = log.dropFirst(next).contains {
      if case .row(_, _, let at) = $0 { return at < millis }
      return false
    }
    return !left && server.content.withLock { $0.readMillis >= millis }
  }
}

/// A clock that goes on from where it is set.
final class ShiftedTime: Timekeeper {
  private let shift: Mutex<Int64>
  private let real = SystemTime()

  init(_ millis: Int64) { shift = Mutex(millis - SystemTime().nowMillis()) }

  func set(_ millis: Int64) { shift.withLock { $0 = millis - real.nowMillis() } }
  func nowMillis() -> Int64 { real.nowMillis() + shift.withLock { $0 } }
  func sleep(millis: Int) { real.sleep(millis: millis) }
}

/// A project in a folder of its own, synced from a ``FakeServer``.
final class SyncFixture {
  let server = FakeServer()
  let folder: String
  let time: any Timekeeper

  init(time: any Timekeeper = SystemTime()) throws {
    self.time = time
    folder = NSTemporaryDirectory() + "terrace-sync-" + UUID().uuidString
    try write(
      "catalogs/servers.sql",
      "CREATE CATALOG pg WITH ('type' = 'postgres-cdc', 'hostname' = 'db', 'password' = 'secret');"
    )
  }

  deinit {
    // A folder that stays is no failure.
    try? FileManager.default.removeItem(atPath: folder)
  }

  func write(_ path: String, _ text: String) throws {
    let file = URL(fileURLWithPath: folder + "/" + path)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
  }

  func open() throws -> OpenProject {
    var open = try OpenProject(folder: folder, Environment(time: time), variables: [:])
    open.connectors = server.door
    return open
  }

  func load(asksServers: Bool = true) throws -> (project: Project?, problems: [TerraceError]) {
    try open().load(asksServers: asksServers)
  }

  func project() throws -> Project {
    let (project, problems) = try load()
    guard let project else {
      throw problems.first ?? TerraceError(.invalid, "no project and no problem")
    }
    return project
  }

  /// What is wrong, as a person reads it: place and message.
  func problems() throws -> [String] {
    try load().problems.map { error in
      let place = ["source", "line", "column"].compactMap { error.fact($0) }
      return (place + [" " + error.message]).joined(separator: ":")
    }
  }

  @discardableResult func run(
    once: Bool = true, stopWhen: ([RunnerJobState]) -> Bool = { _ in false },
    notices: @escaping (String) -> Void = { _ in }
  ) throws -> [RunnerJobState] {
    let open = try open()
    let project = try project()
    let isNew = try !open.isApplied
    let metastore = try open.metastore()
    defer { metastore.close() }
    let changes = try ProjectChanges(project, open.warehouse, metastore)
    let followed = try open.followed(project, metastore)
    XCTAssertTrue(
      isNew || changes.isHarmless(but: followed), ChangesText.text(changes, isStyled: false))
    try open.apply(project, changes, metastore)
    var settings = ProjectRun.Settings()
    settings.once = once
    let workers = Workers(count: 1)
    defer { workers.stop() }
    let run = try ProjectRun(open, project, metastore, settings, workers: workers)
    run.onNotice = notices
    var stops = false
    return try run.run(shouldStop: { stops }) { stops = stopWhen($0) }
  }

  func rows(_ name: String) throws -> [[Scalar]] {
    let table = try table(name)
    let scan = table.scan()
    let read = try scan.read(try scan.plan(try table.snapshots.latest()))
    var found: [[Scalar]] = []
    while let batch = try read.next() {
      for row in 0..<batch.count { found.append(batch.columns.map { $0.scalar(row) }) }
    }
    return found.sorted { "\($0)" < "\($1)" }
  }

  func table(_ name: String) throws -> Table {
    let open = try open()
    return try Table.open(
      open.warehouse.environment, try open.warehouse.path(of: try TableName(name)).root)
  }
}
