import XCTest

final class CommandUsageTests: XCTestCase {
  private func run(_ words: String...) throws -> CommandRun { try CommandRun.run(words) }

  func test_terrace_showsHelpWhenNothingIsAsked() throws {
    let run = try run()
    XCTAssertEqual(run.code, 0)
    XCTAssertTrue(run.output.contains("Usage: terrace COMMAND"))
    XCTAssertEqual(try self.run("--help").output, run.output)
    XCTAssertEqual(try self.run("help").output, run.output)
    XCTAssertEqual(try self.run("-h").output, run.output)
  }

  func test_version_isMachineReadable() throws {
    XCTAssertTrue(try run("version").output.hasPrefix("terrace "))
    XCTAssertTrue(try run("version", "-f", "json").output.hasPrefix("{\"version\":"))
  }

  func test_terrace_suggestsWhenAWordIsMisspelt() throws {
    let command = try run("verson")
    XCTAssertEqual(command.code, 2)
    XCTAssertEqual(
      command.errors, "terrace: there is no command “verson”\n  hint: did you mean version?\n")
    let flag = try run("version", "--fromat", "json")
    XCTAssertEqual(flag.code, 2)
    XCTAssertTrue(flag.errors.contains("did you mean --format?"), flag.errors)
    let choice = try run("version", "-f", "xml")
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
