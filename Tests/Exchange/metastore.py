"""One SQLite file for all: Paimon's JDBC catalogs list and read our tables, and other engines find dt = T through the view."""
import json
import shutil
import sqlite3
import subprocess

from canonical import BIGINT, STRING
from readers import Failure, typed

COLUMNS = [("id", BIGINT), ("shop", STRING), ("amount", BIGINT)]
TABLE = "ads.totals"


class Project:
    """A folder with a warehouse and a metastore."""

    def __init__(self, world):
        self.binary, self.folder = world.terrace.binary, world.scratch / "project"
        self.warehouse, self.file = self.folder / "warehouse", self.folder / "catalog/metastore.db"
        self.warehouse.mkdir(parents=True)

    def run(self, *words):
        done = subprocess.run([self.binary, *words, "-C", str(self.folder)], stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
        if done.returncode != 0: raise Failure(f"terrace {' '.join(words)}: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode()

    def partitions(self, table=TABLE):
        """What another engine asks: value → (tag, snapshot id)."""
        with sqlite3.connect(f"file:{self.file}?mode=ro", uri=True) as view:
            rows = view.execute("SELECT column_name, value, tag, snapshot_id FROM terrace_partitions WHERE table_name = ?", [table]).fetchall()
        assert all(column == "dt" for column, *_ in rows), rows
        return {value: (tag, snapshot) for _, value, tag, snapshot in rows}


def exchange(world):
    checks, project = world.checks, Project(world)
    project.run("repair")
    for database in ("ads", "ods"): project.run("db", "create", database)
    project.run("table", "create", TABLE, "--columns", "id BIGINT NOT NULL, shop STRING, amount BIGINT", "--primary-key", "id",
                "-o", "bucket=2", "-o", "metastore.tag-to-partition=dt")
    project.run("table", "create", "ods.empty", "--columns", "id BIGINT")
    days = tell(world, project)
    read_through_the_view(world, project, days)
    jdbc(world, project, days)
    # Snapshots go, tags stay.
    project.run("expire", TABLE, "--retain-max", "1", "--retain-min", "1")
    read_through_the_view(world, project, days, by_snapshot=False)
    gone = sorted(days)[0]
    project.run("tag", "delete", TABLE, gone)
    days.pop(gone)
    checks.that("metastore: a deleted tag is no partition", set(project.partitions()) == set(days))
    others_and_repair(world, project, days)


def tell(world, project):
    """Days of changes, each with a tag at its end; returns the rows of each day, and leaves newer ones in the table."""
    days, rows = {}, {}
    for day in range(15, 20):
        for turn in range(2):
            changed = {world.random.randrange(200): None for _ in range(60)}
            for key in changed: rows[key] = {"id": key, "shop": f"shop {world.random.randrange(9)}", "amount": world.random.randrange(10**12)}
            file = project.folder / f"{day}-{turn}.jsonl"
            file.write_text("".join(json.dumps(rows[key]) + "\n" for key in changed))
            project.run("table", "import", TABLE, str(file))
        if day < 19:
            project.run("tag", "create", TABLE, f"2026-11-{day}")
            days[f"2026-11-{day}"] = list(map(dict, rows.values()))
    return days


def read_through_the_view(world, project, days, by_snapshot=True):
    checks, partitions = world.checks, project.partitions()
    checks.that("metastore: the view has every day", set(partitions) == set(days))
    for value, (tag, snapshot) in partitions.items():
        for reader in world.readers:
            at = {"snapshot": snapshot} if by_snapshot else {"tag": tag}
            checks.equal(f"dt = {value} by {reader.name} at {at}", days[value], reader.read(project.warehouse, TABLE, COLUMNS, **at))
        rows = [json.loads(line) for line in project.run("query", f"SELECT id, shop, amount FROM {TABLE} WHERE dt = '{value}'", "-f", "json").splitlines()]
        checks.equal(f"dt = {value} by terrace query", days[value], [typed(row, COLUMNS) for row in rows])


def jdbc(world, project, days):
    """Java Paimon's and pypaimon's own JDBC catalogs on our file, and Java's table in it."""
    checks = world.checks
    named = {TABLE, "ods.empty"}
    checks.that("metastore: Java's JDBC catalog lists the tables", set(world.java.ask("jdbc-tables", project.warehouse, project.file)) == named)
    for value, (tag, _) in project.partitions().items():
        rows = world.java.ask("jdbc-read", project.warehouse, project.file, TABLE, f"scan.tag-name={tag}")
        checks.equal(f"dt = {value} by Java's JDBC catalog", days[value], [typed(json.loads(row), COLUMNS) for row in rows])
    from pypaimon import CatalogFactory
    catalog = CatalogFactory.create({"metastore": "jdbc", "uri": f"jdbc:sqlite:{project.file}", "warehouse": str(project.warehouse)})
    found = {f"{database}.{table}" for database in catalog.list_databases() for table in catalog.list_tables(database)}
    checks.that(f"metastore: pypaimon's JDBC catalog lists the tables, not {found}", found == named)
    world.java.ask("jdbc-create", project.warehouse, project.file, "java.t")
    listed = project.run("repair", "-f", "json")
    checks.that(f"metastore: a table that Java made needs no repair: {listed}", listed == "")
    with sqlite3.connect(project.file) as view:
        checks.that("metastore: Java's table stands in the file", view.execute(
            "SELECT count(*) FROM paimon_tables WHERE catalog_key = 'jdbc' AND database_name = 'java' AND table_name = 't'").fetchone() == (1,))


def others_and_repair(world, project, days):
    """Another engine's tag becomes a partition; a deleted metastore comes back."""
    checks = world.checks
    table = world.readers[1].open(project.warehouse, TABLE)
    table.create_tag("by pypaimon")
    project.run("tag", "sync", TABLE)
    checks.that("metastore: a foreign tag is a partition after tag sync", "by pypaimon" in project.partitions())
    before = project.partitions()
    for suffix in ("", "-wal", "-shm"): (project.file.parent / (project.file.name + suffix)).unlink(missing_ok=True)
    told = [json.loads(line) for line in project.run("repair", "-f", "json").splitlines()]
    checks.that(f"metastore: repair tells what it did: {told}", {"kind": "table", "change": "added", "name": TABLE} in told)
    checks.that("metastore: repair brings the partitions back", project.partitions() == before and set(days) < set(before))
    checks.that("metastore: nothing is left to repair", project.run("repair", "-f", "json") == "")
    shutil.rmtree(project.folder)
