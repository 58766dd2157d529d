"""The example project (the repository's own layers/) over generated changes, against a recomputation by DuckDB and pypaimon's reader."""
import shutil

import flow
import recompute


def project(world, name="shop"):
    made = world.project(name)
    shutil.copytree(flow.REPOSITORY / "layers", made.folder / "layers", ignore=shutil.ignore_patterns("*.md"))
    shutil.copy(flow.REPOSITORY / "terrace.conf", made.folder)
    return made


def generate(made, *words): return made.call("generate", "shop", made.folder / "input", *words)


def compare(world, made, shop, foreign=True):
    """Every table, now and at every tag: ours equals the recomputation, and pypaimon's rows equal ours."""
    tables, checks = flow.Tables(world.checks), world.checks
    tables.duck = shop.duck
    days = shop.days()
    checks.that("the stream ends three days at least", len(days) >= 3, str(days))
    for day in [None, *days]:
        names = shop.compute("r", day)
        for table, columns in recompute.TABLES.items():
            what = f"{table} {'now' if day is None else 'at ' + day}"
            where = "" if day is None else f" WHERE dt = '{day}'"
            listed = ", ".join(f"`{c}`" for c in columns)
            tables.load("ours", made, f"SELECT {listed} FROM {table}{where}", columns)
            tables.same(what, "ours", names[table.split(".")[1]], columns)
            if foreign:
                tables.arrow("foreign_rows", flow.pypaimon(made, table, tag=day), columns)
                tables.same(f"{what}, read by pypaimon", "foreign_rows", "ours", columns)
    for table in recompute.TABLES:
        found = sorted(made.tags(table))
        checks.that(f"{table} has a tag for every day that is over", set(days) <= set(found), f"found {found}, expected {days}")
        checks.that(f"{table} has no tag of a day that is not over", max(found, default="") <= days[-1], f"found {found}")
        shown = made.rows(f"SHOW PARTITIONS {table}")
        checks.that(f"SHOW PARTITIONS {table} names the tags", {f"dt={day}" for day in found} <= {str(v) for row in shown for v in row.values()}, str(shown))
    return days


def recomputed(world):
    """DWD, DWS and ADS equal the recomputation, now and at every tag; more changes leave the tags alone."""
    made = project(world)
    per_day = 6000 if world.quick else 360000
    generate(made, "--seed", world.random.randrange(10**6), "--days", 3, "--changes-per-day", per_day, "--file-changes", max(per_day // 30, 100))
    made.once()
    shop = recompute.Shop(flow.Tables(world.checks).duck, made.folder / "input")
    days = compare(world, made, shop)
    before = {table: made.tags(table) for table in recompute.TABLES}
    frozen = made.call("query", f"SELECT * FROM ads.top_shops WHERE dt = '{days[-1]}' ORDER BY order_date, place").stdout
    generate(made, "--append", "--changes", per_day // 3)
    made.once()
    for table, tags in before.items():
        world.checks.that(f"the tags of {table} stay", tags.items() <= made.tags(table).items(), f"{tags} became {made.tags(table)}")
    after = made.call("query", f"SELECT * FROM ads.top_shops WHERE dt = '{days[-1]}' ORDER BY order_date, place").stdout
    world.checks.equal("the answer on a day that is over stays the same", after, frozen)
    compare(world, made, recompute.Shop(flow.Tables(world.checks).duck, made.folder / "input"), foreign=False)


TESTS = [recomputed]
