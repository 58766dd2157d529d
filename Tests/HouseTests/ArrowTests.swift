import XCTest

/// Which modules a room may import. The package manager stops a room from reaching one above it only
/// when its target does not depend on it; this table also keeps Foundation and the C libraries where
/// they belong.
struct Arrows {
  let mayImport: [String: Set<String>]

  private static let cLibraries: Set<String> = [
    "CZstd", "CLZ4", "CSnappy", "CDeflate", "CZlib", "CBZip2", "CLZMA", "CSystem", "CLanes",
  ]

  static let house = Arrows(mayImport: [
    // No Foundation, no files, no C library: only the lock of the memory budget comes from outside.
    "Columns": ["Synchronization"],
    "Formats": cLibraries.union(["Columns", "Glibc"]),
    "Store": cLibraries.union([
      "Formats", "Columns", "Glibc", "Foundation", "Dispatch", "Synchronization",
    ]),
    "Dataflow": ["Store", "Columns", "Glibc", "Foundation", "CSystem"],
    "SQL": ["Dataflow", "Columns"],
    "Catalog": ["Store", "Columns", "CSQLite", "Glibc", "Foundation", "Synchronization"],
    "Connectors": cLibraries.union([
      "Store", "Formats", "Columns", "Glibc", "Foundation", "Dispatch", "Synchronization",
      "CKafka", "CPostgres", "CMariaDB", "CCurl",
    ]),
    "Warehouse": [
      "SQL", "Dataflow", "Connectors", "Catalog", "Store", "Formats", "Columns", "Glibc",
      "Foundation", "Dispatch", "Synchronization",
    ],
    "terrace": [
      "Warehouse", "Store", "Formats", "Columns", "Glibc", "Foundation", "Dispatch",
      "Synchronization",
    ],
    "FlowBench": [
      "Dataflow", "Store", "Columns", "Glibc",
    ],
    "DecodeBench": ["Connectors", "Store", "Columns", "Glibc"],
    "StoreBench": [
      "Store", "Formats", "Columns", "Glibc", "Foundation", "Dispatch", "Synchronization",
    ],
  ])

  /// The arrows a file breaks, one sentence each; `room` is the file's target.
  func violations(in file: TextFile, room: String) -> [String] {
    guard let allowed = mayImport[room] else {
      return ["\(file.path): no arrows known for \(room)"]
    }
    return file.lines.enumerated().compactMap { number, line in
      guard let module = Self.importedModule(line), !allowed.contains(module) else { return nil }
      return "\(file.path):\(number + 1): \(room) may not import \(module)"
    }
  }

  /// The module that a line imports: `package import Columns` → `Columns`, `import struct A.B` → `A`.
  static func importedModule(_ line: Substring) -> String? {
    guard line.contains("import") else { return nil }
    let pattern =
      /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias|actor|macro)\s+)?(\w+)/
    guard let match = line.prefixMatch(of: pattern) else { return nil }
    return String(match.1)
  }
}

final class ArrowTests: XCTestCase {
  func test_imports_pointDownOnly() throws {
    var checked = 0
    for file in try Repository.texts() where file.isSwift {
      let parts = file.path.split(separator: "/").map(String.init)
      guard parts.count > 2, parts[0] == "Sources" || parts[0] == "Benchmarks" else { continue }
      checked += 1
      for violation in Arrows.house.violations(in: file, room: parts[1]) { XCTFail(violation) }
    }
    XCTAssertGreaterThan(checked, 5, "the test did not find the sources")
  }

  func test_violations_nameTheLineWhenAnImportPointsUp() {
    let planted = TextFile(
      path: "Sources/Formats/Planted.swift",
      text:
        "import Columns\n  @preconcurrency package import Store\nimport struct Foundation.Data\n")
    XCTAssertEqual(
      Arrows.house.violations(in: planted, room: "Formats"),
      [
        "Sources/Formats/Planted.swift:2: Formats may not import Store",
        "Sources/Formats/Planted.swift:3: Formats may not import Foundation",
      ])
    XCTAssertEqual(Arrows.house.violations(in: planted, room: "Columns").count, 3)
    XCTAssertEqual(Arrows.house.violations(in: planted, room: "Attic").count, 1)
  }

  func test_importedModule_isNilWhenTheLineIsNoImport() {
    XCTAssertNil(Arrows.importedModule("// import Foundation"))
    XCTAssertNil(Arrows.importedModule("let important = 1"))
    XCTAssertNil(Arrows.importedModule("importRows(from: file)"))
    XCTAssertEqual(Arrows.importedModule("@testable import Store"), "Store")
    XCTAssertEqual(Arrows.importedModule("public import Columns"), "Columns")
  }
}
