import Foundation
import XCTest

/// One text file of the repository, as the rules of the house read it.
struct TextFile {
  /// Path from the top of the repository, with `/` between its parts.
  let path: String
  let text: String

  var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
  var isSwift: Bool { path.hasSuffix(".swift") }
}

/// The working tree that these tests were compiled from.
enum Repository {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// All text that people write here: code, scripts and documents, without fixtures and build products.
  static func texts() throws -> [TextFile] {
    let kinds: Set<String> = ["swift", "h", "modulemap", "md", "sh", "py", "java", "yml", "sql"]
    let named: Set<String> = ["Makefile", "run", "LICENSE", ".gitignore", ".swift-format"]
    var found: [TextFile] = []
    let walker = try XCTUnwrap(
      FileManager.default.enumerator(at: root, includingPropertiesForKeys: [.isDirectoryKey]))
    while let url = walker.nextObject() as? URL {
      let name = url.lastPathComponent
      if name.hasPrefix(".build") || name == ".git" || name == "Fixtures" || name == "__pycache__" {
        walker.skipDescendants()
        continue
      }
      guard kinds.contains(url.pathExtension) || named.contains(name) else { continue }
      guard try !(url.resourceValues(forKeys: [.isDirectoryKey]).isDirectory ?? false) else {
        continue
      }
      let path = String(
        url.standardizedFileURL.path.dropFirst(root.standardizedFileURL.path.count + 1))
      found.append(TextFile(path: path, text: try String(contentsOf: url, encoding: .utf8)))
    }
    return found.sorted { $0.path < $1.path }
  }
}
