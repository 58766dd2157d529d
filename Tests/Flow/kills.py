"""kill -9 at random moments of a running pipeline, again and again: nothing lost, nothing twice, nothing goes back.

`make torture-flow COUNT=100` is the campaign; its short form runs with the other tests.
"""
import pathlib
import sys
import threading
import time

import flow
import pipeline

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "Exchange"))
import fsck  # noqa: E402 (the independent look for missing files)

TABLES = list(pipeline.SPECS)


class Feeder(threading.Thread):
    """Adds source files all the time, at random distances, until it is stopped."""

    def __init__(self, feed, random):
        super().__init__(daemon=True)
        self.feed, self.random, self.halt, self.error = feed, random, threading.Event(), None

    def run(self):
        try:
            while not self.halt.wait(self.random.uniform(0.01, 0.25)): self.feed.add(self.random.choice([5, 50, 200, 600]))
        except Exception as error:
            self.error = error


def identity(project, table, number):
    """What makes a snapshot this one and no other."""
    try: snapshot = project.snapshot(table, number)
    except FileNotFoundError: return None
    return snapshot["commitUser"], snapshot["commitIdentifier"], snapshot["commitKind"], snapshot["timeMillis"]


def campaign(world):
    kills = world.rounds or (8 if world.quick else 100)
    project = world.project("kills")
    pipeline.write(project)
    feed = pipeline.Feed(project, world.random)
    feed.add(400)
    project.apply()
    feeder = Feeder(feed, __import__("random").Random(world.random.random()))
    feeder.start()
    newest, moved, early = {table: (0, None) for table in TABLES}, 0, 0
    process = project.start()
    for number in range(kills):
        # Some die while they recover, most in the middle of epochs.
        time.sleep(world.random.choice([world.random.uniform(0, 0.3), world.random.uniform(0.2, 1.5), world.random.uniform(0.2, 1.5)]))
        if not world.checks.that(f"the run was alive before kill {number + 1}", process.poll() is None, f"exit {process.returncode}: {project.log_end()}"): return
        flow.kill(process)
        for table in TABLES:
            before, known = newest[table]
            now = project.latest(table)
            if now < before or (before and identity(project, table, before) not in (known, None)):
                world.checks.that(f"snapshots of {table} never go back", False, f"snapshot {before} was {known}, now {now} is the newest, {before} is {identity(project, table, before)}, after kill {number + 1}")
            moved += now > before
            newest[table] = (now, identity(project, table, now) if now else None)
        process = project.start()
    feeder.halt.set()
    feeder.join()
    if feeder.error: raise feeder.error
    world.checks.that("the pipeline moved between kills", moved > kills, f"{moved} times a table had new snapshots")
    project.wait("the run to hold the project", lambda: project.status()["running"])
    world.checks.equal("SIGTERM ends the run well", project.stop(process), 0)
    project.once()
    sources = next(job for job in project.status()["jobs"] if job["name"] == "dwd.sales_wide")["counters"]["sources"]
    world.checks.equal("a source table played the state of the join, the other side's was kept", {name: entry.get("playsState", False) for name, entry in sources.items()}, {"ods.items": True, "ods.sales": False})
    world.checks.note(f"{kills} kills, {feed.files} times files, {sum(feed.records.values())} records, {sum(n for n, _ in newest.values())} snapshots, {len(feed.bad)} malformed")
    pipeline.check(world, project, feed, f"after {kills} kills")
    for table in TABLES:
        problems = fsck.problems(project.table_folder(table))
        world.checks.that(f"no file of {table} is missing", not problems, str(problems[:3]))


TESTS = [campaign]
