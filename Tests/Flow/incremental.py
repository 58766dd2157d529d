"""Changes cost what they are, not what the tables are: an epoch of 100 changed rows over a large join."""
import json

import flow

LEFT = """CREATE TEMPORARY TABLE lines (id INT, name STRING, n INT) WITH ('connector' = 'filesystem', 'path' = 'input/{side}', 'format' = 'json');
CREATE TABLE {side} (id INT NOT NULL, name STRING, n INT, PRIMARY KEY (id) NOT ENFORCED) WITH ('bucket' = '1');
INSERT INTO {side} SELECT id, name, n FROM lines;
"""
JOINED = """CREATE TABLE joined (id INT NOT NULL, a STRING, b STRING, n INT, PRIMARY KEY (id) NOT ENFORCED) WITH ('bucket' = '1');
INSERT INTO joined SELECT a.id, a.name, b.name, a.n + b.n FROM ods.a AS a JOIN ods.b AS b ON a.id = b.id WHERE a.name IS NOT NULL;
"""
# The headline join's shape: streams without keys, whose state is the join's own.
STREAMS = """CREATE TEMPORARY TABLE a (id INT, name STRING, n INT) WITH ('connector' = 'filesystem', 'path' = 'input/a', 'format' = 'json');
CREATE TEMPORARY TABLE b (id INT, name STRING, n INT) WITH ('connector' = 'filesystem', 'path' = 'input/b', 'format' = 'json');
CREATE TABLE streams (id INT, a STRING, b STRING) WITH ('bucket' = '-1');
INSERT INTO streams SELECT a.id, a.name, b.name FROM a JOIN b ON a.id = b.id WHERE a.name IS NOT NULL;
"""
# What an epoch of 100 changed rows may read and write, whatever the size of the tables.
LIMIT = 1 << 20


def lines(ids, version): return "".join(f'{{"id": {i}, "name": "name {i * 7919 % 100000:05d} v{version}", "n": {version}}}\n' for i in ids)


def load(world, name, rows, specs):
    made = world.project(f"{name}-{rows}")
    made.write("terrace.conf", "layers: ods, dwd\n")
    for table, sql in specs.items(): made.spec(table, sql)
    for side in ("a", "b"):
        for part in range(0, rows, 500_000): made.add(f"input/{side}/{part // 500_000:04d}.json", lines(range(part, min(part + 500_000, rows)), 0))
    made.once()
    world.checks.equal(f"{name}, {rows} rows a side: all rows are joined", made.latest(next(reversed(specs))) > 0, True)
    return made


def job(made, name):
    """A job's entry in `status`, by the name of its target."""
    found = [entry for entry in entries(made.status()) if name in (entry.get("name"), entry.get("job"), entry.get("table"))and "bytesRead" in json.dumps(entry)]
    if not found: raise flow.Failure(f"status knows no job {name}: {json.dumps(made.status())[:800]}")
    return found[0]


def entries(value):
    if isinstance(value, dict): return [value, *(e for v in value.values() for e in entries(v))]
    return [e for v in value for e in entries(v)] if isinstance(value, list) else []


def last_epoch(made, name):
    """(rows in, bytes read, bytes written) of a job's last epoch that took something."""
    epoch = next(e["lastEpoch"] for e in entries(job(made, name)) if "lastEpoch" in e)
    return epoch["rowsIn"], epoch["bytesRead"], epoch["bytesWritten"]


def change(made, world, rows, version):
    made.add(f"input/a/9999-{version}.json", lines(sorted(world.random.sample(range(rows), 100)), version))


def compacted(made, name):
    """Bytes that compactions of a job read and wrote in the background, in the last process."""
    found = next(e["compaction"] for e in entries(job(made, name)) if "compaction" in e)
    return found["bytesRead"] + found["bytesWritten"]


def epoch_of_100(world, made, name, rows):
    """Bytes of the epoch that takes 100 changed rows, spread over the keys: the first after a restart, and the second of a run."""
    change(made, world, rows, 1)
    made.once()
    played = {source: entry.get("playsState", False) for source, entry in next(e["counters"] for e in entries(job(made, name)) if "counters" in e)["sources"].items()}
    world.checks.equal(f"{name}: tables play the state of both sides, and streams of none", set(played.values()), {name == "dwd.joined"})
    took, read, written = last_epoch(made, name)
    world.checks.that(f"{name} over {rows} rows: the epoch took the changes", 100 <= took <= 200, f"{took} rows")
    world.checks.that(f"{name} over {rows} rows, after a restart: an epoch of 100 changed rows reads and writes under {LIMIT >> 20} MiB", read + written < LIMIT, f"{read} read, {written} written")
    cold = read + written
    process = made.start()
    for version in (2, 3):
        before = made.latest(name)
        change(made, world, rows, version)
        made.wait("the run to take the changes", lambda: made.latest(name) > before)
    world.checks.equal("SIGTERM ends the run well", made.stop(process), 0)
    took, read, written = last_epoch(made, name)
    world.checks.that(f"{name} over {rows} rows, while running: an epoch of 100 changed rows reads and writes under {LIMIT >> 20} MiB", took and read + written < LIMIT, f"{took} rows, {read} read, {written} written")
    world.checks.note(f"{name}: 100 changes over {rows} rows a side: {cold} bytes read and written after a restart, {read + written} while running; compactions beside it {compacted(made, name)}")
    return cold


def grow(world, name, specs, target):
    """The same epoch over a small and over a large join."""
    small, large = (30_000, 100_000) if world.quick else (300_000, 3_000_000)
    cost = {}
    for rows in (small, large):
        made = load(world, name, rows, specs)
        cost[rows] = epoch_of_100(world, made, target, rows)
        for table in [t for t in specs if t != target and t.endswith(".a")]:
            took, read, written = last_epoch(made, table)
            world.checks.that(f"{table} over {rows} rows: 100 upserts read and write under {LIMIT >> 20} MiB", took and read + written < LIMIT, f"{took} rows, {read} read, {written} written")
        expected = rows + (300 if name == "streams" else 0)
        world.checks.equal(f"{name} over {rows} rows: the answer", made.value(f"SELECT COUNT(*) AS n FROM {target}"), expected)
        if name == "keyed": world.checks.equal("changed rows", made.value(f"SELECT COUNT(*) AS n FROM {target} WHERE n = 3"), 100)
    world.checks.that(f"{name}: {large} rows cost at most twice what {small} cost", cost[large] <= 2 * cost[small], str(cost))


def keyed(world): grow(world, "keyed", {"ods.a": LEFT.format(side="a"), "ods.b": LEFT.format(side="b"), "dwd.joined": JOINED}, "dwd.joined")


def streams(world): grow(world, "streams", {"dwd.streams": STREAMS}, "dwd.streams")


TESTS = [keyed, streams]
