package import Columns
import Formats
import Glibc
package import Store

/// Option values that stand elsewhere: `${env:NAME}` in the environment, `${file:path}` in a file.
///
/// They are put in when a table is opened, so that no plan, message or snapshot holds them; what is secret
/// is noted, and taken out of all that is printed.
package enum Secrets {
  /// Options that no secret stands in, whatever their values are made of.
  private static let open: Set<String> = [
    "connector", "path", "topic", "topic-pattern", "format", "key.format", "value.format",
    "hostname",
    "port", "database-name", "schema-name", "table-name", "username",
    "properties.bootstrap.servers", "properties.group.id", "url", "type",
  ]

  static func resolved(
    _ table: ConnectorTable, _ files: any FileIO
  ) throws(TerraceError) -> ConnectorTable {
    var resolved = table
    do throws(TerraceError) {
      resolved.options = try self.resolved(table.options, folder: table.folder, files)
    } catch { throw error.with("table", table.name) }
    return resolved
  }

  /// The table with something in the place of each reference, where only the shape of options counts.
  static func withoutReferences(_ table: ConnectorTable) -> ConnectorTable {
    var table = table
    for (name, value) in table.options where value.contains("${") {
      // A login as a whole has a shape that no text in its place would have.
      if name.hasSuffix("sasl.jaas.config"), Redaction.isReference(value) { continue }
      table.options[name] = value.replacing(/\$\{[^}]*\}/, with: "1")
    }
    return table
  }

  /// Options with what their references stand for; secrets among them are noted.
  package static func resolved(
    _ options: [String: String], folder: String, _ files: any FileIO
  ) throws(TerraceError) -> [String: String] {
    var resolved = options
    // What stands openly in another option is no secret that could be kept: a password like the database's
    // name would make all output unreadable.
    let shown = Set(open.compactMap { options[$0] })
    func note(_ secret: String) { if !shown.contains(secret) { Redaction.note(secret) } }
    for (name, value) in options {
      if value.contains("${") {
        do throws(TerraceError) {
          resolved[name] = try text(value, folder, files) { isFile, secret in
            if isFile || !open.contains(name) { note(secret) }
          }
        } catch { throw error.with("option", name) }
      }
      if Redaction.isSecret(name), let secret = resolved[name] { note(secret) }
    }
    return resolved
  }

  private static func text(
    _ value: String, _ folder: String, _ files: any FileIO, _ note: (Bool, String) -> Void
  ) throws(TerraceError) -> String {
    var out = ""
    var rest = value[...]
    while let open = rest.firstRange(of: "${") {
      guard let close = rest[open.upperBound...].firstIndex(of: "}") else { break }
      let reference = rest[open.upperBound..<close]
      out += rest[..<open.lowerBound]
      if reference.hasPrefix("env:") {
        let name = String(reference.dropFirst(4))
        guard let found = getenv(name) else {
          throw TerraceError(.invalid, "no environment variable of that name")
            .with("variable", name)
        }
        note(false, String(cString: found))
        out += String(cString: found)
      } else if reference.hasPrefix("file:") {
        let path = FileListing.resolved(String(reference.dropFirst(5)), folder: folder)
        guard let bytes = try files.readSmall(path, limit: 1 << 20) else {
          throw TerraceError(.invalid, "no file of that name").with("file", path)
        }
        guard var content = String(validating: bytes, as: UTF8.self) else {
          throw TerraceError(.invalid, "the file is not UTF-8").with("file", path)
        }
        // Editors end files with a line end, which is no part of a password.
        if content.hasSuffix("\n") { content.removeLast() }
        note(true, content)
        out += content
      } else {
        out += "${" + reference + "}"
      }
      rest = rest[rest.index(after: close)...]
    }
    return out + rest
  }
}
