import XCTest

/// Rules that a reader should not have to look for in a review.
enum HouseRules {
  static let linesAtMost = 500

  /// What must not stand in Swift code, and why. Words are put together here so that this file keeps the rule.
  private static let banned: [(text: String, reason: String)] = [
    ("try" + "!", "an error becomes a crash"),
    ("fatal" + "Error(", "throw a TerraceError, or use precondition for our own mistakes"),
    ("XCT" + "Skip", "a skipped check proves nothing"),
  ]
  private static let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
  /// Folders of one machine or one person; none of them exists where the code will run.
  private static let machinePaths = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/"]

  static func violations(in file: TextFile) -> [String] {
    var found: [String] = []
    let lines = file.lines
    if file.isSwift && lines.count > linesAtMost + 1 {
      found.append("\(file.path): \(lines.count - 1) lines, more than \(linesAtMost)")
    }
    for (index, line) in lines.enumerated() {
      let place = "\(file.path):\(index + 1)"
      for path in machinePaths where line.contains(path) {
        found.append("\(place): names a folder of one machine (\(path))")
      }
      guard file.isSwift else { continue }
      for mark in marks where line.contains(mark) {
        found.append("\(place): \(mark) (finish it, or refuse the case with a clear error)")
      }
      let code = codePart(of: line)
      for (text, reason) in banned where code.contains(text) {
        found.append("\(place): \(text): \(reason)")
      }
      if code.contains(/catch\s*\{\s*\}/) {
        found.append("\(place): an empty catch hides a failure")
      }
      if code.contains(/\btry\?/), file.path.hasPrefix("Sources/"), !hasReason(lines, index) {
        found.append("\(place): try? hides a failure; say beside it why that is right")
      }
    }
    return found
  }

  /// The line up to its comment; a `//` inside a string cuts too much, which hides nothing we look for.
  private static func codePart(of line: Substring) -> Substring {
    guard let comment = line.firstRange(of: "//") else { return line }
    return line[..<comment.lowerBound]
  }

  /// A comment on the line or on one of the three above it.
  private static func hasReason(_ lines: [Substring], _ index: Int) -> Bool {
    lines[max(0, index - 3)...index].contains { $0.contains("//") }
  }
}

final class HouseRulesTests: XCTestCase {
  func test_everyFile_keepsTheRules() throws {
    let files = try Repository.texts()
    XCTAssertGreaterThan(files.count, 20, "the test did not find the repository")
    for file in files {
      for violation in HouseRules.violations(in: file) { XCTFail(violation) }
    }
  }

  func test_violations_areFoundWhenPlanted() {
    func count(_ text: String, path: String = "Sources/Store/Planted.swift") -> Int {
      HouseRules.violations(in: TextFile(path: path, text: text)).count
    }
    XCTAssertEqual(count("let a = try" + "! open()\n"), 1)
    XCTAssertEqual(count("fatal" + "Error(\"no\")\n"), 1)
    XCTAssertEqual(count("do { try a() } cat" + "ch { }\n"), 1)
    XCTAssertEqual(count("// TO" + "DO: later\n"), 1)
    XCTAssertEqual(count("let a = try? open()\n"), 1)
    XCTAssertEqual(count("var a: [Entry?] = []\n"), 0)
    XCTAssertEqual(count("let a = try? open()  // A missing hint is no error.\n"), 0)
    XCTAssertEqual(count("see /ho" + "me/ann/x\n", path: "README.md"), 1)
    XCTAssertEqual(count(String(repeating: "\n", count: 501)), 1)
    XCTAssertEqual(count(String(repeating: "\n", count: 500)), 0)
    XCTAssertEqual(count("// catch {} and try" + "! in words are fine\n"), 0)
  }
}
