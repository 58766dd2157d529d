"""Tags are barriers: what a day's partition holds is decided by the order of arrival alone, on every layer, and for ever."""
import datetime
import random
import sqlite3
import time

import flow


def source(name, columns, key, options="", delay=None, path=None):
    """A spec: lines of JSON with an event time `at` into a table of the same columns."""
    fields = ", ".join(f"`{c}` {t}" for c, t in columns.items())
    names = ", ".join(f"`{c}`" for c in columns)
    creation = f", 'tag.creation-delay' = '{delay}'" if delay else ""
    return f"""CREATE TEMPORARY TABLE {name}_lines ({fields}, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at`)
WITH ('connector' = 'filesystem', 'path' = 'input/{path or name}', 'format' = 'json');
CREATE TABLE {name} ({fields}, `at` TIMESTAMP(3), PRIMARY KEY ({key}) NOT ENFORCED)
WITH ('bucket' = '1', 'tag.automatic-creation' = 'watermark', 'metastore.tag-to-partition' = 'dt'{creation}{options});
INSERT INTO {name} SELECT {names}, `at` FROM {name}_lines;
"""


SALES = dict(id="BIGINT NOT NULL", shop="BIGINT", amount="BIGINT")
SHOPS = dict(shop="BIGINT NOT NULL", name="STRING")
JOINED = """CREATE MATERIALIZED TABLE joined (PRIMARY KEY (id) NOT ENFORCED) WITH ('bucket' = '1', 'metastore.tag-to-partition' = 'dt')
FRESHNESS = INTERVAL '1' SECOND
AS SELECT s.id, s.shop, p.name, s.amount FROM ods.sales AS s JOIN ods.shops AS p ON s.shop = p.shop;
"""
TOTALS = """CREATE MATERIALIZED TABLE totals (PRIMARY KEY (shop) NOT ENFORCED) WITH ('bucket' = '1', 'metastore.tag-to-partition' = 'dt')
FRESHNESS = INTERVAL '1' SECOND
AS SELECT shop, COUNT(*) AS sales, SUM(amount) AS amount, MAX(name) AS name FROM dwd.joined GROUP BY shop;
"""


class Story:
    """Two streams told line by line; remembers what each table must hold at each barrier."""

    def __init__(self, project):
        self.project, self.files = project, 0
        self.pending = {"sales": [], "shops": []}

    def line(self, stream, at, **row): self.pending[stream].append(__import__("json").dumps({**row, "at": at}))

    def flush(self):
        self.files += 1
        for stream, lines in self.pending.items():
            if lines: self.project.add(f"input/{stream}/{self.files:05d}.json", "".join(line + "\n" for line in lines))
            self.pending[stream] = []


def two_streams(world, name, sales="", shops="", sales_delay=None, shops_delay=None):
    project = world.project(name)
    project.write("terrace.conf", "layers: ods, dwd, dws\n")
    project.spec("ods.sales", source("sales", SALES, "id", sales, sales_delay))
    project.spec("ods.shops", source("shops", SHOPS, "shop", shops, shops_delay))
    project.spec("dwd.joined", JOINED)
    project.spec("dws.totals", TOTALS)
    for stream in ("sales", "shops"): (project.folder / "input" / stream).mkdir(parents=True)
    return project, Story(project)


def read(project, table, where, order): return project.rows(f"SELECT * FROM {table} {where} ORDER BY {order}")


def partition(project, day):
    """The text of all four tables on a day, as the command prints it, without the columns' widths."""
    return {table: project.call("query", f"SELECT * FROM {table} WHERE dt = '{day}' ORDER BY 1", "-f", "csv").stdout
            for table in ("ods.sales", "ods.shops", "dwd.joined", "dws.totals")}


def late_rows(world):
    """A late row of day T and an update on the next day leave dt = T byte-equal, for us and for pypaimon."""
    project, story = two_streams(world, "late")
    story.line("shops", "2026-11-16 00:00:01", shop=1, name="one")
    story.line("shops", "2026-11-16 00:00:02", shop=2, name="two")
    for i in range(10): story.line("sales", f"2026-11-16 {10 + i}:00:00", id=i, shop=1 + i % 2, amount=100 + i)
    story.flush()
    project.once()
    world.checks.that("no tag before the day is over", "2026-11-16" not in project.tags("dws.totals"), str(project.tags("dws.totals")))
    story.line("sales", "2026-11-16 23:59:59.999", id=50, shop=1, amount=7)
    story.line("sales", "2026-11-17 00:00:00", id=51, shop=1, amount=1000000)
    story.line("shops", "2026-11-17 00:00:00", shop=2, name="second")
    story.flush()
    project.once()
    want = {"sales": 5 + 1, "amount": sum(100 + i for i in range(0, 10, 2)) + 7}
    day = project.rows("SELECT * FROM dws.totals WHERE dt = '2026-11-16' ORDER BY shop")
    world.checks.equal("the row at midnight is not of the day before", [(r["shop"], r["sales"], r["amount"], r["name"]) for r in day],
                       [(1, want["sales"], want["amount"], "one"), (2, 5, sum(100 + i for i in range(1, 10, 2)), "two")])
    frozen, foreign = partition(project, "2026-11-16"), {t: flow.pypaimon(project, t, tag="2026-11-16").to_pylist() for t in ("ods.sales", "dwd.joined", "dws.totals")}
    story.line("sales", "2026-11-16 12:00:00", id=60, shop=1, amount=5)          # a late row of the day that is over
    story.line("sales", "2026-11-17 08:00:00", id=3, shop=1, amount=1)           # an update of one of its rows
    story.line("shops", "2026-11-17 09:00:00", shop=1, name="first")             # and of the other side
    story.flush()
    project.once()
    world.checks.equal("dt = T stays byte for byte", partition(project, "2026-11-16"), frozen)
    world.checks.equal("for pypaimon too", {t: flow.pypaimon(project, t, tag="2026-11-16").to_pylist() for t in foreign}, foreign)
    now = project.rows("SELECT * FROM dws.totals ORDER BY shop")
    world.checks.equal("now has them all", [(r["shop"], r["sales"], r["name"]) for r in now], [(1, 9, "first"), (2, 4, "second")])
    for stream in ("sales", "shops"): story.line(stream, "2026-11-18 00:00:00.001", **({"id": 99, "shop": 1, "amount": 0} if stream == "sales" else {"shop": 9, "name": "new"}))
    story.flush()
    project.once()
    next_day = project.rows("SELECT * FROM dws.totals WHERE dt = '2026-11-17' ORDER BY shop")
    world.checks.equal("the late row is in the next day", [(r["shop"], r["sales"], r["name"]) for r in next_day], [(1, 9, "first"), (2, 4, "second")])
    world.checks.equal("dt = T still", partition(project, "2026-11-16"), frozen)
    both = project.rows("SELECT dt, COUNT(*) AS n FROM dws.totals WHERE dt IN ('2026-11-16', '2026-11-17') GROUP BY dt ORDER BY dt")
    world.checks.equal("IN reads two days at once", [(r["dt"], r["n"]) for r in both], [("2026-11-16", 2), ("2026-11-17", 2)])
    both = project.rows("SELECT dt, COUNT(*) AS n FROM dws.totals WHERE dt BETWEEN '2026-11-16' AND '2026-11-17' GROUP BY dt ORDER BY dt")
    world.checks.equal("BETWEEN too", [(r["dt"], r["n"]) for r in both], [("2026-11-16", 2), ("2026-11-17", 2)])
    none = project.call("query", "SELECT * FROM dws.totals WHERE dt = '2031-01-01'", "-f", "json")
    world.checks.that("an unknown dt has no rows and a warning", none.stdout == "" and "2031-01-01" in none.stderr, f"{none.stdout!r} {none.stderr!r}")


def minutes_apart(world):
    """One table tags at midnight, the other ten minutes later: a day downstream is made of both, each at its own barrier."""
    project, story = two_streams(world, "apart", shops_delay="10 min")
    story.line("shops", "2026-11-16 06:00:00", shop=1, name="one")
    for i in range(5): story.line("sales", f"2026-11-16 1{i}:00:00", id=i, shop=1, amount=1)
    for i in range(5, 15): story.line("sales", f"2026-11-17 00:{i:02d}:00", id=i, shop=1, amount=1)  # past the barrier of sales
    story.line("shops", "2026-11-17 00:05:00", shop=1, name="renamed before its barrier")
    story.flush()
    project.once()
    world.checks.that("sales are tagged", "2026-11-16" in project.tags("ods.sales"), str(project.tags("ods.sales")))
    world.checks.that("shops are not yet", "2026-11-16" not in project.tags("ods.shops"), str(project.tags("ods.shops")))
    world.checks.that("what is downstream waits for both", "2026-11-16" not in project.tags("dwd.joined"), str(project.tags("dwd.joined")))
    story.line("shops", "2026-11-17 00:10:00", shop=1, name="renamed at its barrier")
    story.line("sales", "2026-11-17 00:20:00", id=15, shop=1, amount=1)
    story.flush()
    project.once()
    for table in ("ods.shops", "dwd.joined", "dws.totals"): world.checks.that(f"now {table} is tagged", "2026-11-16" in project.tags(table), str(project.tags(table)))
    world.checks.equal("the day is made of both barriers", project.rows("SELECT shop, sales, amount, name FROM dws.totals WHERE dt = '2026-11-16'"),
                       [dict(shop=1, sales=5, amount=5, name="renamed before its barrier")])
    world.checks.equal("and now is now", project.rows("SELECT shop, sales, amount, name FROM dws.totals"), [dict(shop=1, sales=16, amount=16, name="renamed at its barrier")])


def hourly_and_daily(world):
    """An hourly table with a daily one: their common period is the day, and its barrier is the hour that ends it."""
    project, story = two_streams(world, "hourly", sales=", 'tag.creation-period' = 'hourly'")
    story.line("shops", "2026-11-16 00:00:00", shop=1, name="one")
    for hour in range(0, 24, 2): story.line("sales", f"2026-11-16 {hour:02d}:30:00", id=hour, shop=1, amount=hour)
    story.line("sales", "2026-11-17 00:30:00", id=100, shop=1, amount=100)
    story.line("sales", "2026-11-17 02:30:00", id=101, shop=1, amount=100)
    story.line("shops", "2026-11-17 03:00:00", shop=1, name="renamed")
    story.flush()
    project.once()
    hours = sorted(project.tags("ods.sales"))
    world.checks.that("sales have hourly tags", {"2026-11-16 10", "2026-11-16 23", "2026-11-17 00"} <= set(hours), str(hours))
    for table in ("dwd.joined", "dws.totals"):
        tags = {tag for tag in project.tags(table) if tag >= "2026-11-16"}
        world.checks.equal(f"{table} has daily ones", tags, {"2026-11-16"})
    world.checks.equal("the day holds the day", project.rows("SELECT shop, sales, amount, name FROM dws.totals WHERE dt = '2026-11-16'"),
                       [dict(shop=1, sales=12, amount=sum(range(0, 24, 2)), name="one")])
    world.checks.equal("an hour of ODS holds its hour", project.value("SELECT COUNT(*) AS n FROM ods.sales WHERE dt = '2026-11-16 10'"), 6)


def random_days(world):
    """Random arrivals, random files, runs and kills between: every day on every layer is the recomputation at its barrier."""
    project, story = two_streams(world, "random", sales_delay="2 h", shops_delay="30 min")
    chance, clock = world.random, {"sales": 0, "shops": 0}
    arrivals = {"sales": [], "shops": []}
    start, days = datetime.datetime(2026, 11, 16), 3
    def instant(minutes): return (start + datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M:%S")
    for step in range(60 if world.quick else 400):
        for stream in clock:
            clock[stream] += chance.uniform(0, 2) * days * 1440 * 1.1 / (60 if world.quick else 400)
            for _ in range(chance.randrange(4)):
                minutes = clock[stream] - (chance.uniform(0, 600) if chance.random() < 0.2 else 0)
                row = dict(id=chance.randrange(30), shop=chance.randrange(4), amount=chance.randrange(100)) if stream == "sales" else dict(shop=chance.randrange(4), name=f"name {step}")
                arrivals[stream].append((minutes // 1, row))
                story.line(stream, instant(minutes // 1), **row)
        if chance.random() < 0.4: story.flush()
        if chance.random() < 0.15: project.once()
    story.flush()
    project.once()
    delays, keys = {"sales": 120, "shops": 30}, {"sales": "id", "shops": "shop"}
    def state(stream, day):
        rows, reached = {}, -1e9
        for minutes, row in arrivals[stream]:
            reached = max(reached, minutes)
            if day is not None and reached >= (day + 1) * 1440 + delays[stream]: break
            rows[row[keys[stream]]] = row
        return rows
    def over(stream, day): return any(minutes >= (day + 1) * 1440 + delays[stream] for minutes, _ in arrivals[stream])
    for day in [None, *range(days + 1)]:
        name = None if day is None else str((start + datetime.timedelta(days=day)).date())
        if day is not None and not all(over(stream, day) for stream in clock):
            world.checks.that(f"{name} is not over downstream", name not in project.tags("dws.totals"), str(project.tags("dws.totals")))
            continue
        sales, shops = state("sales", day), state("shops", day)
        joined = sorted((r["id"], r["shop"], shops[r["shop"]]["name"], r["amount"]) for r in sales.values() if r["shop"] in shops)
        where = "" if name is None else f"WHERE dt = '{name}'"
        found = project.rows(f"SELECT id, shop, name, amount FROM dwd.joined {where} ORDER BY id")
        world.checks.equal(f"joined {name or 'now'}", [(r["id"], r["shop"], r["name"], r["amount"]) for r in found], joined)
        totals = {}
        for _, shop, label, amount in joined:
            n, a, _ = totals.get(shop, (0, 0, ""))
            totals[shop] = (n + 1, a + amount, label)
        found = project.rows(f"SELECT shop, sales, amount, name FROM dws.totals {where} ORDER BY shop")
        world.checks.equal(f"totals {name or 'now'}", [(r["shop"], r["sales"], r["amount"], r["name"]) for r in found], [(s, *totals[s]) for s in sorted(totals)])


def by_the_clock(world):
    """Process-time tags come on time without data, and those missed while nothing ran are made up before anything is read."""
    project = world.project("clock")
    project.write("terrace.conf", "layers: ods, dwd\n")
    project.spec("ods.ticks", """CREATE TEMPORARY TABLE lines (id BIGINT NOT NULL) WITH ('connector' = 'filesystem', 'path' = 'input/ticks', 'format' = 'json');
CREATE TABLE ticks (id BIGINT NOT NULL, PRIMARY KEY (id) NOT ENFORCED) WITH (
  'bucket' = '1', 'tag.automatic-creation' = 'process-time', 'tag.creation-period-duration' = '2 s', 'tag.automatic-completion' = 'true', 'metastore.tag-to-partition' = 'dt');
INSERT INTO ticks SELECT id FROM lines;
""")
    project.spec("dwd.counted", """CREATE MATERIALIZED TABLE counted (PRIMARY KEY (k) NOT ENFORCED) WITH ('bucket' = '1', 'metastore.tag-to-partition' = 'dt')
FRESHNESS = INTERVAL '1' SECOND AS SELECT MOD(id, 2) AS k, COUNT(*) AS n FROM ods.ticks GROUP BY MOD(id, 2);
""")
    project.add("input/ticks/1.json", "".join(f'{{"id": {i}}}\n' for i in range(10)))
    process = project.start()
    project.wait("three tags of ods.ticks without data", lambda: len(project.tags("ods.ticks")) >= 3)
    project.wait("three tags of dwd.counted without data", lambda: len(project.tags("dwd.counted")) >= 3)
    world.checks.equal("SIGTERM ends the run well", project.stop(process), 0)
    seen = set(project.tags("ods.ticks"))
    project.wait("six seconds to pass", lambda stopped=time.monotonic() + 6: time.monotonic() > stopped)
    project.add("input/ticks/2.json", "".join(f'{{"id": {i}}}\n' for i in range(10, 20)))
    project.once()
    made = sorted(set(project.tags("ods.ticks")) - seen)
    world.checks.that("missed tags are made up", len(made) >= 2, f"{sorted(seen)} then {made}")
    counts = [project.value(f"SELECT COUNT(*) AS n FROM ods.ticks WHERE dt = '{tag}'") for tag in made]
    world.checks.that("they hold what was there before the first record was read", counts[:2] == [10, 10], str(dict(zip(made, counts))))


def cost_of_tags(world):
    """Days of which 1 % of the rows change: what ten and a hundred daily tags cost on the disk, beside the table without them."""
    rows, days = (20_000, 10) if world.quick else (200_000, 100)
    project = world.project("cost")
    project.write("terrace.conf", "layers: ods\n")
    project.spec("ods.sales", source("sales", SALES, "id"))
    start = datetime.datetime(2026, 1, 1)
    def line(at, i): return f'{{"id": {i}, "shop": {world.random.randrange(1000)}, "amount": {world.random.randrange(10**9)}, "at": "{at:%Y-%m-%d %H:%M:%S}"}}\n'
    project.add("input/sales/000.json", "".join(line(start, i) for i in range(rows)))
    project.once()
    sizes = {0: folder_bytes(project, "ods.sales")}
    for day in range(1, days + 2):
        at = start + datetime.timedelta(days=day)
        project.add(f"input/sales/{day:03d}.json", "".join(line(at, world.random.randrange(rows)) for _ in range(rows // 100)))
        project.once()
        if day in (10, 100):
            project.call("expire", "ods.sales", "--retain-max", "1", "--retain-min", "1")
            sizes[day] = folder_bytes(project, "ods.sales")
            tags = len([tag for tag in project.tags("ods.sales") if tag >= "2026"])
            world.checks.equal(f"there are {day} tags", tags, day)
            world.checks.that(f"{day} daily tags cost at most {2 if day == 10 else 4} times the table", sizes[day] <= sizes[0] * (2 if day == 10 else 4), str(sizes))
            world.checks.note(f"{day} daily tags of {rows} rows, 1 % changed a day: {sizes[day] / sizes[0]:.2f} times the table's {sizes[0]} bytes")
    world.checks.equal("the first tag is whole", project.value("SELECT COUNT(*) AS n FROM ods.sales WHERE dt = '2026-01-01'"), rows)


def folder_bytes(project, table): return sum(f.stat().st_size for f in project.table_folder(table).rglob("*") if f.is_file())


def for_other_engines(world):
    """The documented view of the metastore leads pypaimon to a partition."""
    project, story = two_streams(world, "view")
    for stream, row in (("sales", dict(id=1, shop=1, amount=5)), ("shops", dict(shop=1, name="one"))):
        story.line(stream, "2026-11-16 12:00:00", **row)
        story.line(stream, "2026-11-17 12:00:00", **{**row, "amount": 6} if stream == "sales" else row)
    story.flush()
    project.once()
    with sqlite3.connect(f"file:{project.folder}/catalog/metastore.db?mode=ro", uri=True) as metastore:
        found = metastore.execute("SELECT tag, snapshot_id, row_count FROM terrace_partitions WHERE table_name = 'dwd.joined' AND column_name = 'dt' AND value = '2026-11-16'").fetchall()
    if not world.checks.that("the view has the partition, once", len(found) == 1, str(found)): return
    tag, snapshot, rows = found[0]
    ours = project.rows("SELECT * FROM dwd.joined WHERE dt = '2026-11-16'")
    world.checks.equal("its rows are counted", rows, len(ours))
    world.checks.equal("pypaimon reads it by snapshot", flow.pypaimon(project, "dwd.joined", snapshot=snapshot).to_pylist(), [{k: v for k, v in r.items() if k != "dt"} for r in ours])
    world.checks.equal("and by tag", flow.pypaimon(project, "dwd.joined", tag=tag).to_pylist(), [{k: v for k, v in r.items() if k != "dt"} for r in ours])
    world.checks.equal("it is the day's", [r["amount"] for r in ours], [5])


TESTS = [late_rows, minutes_apart, hourly_and_daily, random_days, by_the_clock, for_other_engines, cost_of_tags]
