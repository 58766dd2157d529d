import Columns
import Foundation
import XCTest

@testable import Formats

/// Files under Tests/Fixtures.
enum Fixtures {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Fixtures")

  /// Paths of the files of a folder, in order of name.
  static func files(_ folder: String) throws -> [String] {
    let path = root.appendingPathComponent(folder).path
    let names = try FileManager.default.contentsOfDirectory(atPath: path)
    return names.sorted().filter { !$0.hasPrefix(".") }.map { path + "/" + $0 }
  }

  static func source(_ path: String) throws -> MemorySource {
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    return MemorySource(Array(data), name: path)
  }
}
