import XCTest

final class CommandUsageTests: XCTestCase {
  private func terrace(_ words: String...) throws -> CommandRun { try CommandRun.run(words) }

  func test_terrace_showsHelpWhenNothingIsAsked() throws {
    let run = try terrace()
    XCTAssertEqual(run.code, 0)
    XCTAssertTrue(run.output.contains("Usage: terrace COMMAND"))
    XCTAssertEqual(try terrace("--help").output, run.output)
    XCTAssertEqual(try terrace("help").output, run.output)
    XCTAssertEqual(try terrace("-h").output, run.output)
  }

  func test_version_isMachineReadable() throws {
    XCTAssertTrue(try terrace("version").output.hasPrefix("terrace "))
    XCTAssertTrue(try terrace("version", "-f", "json").output.hasPrefix("{\"version\":"))
  }

  func test_terrace_suggestsWhenAWordIsMisspelt() throws {
    let command = try terrace("verson")
    XCTAssertEqual(command.code, 2)
    XCTAssertEqual(
      command.errors, "terrace: there is no command “verson”\n  hint: did you mean version?\n")
    let flag = try terrace("version", "--fromat", "json")
    XCTAssertEqual(flag.code, 2)
    XCTAssertTrue(flag.errors.contains("did you mean --format?"), flag.errors)
    let choice = try terrace("version", "-f", "xml")
    XCTAssertEqual(choice.code, 2)
    XCTAssertTrue(choice.errors.contains("one of table, csv, json"), choice.errors)
  }

  func test_terrace_refusesFlagsThatAreWrong() throws {
    for words in [
      ["version", "-f"], ["version", "-f", "json", "-f", "json"], ["version", "more"],
      ["version", "-x"], ["--warehouse"], ["version", "--help=yes"], ["help", "nothing"],
    ] {
      let run = try CommandRun.run(words)
      XCTAssertEqual(run.code, 2, "\(words): \(run.output)")
      XCTAssertTrue(run.errors.hasPrefix("terrace: "), run.errors)
    }
  }

  func test_terrace_acceptsFlagsInEverySpelling() throws {
    for words in [
      ["version", "--format=json"], ["version", "-fjson"], ["version", "-f=json"],
      ["--warehouse", "x", "version", "-f", "json"], ["version", "--warehouse=x", "-f", "json"],
    ] {
      XCTAssertTrue(try CommandRun.run(words).output.hasPrefix("{"), "\(words)")
    }
  }
}
