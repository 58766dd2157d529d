import Columns
import Warehouse

/// `terrace sql` on a terminal: statements typed one after another, each ended by a semicolon.
struct SQLPrompt {
  private let session: SQLSession
  private let output: any ResultOutput
  private let console: Console

  init(_ session: SQLSession, _ output: any ResultOutput, _ console: Console) {
    self.session = session
    self.output = output
    self.console = console
  }

  func run() throws(TerraceError) {
    console.note("Statements end with a semicolon; help shows some, exit or Ctrl-D leaves.")
    var text = ""
    while true {
      try console.output.flush()
      Console.writeError(text.isEmpty ? "\(session.database)> " : "     ... ")
      guard let line = readLine(strippingNewline: false) else {
        if Interruption.happened {
          // Ctrl-C drops what was typed.
          Interruption.again()
          text = ""
          console.note("")
          continue
        }
        console.note("")
        return
      }
      if text.isEmpty {
        let word = line.filter { !$0.isWhitespace && $0 != ";" }.lowercased()
        if ["exit", "quit", "\\q"].contains(word) { return }
        if word == "help" {
          help()
          continue
        }
        if word.isEmpty { continue }
      }
      text += line
      let typed = SQLText(text, name: "sql")
      guard typed.isWhole else { continue }
      text = ""
      try answer(typed)
    }
  }

  private func answer(_ text: SQLText) throws(TerraceError) {
    do throws(TerraceError) { try session.runScript(text, to: output) } catch {
      try console.output.flush()
      if Interruption.happened {
        console.note("interrupted")
      } else {
        Console.writeError(ErrorReport.text(error, isStyled: console.styledError))
      }
    }
    Interruption.again()
  }

  private func help() {
    console.note(
      """
      SHOW DATABASES;   SHOW TABLES;   USE ods;   DESCRIBE orders;   SHOW CREATE TABLE orders;
      SELECT * FROM orders LIMIT 10;   EXPLAIN SELECT …;   SHOW PARTITIONS orders;
      SELECT * FROM orders$snapshots;   SELECT * FROM orders VERSION AS OF 3;
      CREATE TABLE …;   INSERT INTO …;   CALL sys.create_tag('ods.orders', 'monday');   SET;
      """)
  }
}
