"""A small pipeline that the campaigns share: changes with deletes, upserts, and lines without key; a join, aggregates, a filter.

`Feed` makes the source files and holds, in plain Python, what every table must contain.
"""
import json

SPECS = {
    "ods.sales": """
CREATE TEMPORARY TABLE sale_changes (
  id BIGINT NOT NULL, item BIGINT NOT NULL, qty INT NOT NULL, note STRING,
  PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'filesystem', 'path' = 'input/sales', 'format' = 'debezium-json');
CREATE TABLE sales (
  id BIGINT NOT NULL, item BIGINT NOT NULL, qty INT NOT NULL, note STRING,
  PRIMARY KEY (id) NOT ENFORCED
) WITH ('bucket' = '2');
INSERT INTO sales SELECT id, item, qty, note FROM sale_changes;
""",
    "ods.items": """
CREATE TEMPORARY TABLE item_lines (item BIGINT NOT NULL, name STRING, price DECIMAL(10, 2))
WITH ('connector' = 'filesystem', 'path' = 'input/items', 'format' = 'json');
CREATE TABLE items (
  item BIGINT NOT NULL, name STRING, price DECIMAL(10, 2),
  PRIMARY KEY (item) NOT ENFORCED
) WITH ('bucket' = '1');
INSERT INTO items SELECT item, name, price FROM item_lines;
""",
    "ods.clicks": """
CREATE TEMPORARY TABLE click_lines (n BIGINT, item BIGINT, kind STRING)
WITH ('connector' = 'filesystem', 'path' = 'input/clicks', 'format' = 'json');
CREATE TABLE clicks (n BIGINT, item BIGINT, kind STRING) WITH ('bucket' = '-1');
INSERT INTO clicks SELECT n, item, kind FROM click_lines;
""",
    "dwd.sales_wide": """
CREATE TABLE sales_wide (
  id BIGINT NOT NULL, item BIGINT NOT NULL, name STRING, qty INT NOT NULL, amount DECIMAL(20, 2), note STRING,
  PRIMARY KEY (id) NOT ENFORCED
) WITH ('bucket' = '2');
INSERT INTO sales_wide
SELECT s.id, s.item, i.name, s.qty, CAST(s.qty * i.price AS DECIMAL(20, 2)), s.note
FROM ods.sales AS s LEFT JOIN ods.items AS i ON s.item = i.item;
""",
    "dwd.buys": """
CREATE TABLE buys (n BIGINT, item BIGINT) WITH ('bucket' = '-1');
INSERT INTO buys SELECT n, item FROM ods.clicks WHERE kind = 'buy';
""",
    "dws.by_item": """
CREATE MATERIALIZED TABLE by_item (PRIMARY KEY (item) NOT ENFORCED) WITH ('bucket' = '1')
FRESHNESS = INTERVAL '1' SECOND
AS SELECT item, COUNT(*) AS sales, SUM(qty) AS qty, SUM(amount) AS amount, MIN(id) AS first_id, MAX(qty) AS most
FROM dwd.sales_wide GROUP BY item;
""",
    "dws.clicks_by_item": """
CREATE MATERIALIZED TABLE clicks_by_item (PRIMARY KEY (item) NOT ENFORCED) WITH ('bucket' = '1')
FRESHNESS = INTERVAL '1' SECOND
AS SELECT item, COUNT(*) AS clicks, COUNT(*) FILTER (WHERE kind = 'buy') AS buys, SUM(n) AS n
FROM ods.clicks GROUP BY item;
""",
    "ads.best_items": """
CREATE MATERIALIZED TABLE best_items (PRIMARY KEY (place) NOT ENFORCED) WITH ('bucket' = '1')
FRESHNESS = INTERVAL '1' SECOND
AS SELECT place, item, amount FROM (
  SELECT item, amount, ROW_NUMBER() OVER (ORDER BY amount DESC, item) AS place FROM dws.by_item WHERE amount IS NOT NULL
) WHERE place <= 5;
""",
}


def write(project):
    project.write("terrace.conf", "layers: ods, dwd, dws, ads\n")
    for table, sql in SPECS.items(): project.spec(table, sql.lstrip())
    for stream in ("sales", "items", "clicks"): (project.folder / "input" / stream).mkdir(parents=True, exist_ok=True)


class Feed:
    """Source files of random changes, and the state that they lead to."""

    def __init__(self, project, random, items=40):
        self.project, self.random, self.items = project, random, items
        self.sales, self.prices, self.clicks, self.bad = {}, {}, [], []
        self.files, self.records, self.next_sale = 0, {"sales": 0, "items": 0, "clicks": 0}, 1

    def add(self, rows=200):
        """One more file of each stream, or of some of them."""
        self.files += 1
        made = {"sales": self.sale_lines(rows), "items": self.item_lines(max(rows // 20, 1)), "clicks": self.click_lines(rows)}
        for stream, lines in made.items():
            if self.files > 1 and self.random.random() < 0.2: self.undo(stream, lines)
            else:
                self.records[stream] += len(lines)
                self.project.add(f"input/{stream}/{stream}-{self.files:06d}.json", "".join(line + "\n" for line, _ in lines))

    def undo(self, stream, lines):
        """These lines were not written: their effects go, the newest first."""
        for _, back in reversed(lines): back()

    def sale_lines(self, rows):
        lines = []
        for _ in range(rows):
            known = list(self.sales) if len(self.sales) < 500 else None
            choice = self.random.random()
            if choice < 0.5 or not self.sales:
                key, before = self.next_sale, None
                self.next_sale += 1
            else:
                key = self.random.choice(known) if known else self.random.randrange(1, self.next_sale)
                before = self.sales.get(key)
            after = None if before and choice > 0.85 else dict(id=key, item=self.random.randrange(self.items), qty=self.random.randrange(1, 100),
                                                              note=self.random.choice([None, "", "größer", "🍎 \"x\"\n", "x" * 30]))
            operation = "d" if after is None else "u" if before else "c"
            if after is None: del self.sales[key]
            else: self.sales[key] = after
            lines.append((json.dumps({"before": before, "after": after, "op": operation, "ts_ms": 0}), self.back(self.sales, key, before)))
        return lines

    def item_lines(self, rows):
        lines = []
        for _ in range(rows):
            item, before = self.random.randrange(self.items), None
            before = self.prices.get(item)
            self.prices[item] = dict(item=item, name=f"item {item} v{self.random.randrange(100)}", price=f"{self.random.randrange(10000) / 100:.2f}")
            lines.append((json.dumps(self.prices[item]), self.back(self.prices, item, before)))
        return lines

    def click_lines(self, rows):
        lines = []
        for _ in range(rows):
            if self.random.random() < 0.01:
                bad = self.random.choice(["{\"n\": 1, ", "not json", "\"text\"", "{\"n\": \"twelve\", \"item\": 1, \"kind\": \"buy\"}"])
                self.bad.append(bad)
                lines.append((bad, self.bad.pop))
            else:
                row = dict(n=len(self.clicks), item=self.random.randrange(self.items), kind=self.random.choice(["view", "buy", "view", None]))
                self.clicks.append(row)
                lines.append((json.dumps(row), self.clicks.pop))
        return lines

    @staticmethod
    def back(rows, key, before):
        def undo():
            if before is None: rows.pop(key, None)
            else: rows[key] = before
        return undo

    def expected(self):
        """Table to its rows, as `terrace query -f json` must give them."""
        def money(cents): return f"{cents // 100}.{cents % 100:02d}"
        def cents(text): return int(text.replace(".", ""))
        wide = []
        for sale in self.sales.values():
            item = self.prices.get(sale["item"])
            wide.append(dict(id=sale["id"], item=sale["item"], name=item and item["name"], qty=sale["qty"], amount=item and money(sale["qty"] * cents(item["price"])), note=sale["note"]))
        by_item = {}
        for row in wide: by_item.setdefault(row["item"], []).append(row)
        dws = []
        for item, rows in by_item.items():
            amounts = [cents(r["amount"]) for r in rows if r["amount"] is not None]
            dws.append(dict(item=item, sales=len(rows), qty=sum(r["qty"] for r in rows), amount=money(sum(amounts)) if amounts else None,
                            first_id=min(r["id"] for r in rows), most=max(r["qty"] for r in rows)))
        clicked = {}
        for row in self.clicks: clicked.setdefault(row["item"], []).append(row)
        best = sorted((r for r in dws if r["amount"] is not None), key=lambda r: (-cents(r["amount"]), r["item"]))[:5]
        return {
            "ods.sales": list(self.sales.values()),
            "ods.items": list(self.prices.values()),
            "ods.clicks": self.clicks,
            "dwd.sales_wide": wide,
            "dwd.buys": [dict(n=r["n"], item=r["item"]) for r in self.clicks if r["kind"] == "buy"],
            "dws.by_item": dws,
            "dws.clicks_by_item": [dict(item=item, clicks=len(rows), buys=sum(r["kind"] == "buy" for r in rows), n=sum(r["n"] for r in rows)) for item, rows in clicked.items()],
            "ads.best_items": [dict(place=i + 1, item=r["item"], amount=r["amount"]) for i, r in enumerate(best)],
        }


def text(rows):
    """Rows as sorted text; DECIMAL values as text, whichever way they are printed."""
    def plain(key, value): return f"{float(value):.2f}" if key in ("amount", "price") and value is not None else value
    return sorted(json.dumps({k: plain(k, v) for k, v in row.items()}, sort_keys=True, ensure_ascii=False) for row in rows)


def check(world, project, feed, what):
    """Every table holds exactly what the feed says, and the bad lines lie in the dead letters, each once."""
    for table, rows in feed.expected().items():
        found, expected = text(project.rows(f"SELECT * FROM {table}")), text(rows)
        missing, extra = [x for x in expected if x not in set(found)], [x for x in found if x not in set(expected)]
        world.checks.that(f"{table} {what}: {len(expected)} rows", found == expected,
                          f"{len(found)} rows, {len(missing)} missing such as {missing[:2]}, {len(extra)} wrong such as {extra[:2]}, the rest differs in number")
    found = [letter_bytes(row) for row in project.rows("SELECT * FROM dead_letters.ods_clicks")] if feed.bad else []
    world.checks.equal(f"dead letters {what}: {len(feed.bad)}", sorted(found), sorted(feed.bad))


def letter_bytes(row):
    """The raw bytes of a dead letter as text, however bytes are printed."""
    value = row.get("bytes", row.get("raw"))
    for read in (lambda v: bytes.fromhex(v.removeprefix("0x")).decode(), lambda v: __import__("base64").b64decode(v, validate=True).decode()):
        try: return read(value)
        except ValueError: continue
    return value
