import Columns
import XCTest

@testable import Dataflow

/// Functions and casts against what Flink 2.3 answers.
final class FunctionTests: XCTestCase {
  private let zone = SessionZone("Asia/Shanghai") ?? .utc

  /// The text of an expression's one value, or why there is none.
  private func show(_ expression: Expression) -> String {
    let evaluator = Evaluator(context: EvaluationContext(now: 0, zone: zone))
    do {
      let column = try evaluator.evaluate(expression, [], count: 1)
      if column.isNull(0) { return "NULL" }
      var out: [UInt8] = []
      ValueText(zone: zone).write(column, 0, into: &out)
      return String(decoding: out, as: UTF8.self)
    } catch {
      return "error: \(error.message)"
    }
  }

  private func call(_ name: String, _ arguments: Expression...) -> String {
    do { return show(try Expression.calling(name, arguments)) } catch { return "\(error)" }
  }

  private func cast(_ value: Expression, _ type: String, orNull: Bool = false) -> String {
    do {
      return show(try Expression.casting(value, to: DataType(text: type), orNull: orNull))
    } catch { return "\(error)" }
  }

  private func arithmetic(_ op: String, _ a: Expression, _ b: Expression) -> String {
    do { return show(try Expression.arithmetic(op, a, b)) } catch { return "\(error)" }
  }

  private func decimal(_ unscaled: Int64, _ p: Int, _ s: Int) -> Expression {
    .literal(.int(unscaled), DataType(.decimal(p, s), nullable: false))
  }
  private func double(_ v: Double) -> Expression { .literal(.double(v), DataType.double.notNull) }
  private let null = Expression.literal(.null, .string)
  private func timestamp(_ text: String) -> Expression {
    (try? Expression.casting(.text(text), to: .timestamp(3))) ?? .untypedNull
  }

  func test_arithmetic_followsFlink() {
    XCTAssertEqual(arithmetic("/", .int(7), .int(2)), "3")
    XCTAssertEqual(arithmetic("/", .int(-7), .int(2)), "-3")
    XCTAssertEqual(arithmetic("%", .int(-7), .int(2)), "-1")
    XCTAssertEqual(arithmetic("/", .int(1), .int(0)), "error: division by zero")
    XCTAssertEqual(arithmetic("+", .int(2_147_483_647), .int(1)), "-2147483648")
    XCTAssertEqual(arithmetic("/", .int(5), decimal(20, 2, 1)), "2.500000")
    XCTAssertEqual(arithmetic("/", decimal(100, 10, 2), decimal(30000, 8, 4)), "0.33333333333")
    XCTAssertEqual(arithmetic("/", double(1), double(0)), "Infinity")
  }

  func test_cast_followsFlink() {
    XCTAssertEqual(cast(.bigint(2_147_483_648), "INT"), "-2147483648")
    XCTAssertEqual(cast(.int(300), "TINYINT"), "44")
    XCTAssertEqual(cast(double(1e20), "INT"), "2147483647")
    XCTAssertEqual(cast(decimal(-17, 2, 1), "INT"), "-1")
    XCTAssertEqual(cast(.text("1.7"), "INT"), "1")
    XCTAssertEqual(cast(.text(" 12 "), "INT"), "12")
    XCTAssertEqual(cast(.text("abc"), "INT"), "error: text is no INT")
    XCTAssertEqual(cast(.text("abc"), "INT", orNull: true), "NULL")
    XCTAssertEqual(cast(.text("1.239"), "DECIMAL(4, 2)"), "1.24")
    XCTAssertEqual(cast(.int(1000), "DECIMAL(4, 2)"), "NULL")
    XCTAssertEqual(cast(.int(2), "BOOLEAN"), "TRUE")
    XCTAssertEqual(cast(.text("yes"), "BOOLEAN"), "TRUE")
    XCTAssertEqual(cast(.boolean(true), "STRING"), "TRUE")
    XCTAssertEqual(cast(.text("abcdef"), "VARCHAR(3)"), "abc")
    XCTAssertEqual(cast(.text("abc"), "CHAR(5)"), "abc  ")
    XCTAssertEqual(cast(double(100), "STRING"), "100.0")
    XCTAssertEqual(cast(double(1e20), "STRING"), "1.0E20")
    XCTAssertEqual(cast(.text("2024-01-31 10:00:00.12"), "TIMESTAMP(3)"), "2024-01-31 10:00:00.120")
    XCTAssertEqual(
      cast(.text("2024-01-31T10:00:00"), "TIMESTAMP(3)"), "error: text is no TIMESTAMP(3)")
    XCTAssertEqual(cast(timestamp("2024-01-31 10:00:00"), "DATE"), "2024-01-31")
    XCTAssertTrue(cast(.int(1), "TIMESTAMP(3)").hasPrefix("invalid: cannot cast"))
  }

  func test_text_followsFlink() {
    XCTAssertEqual(call("||", .text("a"), null), "NULL")
    XCTAssertEqual(call("CONCAT", .text("a"), .text("b"), .text("c")), "abc")
    XCTAssertEqual(call("CONCAT_WS", .text("-"), .text("a"), null, .text("b")), "a-b")
    XCTAssertEqual(call("SUBSTRING", .text("hello"), .int(0), .int(2)), "he")
    XCTAssertEqual(call("SUBSTRING", .text("hello"), .int(-3), .int(2)), "ll")
    XCTAssertEqual(call("SUBSTRING", .text("hello"), .int(2), .int(-1)), "NULL")
    XCTAssertEqual(call("SUBSTRING", .text("héllo"), .int(2)), "éllo")
    XCTAssertEqual(call("LEFT", .text("hello"), .int(-1)), "")
    XCTAssertEqual(call("RIGHT", .text("hello"), .int(2)), "lo")
    XCTAssertEqual(call("REPEAT", .text("ab"), .int(-1)), "")
    XCTAssertEqual(call("LPAD", .text("hi"), .int(4), .text("xy")), "xyhi")
    XCTAssertEqual(call("LPAD", .text("hi"), .int(1), .text("x")), "h")
    XCTAssertEqual(call("SPLIT_INDEX", .text("a,b,c"), .text(","), .int(1)), "b")
    XCTAssertEqual(call("SPLIT_INDEX", .text("a,b,c"), .text(","), .int(3)), "NULL")
    XCTAssertEqual(call("POSITION", .text("lo"), .text("hello")), "4")
    XCTAssertEqual(call("INSTR", .text("hello"), .text("l")), "3")
    XCTAssertEqual(call("REPLACE", .text("banana"), .text("an"), .text("x")), "bxxa")
    XCTAssertEqual(call("INITCAP", .text("hello wORLD")), "Hello World")
    XCTAssertEqual(call("BTRIM", .text("xxhixx"), .text("x")), "hi")
    XCTAssertEqual(call("CHAR_LENGTH", .text("né")), "2")
    XCTAssertEqual(call("REVERSE", .text("abc")), "cba")
    XCTAssertEqual(call("OVERLAY", .text("abcdef"), .text("XX"), .int(2), .int(3)), "aXXef")
    XCTAssertEqual(call("STARTSWITH", .text("hello"), .text("he")), "TRUE")
    XCTAssertEqual(call("SPLIT", .text("a,b"), .text(",")), "[a, b]")
    XCTAssertEqual(call("STR_TO_MAP", .text("k=1,l=2")), "{k=1, l=2}")
  }

  func test_regex_followsJava() {
    XCTAssertEqual(call("REGEXP", .text("foobar"), .text("o{2}b")), "TRUE")
    XCTAssertEqual(
      call("REGEXP_EXTRACT", .text("foothebar"), .text("foo(.*?)(bar)"), .int(2)), "bar")
    XCTAssertEqual(call("REGEXP_EXTRACT", .text("abc"), .text("x(.)"), .int(1)), "NULL")
    XCTAssertEqual(
      call("REGEXP_REPLACE", .text("a1b22"), .text("[0-9]+"), .text("<$0>")), "a<$0>b<$0>")
    XCTAssertEqual(call("REGEXP_REPLACE", .text("abc"), .text("(a)(b)?"), .text("$2$1")), "$2$1c")
    XCTAssertEqual(call("REGEXP_COUNT", .text("aXbXc"), .text("(?i)x")), "2")
    XCTAssertEqual(
      call("REGEXP", .text(String(repeating: "a", count: 40)), .text("(a+)+$b")), "FALSE")
    XCTAssertEqual(call("REGEXP", .text("a"), .text("(a")), "FALSE")
  }

  func test_numbers_followFlink() {
    XCTAssertEqual(call("ROUND", decimal(25, 2, 1)), "3")
    XCTAssertEqual(call("ROUND", double(2.675), .int(2)), "2.68")
    XCTAssertEqual(call("TRUNCATE", decimal(42345, 5, 3), .int(2)), "42.34")
    XCTAssertEqual(call("CEIL", decimal(-15, 2, 1)), "-1")
    XCTAssertEqual(call("FLOOR", double(-1.5)), "-2.0")
    XCTAssertEqual(call("LOG", double(2), double(8)), "3.0")
    XCTAssertEqual(call("ABS", .int(-5)), "5")
    XCTAssertEqual(call("MOD", .int(-7), .int(2)), "-1")
    XCTAssertEqual(call("GREATEST", .int(1), .int(3), .int(2)), "3")
    XCTAssertEqual(call("LEAST", .int(1), .untypedNull), "NULL")
    XCTAssertEqual(call("SIGN", decimal(-25, 2, 1)), "-1.0")
    XCTAssertEqual(call("HEX", .int(255)), "FF")
    XCTAssertEqual(call("BIN", .int(4)), "100")
    XCTAssertEqual(call("POWER", .int(2), .int(10)), "1024.0")
  }

  func test_times_followFlink() {
    let time = timestamp("2024-02-29 23:59:58.123")
    XCTAssertEqual(call("EXTRACT", .text("DOW"), timestamp("2024-01-07 00:00:00")), "1")
    XCTAssertEqual(call("YEAR", time), "2024")
    XCTAssertEqual(call("WEEK", timestamp("2021-01-01 00:00:00")), "53")
    XCTAssertEqual(call("QUARTER", time), "1")
    XCTAssertEqual(call("$FLOOR_TO", time, .text("HOUR")), "2024-02-29 23:00:00.000")
    XCTAssertEqual(call("$CEIL_TO", time, .text("MONTH")), "2024-03-01 00:00:00.000")
    XCTAssertEqual(
      call("$ADD_MONTHS", timestamp("2024-01-31 10:00:00"), .int(1)), "2024-02-29 10:00:00.000")
    XCTAssertEqual(
      call(
        "TIMESTAMPDIFF", .text("DAY"), timestamp("2024-01-01 23:00:00"),
        timestamp("2024-01-02 01:00:00")),
      "0")
    XCTAssertEqual(
      call(
        "TIMESTAMPDIFF", .text("MONTH"), timestamp("2024-01-31 00:00:00"),
        timestamp("2024-02-29 00:00:00")),
      "1")
    XCTAssertEqual(
      call("TIMESTAMPADD", .text("MINUTE"), .int(2), time), "2024-03-01 00:01:58.123")
    XCTAssertEqual(call("DATE_FORMAT", time, .text("yyyyMMdd HH:mm")), "20240229 23:59")
    XCTAssertEqual(call("TO_DATE", .text("31/01/2024"), .text("dd/MM/yyyy")), "2024-01-31")
    XCTAssertEqual(call("TO_TIMESTAMP", .text("nonsense")), "NULL")
    XCTAssertEqual(call("FROM_UNIXTIME", .bigint(0)), "1970-01-01 08:00:00")
    XCTAssertEqual(call("UNIX_TIMESTAMP", .text("1970-01-01 08:00:01")), "1")
    XCTAssertEqual(call("TO_TIMESTAMP_LTZ", .bigint(0), .int(3)), "1970-01-01 08:00:00.000")
    XCTAssertEqual(
      call("CONVERT_TZ", .text("1970-01-01 00:00:00"), .text("UTC"), .text("America/Los_Angeles")),
      "1969-12-31 16:00:00")
  }

  func test_codings_followTheirStandards() {
    XCTAssertEqual(call("MD5", .text("abc")), "900150983cd24fb0d6963f7d28e17f72")
    XCTAssertEqual(call("SHA1", .text("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d")
    XCTAssertEqual(
      call("SHA256", .text("abc")),
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    XCTAssertEqual(
      call("SHA224", .text("abc")), "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7")
    XCTAssertEqual(call("TO_BASE64", .text("hello")), "aGVsbG8=")
    XCTAssertEqual(call("FROM_BASE64", .text("aGVsbG8=")), "hello")
    XCTAssertEqual(call("URL_ENCODE", .text("a b&ü")), "a+b%26%C3%BC")
    XCTAssertEqual(call("URL_DECODE", .text("a+b%26")), "a b&")
    XCTAssertEqual(
      call("PARSE_URL", .text("http://u@h.org:80/p/q?k=1&l=2#f"), .text("QUERY"), .text("l")), "2")
  }

  func test_json_findsValues() {
    let json = Expression.text(#"{"a": {"b": [1, "x\u00e9", {"c": null}]}, "n": 1.5}"#)
    XCTAssertEqual(call("JSON_VALUE", json, .text("$.a.b[1]")), "xé")
    XCTAssertEqual(call("JSON_VALUE", json, .text("$.n")), "1.5")
    XCTAssertEqual(call("JSON_VALUE", json, .text("$.a")), "NULL")
    XCTAssertEqual(call("JSON_QUERY", json, .text("lax $['a'].b[2]")), #"{"c":null}"#)
    XCTAssertEqual(call("JSON_EXISTS", json, .text("$.a.z")), "FALSE")
    XCTAssertEqual(call("$IS_JSON", .text("[1, 2"), .text("VALUE")), "FALSE")
    XCTAssertEqual(call("$IS_JSON", .text("[1, 2]"), .text("ARRAY")), "TRUE")
    XCTAssertEqual(call("JSON_OBJECT", .text("k"), .int(1)), #"{"k":1}"#)
  }

  func test_collections_followFlink() throws {
    let array = try Expression.calling("ARRAY", [.int(3), .int(1), .int(3)])
    XCTAssertEqual(show(array), "[3, 1, 3]")
    XCTAssertEqual(call("$ELEMENT", array, .int(2)), "1")
    XCTAssertEqual(call("$ELEMENT", array, .int(4)), "NULL")
    XCTAssertEqual(call("$ELEMENT", array, .int(0)), "error: array positions begin with 1")
    XCTAssertEqual(call("CARDINALITY", array), "3")
    XCTAssertEqual(call("ARRAY_SORT", array), "[1, 3, 3]")
    XCTAssertEqual(call("ARRAY_DISTINCT", array), "[3, 1]")
    XCTAssertEqual(call("ARRAY_MAX", array), "3")
    XCTAssertEqual(call("ARRAY_CONTAINS", array, .int(1)), "TRUE")
    XCTAssertEqual(call("ARRAY_SLICE", array, .int(2), .int(3)), "[1, 3]")
    XCTAssertEqual(call("ARRAY_CONCAT", array, array), "[3, 1, 3, 3, 1, 3]")
    let map = try Expression.calling("MAP", [.text("k"), .int(1), .text("l"), .int(2)])
    XCTAssertEqual(show(map), "{k=1, l=2}")
    XCTAssertEqual(call("$ELEMENT", map, .text("l")), "2")
    XCTAssertEqual(call("$ELEMENT", map, .text("none")), "NULL")
    XCTAssertEqual(call("MAP_KEYS", map), "[k, l]")
    XCTAssertEqual(show(try Expression.calling("ROW", [.int(1), .text("a")])), "(1, a)")
  }

  func test_names_holdAtLeastEightyFunctions() {
    XCTAssertGreaterThan(FunctionRegistry.names.count, 120)
    XCTAssertThrowsError(try Expression.calling("UPPER", [.int(1)]))
  }
}
