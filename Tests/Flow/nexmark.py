"""NEXMark's queries as layers over the frozen run in Tests/Fixtures/nexmark: in one run, in random batches, and with kills between.

The final rows must be those of duck.py beside the events; expected_counts.tsv holds how many.
"""
import gzip
import json
import shutil
import subprocess
import sys
import time

import flow

EVENTS = flow.REPOSITORY / "Tests/Fixtures/nexmark"
SPECS = flow.REPOSITORY / "Tests/Flow/nexmark"
# What duck.py calls otherwise than the layer.
SHOWN = {"q5": "auction, n, CAST(TIMESTAMPDIFF(SECOND, TIMESTAMP '1970-01-01 00:00:00', window_start) AS BIGINT) * 1000 AS ws"}
COUNTS = dict(line.split("\t") for line in (EVENTS / "expected_counts.tsv").read_text().splitlines())


def expected(folder=EVENTS):
    """Query to its rows, sorted, as duck.py prints them."""
    found = {}
    for query in COUNTS:
        out = subprocess.run([sys.executable, folder / "duck.py", query], capture_output=True, text=True, check=True).stdout
        found[query] = canonical(json.loads(line) for line in out.splitlines())
    return found


def canonical(rows):
    """Rows as sorted text; numbers of both sides as numbers."""
    def plain(value): return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    return sorted(json.dumps({k: plain(v) for k, v in row.items()}, sort_keys=True, ensure_ascii=False) for row in rows)


def decimal(query, row):
    """DECIMAL comes as text; duck.py makes it a number."""
    return {**row, "price": float(row["price"])} if query == "q1" else row


def project(world, name):
    made = world.project(name)
    shutil.copytree(SPECS / "layers", made.folder / "layers")
    shutil.copy(SPECS / "terrace.conf", made.folder)
    for stream in ("person", "auction", "bid"): (made.folder / "input" / stream).mkdir(parents=True)
    return made


def events(share):
    """Stream to lines; `share` of the events of each stream, the first ones."""
    streams = {}
    for stream in ("person", "auction", "bid"):
        with gzip.open(EVENTS / f"{stream}.jsonl.gz", "rb") as file: lines = file.read().splitlines(keepends=True)
        streams[stream] = lines[:int(len(lines) * share)]
    return streams


def check(world, made, rows, what):
    for query in COUNTS:
        try: found = canonical(decimal(query, row) for row in made.rows(f"SELECT {SHOWN.get(query, '*')} FROM ads.{query}"))
        except flow.Failure as error:
            world.checks.that(f"{query} {what}", False, str(error))
            continue
        missing, extra = subtract(rows[query], found), subtract(found, rows[query])
        world.checks.that(f"{query} {what}: {len(rows[query])} rows", not missing and not extra,
                          f"{len(found)} rows, {len(missing)} missing such as {missing[:2]}, {len(extra)} too many such as {extra[:2]}")


def subtract(a, b):
    count = {}
    for x in b: count[x] = count.get(x, 0) + 1
    left = []
    for x in a:
        if count.get(x, 0): count[x] -= 1
        else: left.append(x)
    return left


def reference(world, share):
    """The expected rows of the first `share` of the events."""
    if share == 1:
        rows = expected()
        for query, count in COUNTS.items(): world.checks.equal(f"{query}: DuckDB's rows are as many as frozen", len(rows[query]), int(count))
        return rows
    folder = world.scratch / "events"
    folder.mkdir()
    shutil.copy(EVENTS / "duck.py", folder)
    for stream, lines in events(share).items():
        with gzip.open(folder / f"{stream}.jsonl.gz", "wb", compresslevel=1) as file: file.writelines(lines)
    return expected(folder)


def batches(world, streams, count):
    """The same cut of all streams, at random places: `count` times a dictionary of stream to lines."""
    cuts = [0.0, *sorted(world.random.random() for _ in range(count - 1)), 1.0]
    for a, b in zip(cuts, cuts[1:]):
        yield {stream: lines[int(a * len(lines)):int(b * len(lines))] for stream, lines in streams.items()}


def in_one_run(world):
    share = 0.1 if world.quick else 1
    made, rows = project(world, "one"), reference(world, share)
    for stream, lines in events(share).items():
        made.add(f"input/{stream}/{stream}.jsonl.gz", gzip.compress(b"".join(lines), compresslevel=1))
    made.once("--end-of-input")
    check(world, made, rows, "in one run")


def in_random_batches(world):
    """Batches of files, drained one after the other; then the end of input closes the last windows."""
    share, count = (0.05, 6) if world.quick else (1, 100)
    made, rows = project(world, "batches"), reference(world, share)
    for number, batch in enumerate(batches(world, events(share), count)):
        for stream, lines in batch.items():
            if lines: made.add(f"input/{stream}/{stream}-{number:04d}.jsonl", b"".join(lines))
        made.once()
    made.once("--end-of-input")
    check(world, made, rows, f"in {count} random batches")


def with_kills(world):
    """Files appear while a run goes on that is killed again and again."""
    share, count = (0.05, 6) if world.quick else (1, 100)
    made, rows = project(world, "kills"), reference(world, share)
    made.apply()
    process, kills = made.start(), 0
    for number, batch in enumerate(batches(world, events(share), count)):
        for stream, lines in batch.items():
            if lines: made.add(f"input/{stream}/{stream}-{number:04d}.jsonl", b"".join(lines))
        time.sleep(world.random.uniform(0, 0.5))
        if world.random.random() < 0.5 or number == count - 1:
            time.sleep(world.random.uniform(0, 1))
            world.checks.that("the run was alive when it was killed", process.poll() is None, made.log_end())
            flow.kill(process)
            kills += 1
            process = made.start()
    made.wait("the run to hold the project", lambda: made.status()["running"])
    world.checks.equal("SIGTERM ends the run well", made.stop(process), 0)
    made.once("--end-of-input")
    check(world, made, rows, f"with {kills} kills")


TESTS = [in_one_run, in_random_batches, with_kills]
