import Warehouse
import XCTest

final class DisplayTextTests: XCTestCase {
  func test_width_countsColumnsOfATerminal() {
    for (text, width) in [
      ("abc", 3), ("", 0), ("漢字", 4), ("é", 1), ("e\u{301}", 1), ("👨‍👩‍👧", 2), ("❤️", 2), ("ｱ", 1),
      ("Ａ", 2),
      ("한", 2), ("→", 1), ("🇩🇪", 2), ("a\u{200d}b", 2),
    ] {
      XCTAssertEqual(DisplayText.width(text), width, text)
    }
  }

  func test_oneLine_makesControlCharactersHarmless() {
    XCTAssertEqual(DisplayText.oneLine("a\nb\t\u{1b}[31m\u{0}"), "a\\nb\\t\\u{1b}[31m\\u{0}")
    XCTAssertEqual(DisplayText.oneLine("x\u{202e}y"), "x\\u{202e}y")
    XCTAssertEqual(DisplayText.oneLine("漢字"), "漢字")
  }

  func test_cut_leavesRoomForTheMark() {
    XCTAssertEqual(DisplayText.cut("abcdef", to: 4), "abc…")
    XCTAssertEqual(DisplayText.cut("漢字漢字", to: 4), "漢…")
    XCTAssertEqual(DisplayText.cut("abcd", to: 4), "abcd")
  }

  func test_numbers_readWell() {
    XCTAssertEqual(DisplayText.grouped(1_234_567), "1,234,567")
    XCTAssertEqual(DisplayText.grouped(-123), "-123")
    XCTAssertEqual(DisplayText.bytes(1023), "1023 B")
    XCTAssertEqual(DisplayText.bytes(1536), "1.5 KiB")
    XCTAssertEqual(DisplayText.bytes(200 << 20), "200 MiB")
  }

  func test_textTable_alignsWideCharactersAndNumbers() {
    var table = TextTable([.init("id", isRight: true), .init("名", isRight: false), .init("x")])
    XCTAssertEqual(
      table.lines([["1", "漢字", "a"], ["100", nil, "b\nc"]]),
      """
       id  名    x
      ---  ----  ----
        1  漢字  a
      100  NULL  b\\nc

      """)
    XCTAssertEqual(table.lines([["5", "1234567", ""]]), "  5  1234567  \n")
  }

  func test_textTable_cutsCellsForATerminalOnly() {
    let long = String(repeating: "x", count: 500)
    var table = TextTable([.init("a")], terminalWidth: 40)
    XCTAssertEqual(table.lines([[long]]).split(separator: "\n")[2].count, 40)
    table = TextTable([.init("a")])
    XCTAssertEqual(table.lines([[long]]).split(separator: "\n")[2].count, 500)
  }

  func test_nearestName_findsSlips() {
    XCTAssertEqual(NearestName.find("ordres", among: ["users", "orders"]), "orders")
    XCTAssertEqual(NearestName.find("AMOUNT", among: ["amount"]), "amount")
    XCTAssertEqual(NearestName.find("cust", among: ["customer_id", "id"]), "customer_id")
    XCTAssertNil(NearestName.find("zebra", among: ["users", "orders"]))
    XCTAssertNil(NearestName.find("", among: ["users"]))
  }
}
