import Columns
import Formats

/// A geometry as text, as Flink CDC writes it: `{"coordinates":[1,2],"type":"Point","srid":0}`.
enum MySQLGeometry {
  /// - Parameter bytes: an SRID of four bytes and OGC's well-known binary.
  static func text(_ bytes: UnsafeRawBufferPointer) -> String? {
    do throws(TerraceError) {
      var cursor = ByteCursor(bytes)
      let srid = try cursor.readRaw(UInt32.self)
      let (type, value) = try shape(&cursor, 0)
      let name = type == "GeometryCollection" ? "geometries" : "coordinates"
      return "{\"\(name)\":\(value),\"type\":\"\(type)\",\"srid\":\(srid)}"
    } catch { return nil }  // Bytes of another shape have no text.
  }

  private static func shape(
    _ cursor: inout ByteCursor, _ depth: Int
  ) throws(TerraceError) -> (type: String, value: String) {
    guard depth < 16, try cursor.readByte() == 1 else { throw cursor.broken("no geometry") }
    switch try cursor.readRaw(UInt32.self) {
    case 1: return ("Point", try point(&cursor))
    case 2: return ("LineString", try line(&cursor))
    case 3: return ("Polygon", try list(&cursor, 4, line))
    case 4: return ("MultiPoint", try parts(&cursor, depth))
    case 5: return ("MultiLineString", try parts(&cursor, depth))
    case 6: return ("MultiPolygon", try parts(&cursor, depth))
    case 7:
      let items = try list(&cursor, 5) { (cursor) throws(TerraceError) in
        let (type, value) = try shape(&cursor, depth + 1)
        let name = type == "GeometryCollection" ? "geometries" : "coordinates"
        return "{\"\(name)\":\(value),\"type\":\"\(type)\"}"
      }
      return ("GeometryCollection", items)
    default: throw cursor.broken("an unknown geometry")
    }
  }

  private static func parts(
    _ cursor: inout ByteCursor, _ depth: Int
  ) throws(TerraceError) -> String {
    try list(&cursor, 5) { (cursor) throws(TerraceError) in try shape(&cursor, depth + 1).value }
  }

  private static func line(_ cursor: inout ByteCursor) throws(TerraceError) -> String {
    try list(&cursor, 16, point)
  }

  private static func point(_ cursor: inout ByteCursor) throws(TerraceError) -> String {
    let x = Double(bitPattern: try cursor.readRaw(UInt64.self))
    let y = Double(bitPattern: try cursor.readRaw(UInt64.self))
    return "[\(number(x)),\(number(y))]"
  }

  private static func number(_ value: Double) -> String {
    if value == value.rounded(), value.magnitude < 1e15 { return String(Int64(value)) }
    return value.isFinite ? "\(value)" : "null"
  }

  private static func list(
    _ cursor: inout ByteCursor, _ least: Int,
    _ item: (inout ByteCursor) throws(TerraceError) -> String
  ) throws(TerraceError) -> String {
    let count = Int(try cursor.readRaw(UInt32.self))
    guard count <= cursor.remaining / least else { throw cursor.broken("a list that ends early") }
    var items: [String] = []
    for _ in 0..<count { items.append(try item(&cursor)) }
    return "[" + items.joined(separator: ",") + "]"
  }
}
