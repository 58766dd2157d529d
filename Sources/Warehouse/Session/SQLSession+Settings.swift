import Columns
import Dataflow
import SQL

extension SQLSession {
  func set(
    _ option: OptionSyntax?, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    guard let option else {
      let all = defaults.merging(settings) { $1 }.sorted { $0.key < $1.key }
      return try output.show(["key", "value"], all.map { [$0.key, $0.value] })
    }
    if option.key == "table.local-time-zone", option.value != "default",
      SessionZone(option.value) == nil
    {
      throw at.error("there is no time zone '\(option.value)'", option.valueSpan)
    }
    settings[option.key] = option.value
    try output.done("'\(option.key)' = '\(option.value)'")
  }

  func reset(
    _ key: Name?, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    guard let key else {
      settings = [:]
      return try output.done("all settings are as at the start")
    }
    settings[key.text] = nil
    try output.done("'\(key.text)' is as at the start")
  }

  func use(
    _ kind: ObjectKind, _ path: NamePath, _ at: SessionStatement, _ output: any ResultOutput
  ) throws(TerraceError) {
    if case .catalog = kind {
      guard path.text == SQLSession.catalogName else {
        throw at.error(
          "catalog '\(path.text)' not found", path.span,
          hint: "there is one catalog, \(SQLSession.catalogName)")
      }
      return try output.done("catalog \(path.text)")
    }
    if path.parts.count == 2, path.texts[0] != SQLSession.catalogName {
      throw at.error("catalog '\(path.texts[0])' not found", path.parts[0].span)
    }
    let name = path.last.text
    do throws(TerraceError) { try haveDatabase(name) } catch {
      throw at.placed(error, path.span)
    }
    database = name
    try output.done("database \(name)")
  }
}
