"""The shop computed again, by DuckDB, from the generated files alone: every layer, now and at every tag.

Shares nothing with the layers' SQL but the meaning of the tables. A tag T of a stream cuts it before the first change whose
watermark (the newest updated_at so far, less a minute) reaches T's end and the five minutes of delay.
"""
import pathlib

import pyarrow

ROWS = {
    "orders": dict(order_id="BIGINT", user_id="BIGINT", product_id="BIGINT", quantity="INTEGER", amount="DECIMAL(12,2)", status="VARCHAR",
                   created_at="TIMESTAMP", updated_at="TIMESTAMP"),
    "payments": dict(order_id="BIGINT", payment_id="BIGINT", method="VARCHAR", amount="DECIMAL(12,2)", status="VARCHAR", updated_at="TIMESTAMP"),
    "products": dict(product_id="BIGINT", shop_id="BIGINT", shop_name="VARCHAR", product_name="VARCHAR", category="VARCHAR", price="DECIMAL(10,2)",
                     updated_at="TIMESTAMP"),
    "users": dict(user_id="BIGINT", user_name="VARCHAR", city="VARCHAR", level="INTEGER", updated_at="TIMESTAMP"),
}
KEYS = {"orders": "order_id", "payments": "order_id", "products": "product_id", "users": "user_id"}
TABLES = {f"ods.{name}": columns for name, columns in ROWS.items()} | {
    "dwd.orders_wide": dict(order_id="BIGINT", order_date="DATE", status="VARCHAR", quantity="INTEGER", amount="DECIMAL(12,2)", paid="DECIMAL(12,2)",
                            pay_method="VARCHAR", pay_status="VARCHAR", product_id="BIGINT", product_name="VARCHAR", category="VARCHAR", shop_id="BIGINT",
                            shop_name="VARCHAR", user_id="BIGINT", city="VARCHAR", user_level="INTEGER", created_at="TIMESTAMP", updated_at="TIMESTAMP"),
    "dws.shop_daily": dict(order_date="DATE", shop_id="BIGINT", shop_name="VARCHAR", orders="BIGINT", cancelled="BIGINT", quantity="INTEGER",
                           amount="DECIMAL(38,2)", paid="DECIMAL(38,2)"),
    "dws.user_daily": dict(order_date="DATE", user_id="BIGINT", orders="BIGINT", shops="BIGINT", amount="DECIMAL(38,2)", paid="DECIMAL(38,2)",
                           first_order_at="TIMESTAMP"),
    "ads.top_shops": dict(order_date="DATE", place="BIGINT", shop_id="BIGINT", shop_name="VARCHAR", amount="DECIMAL(38,2)", orders="BIGINT"),
    "ads.daily_totals": dict(order_date="DATE", shops="BIGINT", customers="BIGINT", returning_customers="BIGINT", orders="BIGINT", cancelled="BIGINT",
                             amount="DECIMAL(38,2)", paid="DECIMAL(38,2)", average_order="DECIMAL(12,2)"),
}

LAYERS = {
    "dwd.orders_wide": """
        SELECT o.order_id, CAST(o.created_at AS DATE) AS order_date, o.status, o.quantity, o.amount,
               CAST(if(p.status = 'succeeded', p.amount, 0) AS DECIMAL(12,2)) AS paid, p.method AS pay_method, p.status AS pay_status,
               o.product_id, g.product_name, g.category, g.shop_id, g.shop_name, o.user_id, u.city, u.level AS user_level, o.created_at, o.updated_at
        FROM {orders} o JOIN {products} g USING (product_id) LEFT JOIN {users} u USING (user_id) LEFT JOIN {payments} p USING (order_id)""",
    "dws.shop_daily": """
        SELECT order_date, shop_id, max(shop_name) AS shop_name, count(*) AS orders, sum(if(status = 'cancelled', 1, 0)) AS cancelled,
               sum(quantity) AS quantity, sum(if(status = 'cancelled', 0, amount)) AS amount, sum(paid) AS paid
        FROM {orders_wide} GROUP BY ALL""",
    "dws.user_daily": """
        SELECT order_date, user_id, count(*) AS orders, count(DISTINCT shop_id) AS shops, sum(if(status = 'cancelled', 0, amount)) AS amount,
               sum(paid) AS paid, min(created_at) AS first_order_at
        FROM {orders_wide} GROUP BY ALL""",
    "ads.top_shops": """
        SELECT order_date, place, shop_id, shop_name, amount, orders
        FROM (SELECT *, row_number() OVER (PARTITION BY order_date ORDER BY amount DESC, shop_id) AS place FROM {shop_daily}) WHERE place <= 10""",
    # From the orders themselves, not from DWS. The average is rounded twice, half up, as Flink's DECIMAL division and cast do.
    "ads.daily_totals": """
        SELECT order_date, count(DISTINCT shop_id) AS shops, any_value(customers) AS customers, any_value(returning_customers) AS returning_customers,
               count(*) AS orders, count(*) FILTER (status = 'cancelled') AS cancelled, coalesce(sum(amount) FILTER (status <> 'cancelled'), 0) AS amount,
               sum(paid) AS paid,
               CAST((((coalesce(sum(amount) FILTER (status <> 'cancelled'), 0) * 100)::HUGEINT * 20000 + count(*)) // (2 * count(*)) + 5000) // 10000 AS HUGEINT) / 100 AS average_order
        FROM {orders_wide} JOIN (SELECT order_date, count(*) AS customers, count(*) FILTER (n > 1) AS returning_customers
                                 FROM (SELECT order_date, user_id, count(*) AS n FROM {orders_wide} GROUP BY ALL) GROUP BY ALL) USING (order_date)
        GROUP BY order_date""",
}


class Shop:
    """The changes of the four streams in DuckDB, and every table computed from them."""

    def __init__(self, duck, folder):
        self.duck = duck
        for stream in ROWS: self.read(stream, pathlib.Path(folder) / stream)

    def read(self, stream, folder):
        """Table c_<stream>: seq, gone (a delete), and the columns, one row a change in order of arrival."""
        lines = [line for file in sorted(folder.glob("*.json")) for line in file.read_text().splitlines() if line]
        self.duck.register("lines", pyarrow.table({"seq": pyarrow.array(range(len(lines)), pyarrow.int64()), "line": pyarrow.array(lines, pyarrow.string())}))
        structure = "{" + ", ".join(f'"{name}": "{type}"' for name, type in ROWS[stream].items()) + "}"
        if stream == "products":
            change = f"SELECT seq, false AS gone, json_transform_strict(line, '{structure}') AS r FROM lines"
        elif stream == "payments":
            change = f"""SELECT seq, kind = 'DELETE' AS gone, json_transform_strict(unnest(CAST(data AS JSON[])), '{structure}') AS r
                         FROM (SELECT seq, line ->> '$.type' AS kind, line -> '$.data' AS data FROM lines)"""
        else:
            change = f"""SELECT seq, op = 'd' AS gone, json_transform_strict(CASE WHEN op = 'd' THEN line -> '$.before' ELSE line -> '$.after' END, '{structure}') AS r
                         FROM (SELECT seq, line, line ->> '$.op' AS op FROM lines)"""
        self.duck.execute(f"CREATE OR REPLACE TABLE c_{stream} AS SELECT row_number() OVER (ORDER BY seq) AS seq, gone, r.* FROM ({change})")
        self.duck.unregister("lines")

    def changes(self, stream): return self.duck.execute(f"SELECT count(*) FROM c_{stream}").fetchone()[0]

    def cut(self, stream, day):
        """Number of changes before the barrier of `day` ('2026-11-16'); None when the stream has not reached it."""
        return self.duck.execute(f"""SELECT min(seq) FROM c_{stream}
            WHERE updated_at - INTERVAL 1 MINUTE >= DATE '{day}' + INTERVAL 1 DAY + INTERVAL 5 MINUTE""").fetchone()[0]

    def days(self):
        """Days that are over on all four streams, from the first watermark's on."""
        first = self.duck.execute("SELECT CAST(min(updated_at) - INTERVAL 1 MINUTE AS DATE) FROM c_orders").fetchone()[0]
        last = self.duck.execute("SELECT CAST(max(updated_at) AS DATE) FROM c_orders").fetchone()[0]
        days = [str(r[0]) for r in self.duck.execute(f"SELECT CAST(range AS DATE) FROM range(DATE '{first}', DATE '{last}' + 1, INTERVAL 1 DAY)").fetchall()]
        return [day for day in days if all(self.cut(stream, day) is not None for stream in ROWS)]

    def compute(self, prefix, day=None):
        """Tables <prefix>_<table> of all layers, at the barrier of `day` or at the end."""
        names = {}
        for stream, key in KEYS.items():
            names[stream] = f"{prefix}_{stream}"
            limit = "" if day is None else f"AND seq < {self.cut(stream, day)}"
            self.duck.execute(f"""CREATE OR REPLACE TABLE {names[stream]} AS SELECT * EXCLUDE (seq, gone)
                FROM (SELECT * FROM c_{stream} WHERE true {limit} QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY seq DESC) = 1) WHERE NOT gone""")
        for table, sql in LAYERS.items():
            short = table.split(".")[1]
            names[short] = f"{prefix}_{short}"
            columns = ", ".join(f"CAST({c} AS {t}) AS {c}" for c, t in TABLES[table].items())
            self.duck.execute(f"CREATE OR REPLACE TABLE {names[short]} AS SELECT {columns} FROM ({sql.format(**names)})")
        return names
