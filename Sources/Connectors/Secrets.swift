import Columns
import Formats
import Glibc
import Store

/// Option values that stand elsewhere: `${env:NAME}` in the environment, `${file:path}` in a file.
///
/// They are put in when a table is opened, so that no plan, message or snapshot holds them.
enum Secrets {
  static func resolved(
    _ table: ConnectorTable, _ files: any FileIO
  ) throws(TerraceError) -> ConnectorTable {
    var resolved = table
    for (name, value) in table.options where value.contains("${") {
      do throws(TerraceError) {
        resolved.options[name] = try text(value, table.folder, files)
      } catch { throw error.with("table", table.name).with("option", name) }
    }
    return resolved
  }

  private static func text(
    _ value: String, _ folder: String, _ files: any FileIO
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
        out += String(cString: found)
      } else if reference.hasPrefix("file:") {
        let path = FileListing.resolved(String(reference.dropFirst(5)), folder: folder)
        guard let bytes = try files.readSmall(path, limit: 1 << 20) else {
          throw TerraceError(.invalid, "no file of that name").with("file", path)
        }
        guard let content = String(validating: bytes, as: UTF8.self) else {
          throw TerraceError(.invalid, "the file is not UTF-8").with("file", path)
        }
        // Editors end files with a line end, which is no part of a password.
        out += content.hasSuffix("\n") ? String(content.dropLast()) : content
      } else {
        out += "${" + reference + "}"
      }
      rest = rest[rest.index(after: close)...]
    }
    return out + rest
  }
}
