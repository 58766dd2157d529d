package import Columns
package import Store

/// A new project: a small shop that runs at once.
package enum ProjectTemplate {
  /// Writes the template into a folder, which is made when it is missing.
  ///
  /// - Returns: the files written.
  /// - Throws: `invalid` when a project is there already; nothing is changed then.
  package static func write(
    to folder: String, _ environment: Environment
  ) throws(TerraceError) -> [String] {
    let files = environment.files
    for (name, _) in contents {
      if try files.exists(folder + "/" + name) {
        throw TerraceError(.invalid, "\(folder) holds a project already: \(name) is there")
      }
    }
    for (name, text) in contents {
      let path = folder + "/" + name
      try files.makeDirectories(splitPath(path).folder)
      try files.write(Array(text.utf8), to: path)
    }
    return contents.map(\.name)
  }

  private static let contents: [(name: String, text: String)] = [
    (
      "terrace.conf",
      """
      # Layers from the lowest up: a table reads its own layer and lower ones.
      layers: ods, dwd, dws, ads
      warehouse: warehouse
      catalog.uri: catalog/metastore.db
      memory.limit: 1 gb

      """
    ),
    (
      "layers/ods/orders.sql",
      """
      -- Orders as they come: one JSON object a line, in the files of input/orders.
      CREATE TEMPORARY TABLE order_lines (
        order_id   BIGINT NOT NULL,
        city       STRING,
        amount     DECIMAL(10, 2),
        created_at TIMESTAMP(3)
      ) WITH (
        'connector' = 'filesystem',
        'path' = 'input/orders',
        'format' = 'json',
        'source.monitor-interval' = '1 s'
      );

      CREATE TABLE orders (
        order_id   BIGINT NOT NULL,
        city       STRING,
        amount     DECIMAL(10, 2),
        created_at TIMESTAMP(3),
        PRIMARY KEY (order_id) NOT ENFORCED
      );

      INSERT INTO orders SELECT order_id, city, amount, created_at FROM order_lines;

      """
    ),
    (
      "layers/dwd/paid_orders.sql",
      """
      -- Orders that were not free.
      CREATE TABLE paid_orders (
        order_id   BIGINT NOT NULL,
        city       STRING,
        amount     DECIMAL(10, 2),
        order_date DATE,
        PRIMARY KEY (order_id) NOT ENFORCED
      );

      INSERT INTO paid_orders
      SELECT order_id, city, amount, CAST(created_at AS DATE)
      FROM ods.orders
      WHERE amount > 0;

      """
    ),
    (
      "layers/dws/city_daily.sql",
      """
      -- What each city bought on each day.
      CREATE MATERIALIZED TABLE city_daily (
        PRIMARY KEY (order_date, city) NOT ENFORCED
      )
      FRESHNESS = INTERVAL '1' SECOND
      AS SELECT order_date, city, COUNT(*) AS orders, SUM(amount) AS amount
      FROM dwd.paid_orders
      GROUP BY order_date, city;

      """
    ),
    (
      "layers/ads/top_cities.sql",
      """
      -- The three best cities of each day.
      CREATE MATERIALIZED TABLE top_cities (
        PRIMARY KEY (order_date, place) NOT ENFORCED
      )
      FRESHNESS = INTERVAL '1' SECOND
      AS SELECT order_date, place, city, amount
      FROM (
        SELECT order_date, city, amount,
          ROW_NUMBER() OVER (PARTITION BY order_date ORDER BY amount DESC, city) AS place
        FROM dws.city_daily
      )
      WHERE place <= 3;

      """
    ),
    (
      "input/orders/first.json",
      """
      {"order_id": 1, "city": "Lyon", "amount": 20.50, "created_at": "2026-11-19 09:00:00"}
      {"order_id": 2, "city": "Oslo", "amount": 5.00, "created_at": "2026-11-19 09:30:00"}
      {"order_id": 3, "city": "Lyon", "amount": 7.25, "created_at": "2026-11-20 11:00:00"}
      {"order_id": 4, "city": "Rome", "amount": 0.00, "created_at": "2026-11-20 12:00:00"}

      """
    ),
  ]
}
