import Foundation
import XCTest

/// What the head of a spec says, and connectors by LIKE.
final class SpecZoneTests: XCTestCase {
  func test_run_takesZoneAndConnectorFromTheSpec() throws {
    let scratch = try ScratchFolder()
    try scratch.write("terrace.conf", "layers: ods\n")
    for folder in ["layers/ods", "in", "in2"] {
      try FileManager.default.createDirectory(
        at: scratch.url.appendingPathComponent(folder), withIntermediateDirectories: true)
    }
    try scratch.write("in/a.json", "{\"id\":1}\n")
    try scratch.write("in2/a.json", "{\"id\":2}\n")
    try scratch.write(
      "layers/ods/st.sql",
      """
      SET 'table.local-time-zone' = 'Asia/Tokyo';
      CREATE TEMPORARY TABLE one (id BIGINT)
        WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json');
      CREATE TEMPORARY TABLE two WITH ('path' = 'in2') LIKE one;
      CREATE TABLE three WITH ('path' = 'in2') LIKE one (OVERWRITING OPTIONS);
      CREATE TABLE st (id BIGINT, t STRING, c STRING);
      INSERT INTO st SELECT id, CAST(TO_TIMESTAMP_LTZ(id, 0) AS STRING), FROM_UNIXTIME(0) FROM one;
      INSERT INTO st SELECT id, CAST(TO_TIMESTAMP_LTZ(id, 0) AS STRING), FROM_UNIXTIME(0) FROM two;
      INSERT INTO st SELECT id + 1, '', '' FROM three;
      """)
    let run = try CommandRun.run(["run", "--once"], in: scratch.url)
    XCTAssertEqual(run.code, 0, run.errors)
    let rows = try CommandRun.run(
      ["query", "SELECT id, t, c FROM ods.st ORDER BY id", "-f", "csv"], in: scratch.url)
    XCTAssertEqual(
      rows.output,
      """
      id,t,c
      1,1970-01-01 09:00:01.000,1970-01-01 09:00:00
      2,1970-01-01 09:00:02.000,1970-01-01 09:00:00
      3,"",""

      """)
  }
}
