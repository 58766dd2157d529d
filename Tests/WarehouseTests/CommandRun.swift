import Foundation
import XCTest

/// One run of the built command, as a stranger would run it.
struct CommandRun {
  let code: Int32
  /// True when a signal ended it.
  let wasKilled: Bool
  let output: String
  let errors: String

  var lines: [String] { output.split(separator: "\n").map(String.init) }

  /// The binary lies beside the test bundle.
  static let binary: URL = {
    #if os(macOS)
      let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") } ?? .main
      return bundle.bundleURL.deletingLastPathComponent().appendingPathComponent("terrace")
    #else
      return URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("terrace")
    #endif
  }()

  /// - Parameters:
  ///   - words: after `terrace`.
  ///   - folder: the current folder of the process.
  static func run(
    _ words: [String], in folder: URL? = nil, input: String? = nil,
    environment: [String: String] = [:], killAfter seconds: Double = 60
  ) throws -> CommandRun {
    let process = Process()
    process.executableURL = binary
    process.arguments = words
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    if let folder { process.currentDirectoryURL = folder }
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    let inputPipe = Pipe()
    process.standardInput = inputPipe
    try process.run()
    let timer = DispatchSource.makeTimerSource(queue: .global())
    timer.schedule(deadline: .now() + seconds)
    let target = process.processIdentifier
    timer.setEventHandler { kill(target, SIGKILL) }
    timer.resume()
    if let input { inputPipe.fileHandleForWriting.write(Data(input.utf8)) }
    try inputPipe.fileHandleForWriting.close()
    // Both at once: a full pipe of one must not stop the other.
    let errorReader = BackgroundRead(errors.fileHandleForReading)
    let outputData = output.fileHandleForReading.readDataToEndOfFile()
    let errorData = errorReader.wait()
    process.waitUntilExit()
    timer.cancel()
    return CommandRun(
      code: process.terminationStatus, wasKilled: process.terminationReason == .uncaughtSignal,
      output: String(decoding: outputData, as: UTF8.self),
      errors: String(decoding: errorData, as: UTF8.self))
  }
}

private final class BackgroundRead: @unchecked Sendable {
  private var data = Data()
  private let done = DispatchSemaphore(value: 0)

  init(_ handle: FileHandle) {
    Thread.detachNewThread { [self] in
      data = handle.readDataToEndOfFile()
      done.signal()
    }
  }

  func wait() -> Data {
    done.wait()
    return data
  }
}

/// A folder that is removed with the test.
final class ScratchFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory
      .appendingPathComponent("terrace-command-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit {
    // A folder left behind in the temporary directory harms no other test.
    try? FileManager.default.removeItem(at: url)
  }

  var path: String { url.path }
  var warehouse: String { url.appendingPathComponent("wh").path }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    let file = url.appendingPathComponent(name)
    try Data(text.utf8).write(to: file)
    return file.path
  }

  func copy(fixture: String) throws -> String {
    let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Fixtures/\(fixture)/wh")
    let target = url.appendingPathComponent("fixture-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: source, to: target)
    return target.path
  }

  /// Runs `terrace --warehouse WH words…` and expects it to succeed.
  @discardableResult
  func terrace(
    _ words: String..., warehouse: String? = nil, file: StaticString = #filePath, line: UInt = #line
  ) throws -> CommandRun {
    let run = try CommandRun.run(["--warehouse", warehouse ?? self.warehouse] + words, in: url)
    XCTAssertEqual(run.code, 0, "\(words): \(run.errors)", file: file, line: line)
    XCTAssertFalse(run.wasKilled, "\(words)", file: file, line: line)
    return run
  }

  /// Runs it, whatever comes.
  func terraceRaw(_ words: String..., warehouse: String? = nil) throws -> CommandRun {
    try CommandRun.run(["--warehouse", warehouse ?? self.warehouse] + words, in: url)
  }

  /// Runs it and expects it to refuse with `code`.
  @discardableResult
  func refused(
    _ code: Int32, _ words: String..., warehouse: String? = nil, file: StaticString = #filePath,
    line: UInt = #line
  ) throws -> CommandRun {
    let run = try CommandRun.run(["--warehouse", warehouse ?? self.warehouse] + words, in: url)
    XCTAssertEqual(run.code, code, "\(words): \(run.errors)", file: file, line: line)
    XCTAssertFalse(run.wasKilled, "\(words): ended by a signal", file: file, line: line)
    XCTAssertFalse(run.errors.isEmpty, "\(words): no reason given", file: file, line: line)
    return run
  }
}
