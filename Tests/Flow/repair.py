"""What goes on after a loss or a long sleep: the metastore is deleted and repaired; snapshots expire while jobs do not run."""
import flow
import pipeline


def lost_metastore(world):
    project = world.project("repair")
    pipeline.write(project)
    feed = pipeline.Feed(project, world.random)
    for _ in range(4): feed.add(300)
    project.once()
    pipeline.check(world, project, feed, "before the metastore is lost")
    before = {table: project.latest(table) for table in pipeline.SPECS}
    for file in (project.folder / "catalog").iterdir():
        if file.name.startswith("metastore.db"): file.unlink()
    project.call("repair")
    tables = project.rows("SHOW TABLES")
    world.checks.that("repair knows the tables again", {t.split(".")[1] for t in pipeline.SPECS} <= {str(v).split(".")[-1] for row in tables for v in row.values()} or tables == [], str(tables))
    project.once()
    for table, number in before.items():
        world.checks.that(f"{table} was not written again", project.latest(table) <= number + 1, f"snapshot {number} became {project.latest(table)}")
    pipeline.check(world, project, feed, "after repair")
    for _ in range(3): feed.add(300)
    project.once()
    pipeline.check(world, project, feed, "after repair and more changes")


def lost_metastore_with_tags(world):
    """The partitions come back with the tags."""
    project = world.project("tags")
    project.write("terrace.conf", "layers: ods, dwd\n")
    project.spec("ods.events", EVENTS)
    project.spec("dwd.totals", TOTALS)
    project.add("input/events/1.json", "".join(f'{{"id": {i}, "v": {i}, "at": "2026-11-{16 + i // 24:02d} {i % 24:02d}:00:00"}}\n' for i in range(60)))
    project.once()
    shown = project.rows("SHOW PARTITIONS dwd.totals")
    answer = project.rows("SELECT * FROM dwd.totals WHERE dt = '2026-11-16'")
    world.checks.that("there are partitions", len(shown) >= 2, str(shown))
    for file in (project.folder / "catalog").iterdir():
        if file.name.startswith("metastore.db"): file.unlink()
    project.call("repair")
    world.checks.equal("the partitions come back", project.rows("SHOW PARTITIONS dwd.totals"), shown)
    world.checks.equal("and answer as before", project.rows("SELECT * FROM dwd.totals WHERE dt = '2026-11-16'"), answer)


def sleeping_job(world):
    """Jobs that sleep while their sources go on and expire snapshots read on without a gap."""
    project = world.project("sleeping")
    pipeline.write(project)
    feed = pipeline.Feed(project, world.random)
    feed.add(200)
    project.once()
    asleep = {table: project.latest(table) for table in pipeline.SPECS if not table.startswith("ods.")}
    for _ in range(4):
        feed.add(200)
        project.once("--select", "ods.*")
        for table in ("ods.sales", "ods.items", "ods.clicks"): project.call("expire", table, "--retain-max", "1", "--retain-min", "1")
    world.checks.equal("what was not selected slept", {table: project.latest(table) for table in asleep}, asleep)
    project.once()
    pipeline.check(world, project, feed, "after sleeping")
    # Who does not care for the jobs' consumers any more may have the files back.
    for table in ("ods.sales", "ods.items", "ods.clicks"): project.call("expire", table, "--retain-max", "1", "--retain-min", "1")
    project.once()
    pipeline.check(world, project, feed, "after expiring what was read")


EVENTS = """CREATE TEMPORARY TABLE lines (
  id BIGINT NOT NULL, v BIGINT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at`
) WITH ('connector' = 'filesystem', 'path' = 'input/events', 'format' = 'json');
CREATE TABLE events (
  id BIGINT NOT NULL, v BIGINT, `at` TIMESTAMP(3), PRIMARY KEY (id) NOT ENFORCED
) WITH ('bucket' = '1', 'tag.automatic-creation' = 'watermark', 'metastore.tag-to-partition' = 'dt');
INSERT INTO events SELECT id, v, `at` FROM lines;
"""
TOTALS = """CREATE MATERIALIZED TABLE totals (PRIMARY KEY (k) NOT ENFORCED)
WITH ('bucket' = '1', 'metastore.tag-to-partition' = 'dt')
AS SELECT MOD(id, 5) AS k, COUNT(*) AS n, SUM(v) AS v FROM ods.events GROUP BY MOD(id, 5);
"""

TESTS = [lost_metastore, lost_metastore_with_tags, sleeping_job]
