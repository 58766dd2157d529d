package import Columns
package import Store

/// Where the warehouse of a command lies, and how that was decided.
package struct WarehouseLocation: Sendable {
  /// A folder.
  package let path: String
  /// Somebody named it. A folder that was only assumed is never created.
  package let isNamed: Bool

  /// Decides in this order: the path itself, the file that names it, the project's folder; and when
  /// nothing is named, `warehouse` in the current folder, or what `paimon.yaml` there names.
  package static func find(
    path: String?, config: String?, project: String?, _ files: any FileIO
  ) throws(TerraceError) -> WarehouseLocation {
    if let path { return try named(path) }
    if let config { return try named(try warehouse(inConfig: config, files)) }
    if let project {
      guard try isFolder(project, files) else {
        throw TerraceError(.notFound, "project folder \(project)")
      }
      return try named(project + "/warehouse")
    }
    if try isFolder("warehouse", files) {
      return WarehouseLocation(path: "warehouse", isNamed: false)
    }
    if try files.exists("paimon.yaml") {
      return try named(try warehouse(inConfig: "paimon.yaml", files))
    }
    return WarehouseLocation(path: "warehouse", isNamed: false)
  }

  /// Throws unless the folder is there.
  package func mustExist(_ files: any FileIO) throws(TerraceError) {
    if try WarehouseLocation.isFolder(path, files) { return }
    throw TerraceError(
      .notFound, "warehouse \(path)",
      hint: isNamed
        ? "“db create NAME” makes it"
        : "name one with --warehouse PATH, or the project with -C DIR")
  }

  private static func isFolder(_ path: String, _ files: any FileIO) throws(TerraceError) -> Bool {
    // A link to a folder is a folder to its user; the trailing slash makes the system follow it.
    try files.status(path + "/")?.isDirectory ?? false
  }

  private static func named(_ text: String) throws(TerraceError) -> WarehouseLocation {
    var path = text
    if let mark = path.range(of: ":/"), mark.lowerBound != path.startIndex,
      path[..<mark.lowerBound].allSatisfy({ $0.isLetter || $0.isNumber })
    {
      let scheme = path[..<mark.lowerBound].lowercased()
      guard scheme == "file" else {
        throw TerraceError(
          .unsupported, "a warehouse in \(scheme)", hint: "the warehouse must be a local folder"
        )
        .with("warehouse", text)
      }
      path = String(path[path.index(after: mark.lowerBound)...])
      while path.hasPrefix("//") { path.removeFirst() }
    }
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    if path.isEmpty || path.utf8.contains(0) {
      throw TerraceError(.invalid, "the path of the warehouse is empty")
    }
    return WarehouseLocation(path: path, isNamed: true)
  }

  /// The `warehouse:` of a pypaimon configuration: flat `key: value` lines of YAML.
  private static func warehouse(
    inConfig file: String, _ files: any FileIO
  ) throws(TerraceError) -> String {
    guard let bytes = try files.readSmall(file, limit: 1 << 20) else {
      throw TerraceError(.notFound, "configuration file \(file)")
    }
    var values: [String: String] = [:]
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      guard let colon = line.range(of: ":"), !line.trimmed.hasPrefix("#") else { continue }
      values[line[..<colon.lowerBound].trimmed] = unquoted(line[colon.upperBound...].trimmed)
    }
    if let kind = values["metastore"], kind != "filesystem" {
      throw TerraceError(
        .unsupported, "metastore \(kind)", hint: "only filesystem warehouses are read so far"
      )
      .with("file", file)
    }
    guard let path = values["warehouse"], !path.isEmpty else {
      throw TerraceError(
        .invalid, "\(file) names no warehouse", hint: "it needs a line warehouse: PATH")
    }
    return path
  }

  private static func unquoted(_ text: String) -> String {
    for mark in ["\"", "'"] where text.count >= 2 && text.hasPrefix(mark) && text.hasSuffix(mark) {
      return String(text.dropFirst().dropLast())
    }
    // A comment after an unquoted value.
    guard let comment = text.range(of: " #") else { return text }
    return text[..<comment.lowerBound].trimmed
  }
}

extension StringProtocol {
  /// The first place of `text`; the standard library's own search, without Foundation's.
  func range(of text: String) -> Range<Index>? { firstRange(of: text) }
}
