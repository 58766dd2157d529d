package import Columns
import Formats
package import Store

/// The ledgers of a project's logs, whatever kind of server they are of.
package enum LogLedgers {
  /// In the project's folder.
  static func path(_ folder: String, _ name: String) -> String {
    "\(folder)/catalog/logs/\(name).json"
  }

  /// Forgets readers of jobs that are gone: servers need not keep their logs for them. While nothing runs.
  ///
  /// - Parameter isWanted: whether the project has a job of this name.
  package static func forget(
    unless isWanted: (String) -> Bool, folder: String, _ files: any FileIO
  ) throws(TerraceError) {
    let logs = folder + "/catalog/logs"
    for name in try files.list(logs) where name.hasSuffix(".json") {
      let path = "\(logs)/\(name)"
      guard let bytes = try files.readSmall(path, limit: 16 << 20) else { continue }
      let members: [JSONValue.Member]
      do throws(TerraceError) { members = try parseJSON(bytes).asMembers ?? [] } catch {
        throw error.with("file", path)
      }
      // A reader is a job and a source; what has no name of a job is none.
      let kept = members.filter { member in
        guard let end = member.name.firstIndex(of: "/") else { return true }
        return isWanted(String(member.name[..<end]))
      }
      if kept.count == members.count { continue }
      try files.replace(
        path, with: Array(JSONValue.object(kept).text().utf8), durable: true)
    }
  }
}
