"""Bad input: broken specs, malformed records, a project that is held, files that shrink or vanish, signals."""
import json
import os
import re
import signal
import time

import flow

GOOD = """CREATE TEMPORARY TABLE lines (id BIGINT NOT NULL, v INT, name STRING)
WITH ('connector' = 'filesystem', 'path' = 'input/things', 'format' = 'json'{options});
CREATE TABLE things (id BIGINT NOT NULL, v INT, name STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('bucket' = '1');
INSERT INTO things SELECT id, v, name FROM lines;
"""


def project(world, name, options=""):
    made = world.project(name)
    made.write("terrace.conf", "layers: ods, dwd, dws\n")
    made.spec("ods.things", GOOD.format(options=options))
    (made.folder / "input/things").mkdir(parents=True)
    return made


def numbers_named(value, word):
    """Every number under a key that contains the word, wherever in a JSON document."""
    if isinstance(value, dict):
        return [n for k, v in value.items() for n in ([v] if word in k.lower() and isinstance(v, (int, float)) else numbers_named(v, word))]
    return [n for v in value for n in numbers_named(v, word)] if isinstance(value, list) else []


def malformed_records(world):
    """They lie in the dead letters with bytes, place and reason; what is well is not held up; `status` counts them."""
    made = project(world, "malformed")
    bad = ['{"id": 2, "v": ', "nonsense", '{"id": "x", "v": 1}', '{"v": 5, "name": "no id"}', '{"id": 7, "v": 99999999999}']
    lines = ['{"id": 1, "v": 1, "name": "one"}', *bad[:3], '{"id": 3, "v": 3, "name": "drei ü"}', *bad[3:], '{"id": 4}']
    made.add("input/things/a.json", "\n".join(lines) + "\n")
    made.once()
    world.checks.equal("good rows", made.rows("SELECT * FROM ods.things ORDER BY id"),
                       [dict(id=1, v=1, name="one"), dict(id=3, v=3, name="drei ü"), dict(id=4, v=None, name=None)])
    letters = made.rows("SELECT * FROM dead_letters.ods_things")
    import pipeline
    world.checks.equal("the raw bytes", sorted(pipeline.letter_bytes(row) for row in letters), sorted(bad))
    places = sorted(re.search(r"a\.json:(\d+)", json.dumps(row))[1] for row in letters if re.search(r"a\.json:(\d+)", json.dumps(row)))
    world.checks.equal("where each stood", places, sorted(str(lines.index(b) + 1) for b in bad))
    world.checks.that("each has a reason", all(row.get("reason") for row in letters), str(letters))
    world.checks.that("status counts them", len(bad) in numbers_named(made.status(), "dead"), json.dumps(made.status())[:800])
    made.add("input/things/b.json", "worse\n")
    made.once()
    world.checks.equal("one more after another run", made.value("SELECT COUNT(*) AS n FROM dead_letters.ods_things"), len(bad) + 1)


def malformed_fail(world):
    """'on-error' = 'fail' stops the job, says where, and takes nothing of the epoch."""
    made = project(world, "fail", ", 'on-error' = 'fail'")
    made.add("input/things/a.json", '{"id": 1}\nnonsense\n{"id": 2}\n')
    done = made.once(code=1)
    world.checks.that("the place is said", "a.json:2" in done.stderr.replace("line 2", "a.json:2") and "a.json" in done.stderr, done.stderr)
    world.checks.equal("nothing behind the bad record was taken", [r["id"] for r in made.rows("SELECT id FROM ods.things WHERE id = 2")] if made.latest("ods.things") else [], [])


def malformed_skip(world):
    """'on-error' = 'skip' drops the record and counts it."""
    made = project(world, "skip", ", 'on-error' = 'skip'")
    made.add("input/things/a.json", '{"id": 1}\nnonsense\n{"id": 2}\n')
    made.once()
    world.checks.equal("good rows", [r["id"] for r in made.rows("SELECT id FROM ods.things ORDER BY id")], [1, 2])
    world.checks.that("the skipped one is counted", 1 in numbers_named(made.status(), "skip"), json.dumps(made.status())[:800])


def second_run(world):
    """One project, one run: the second says who holds it, and exits 4; kill -9 of the first frees it."""
    made = project(world, "held")
    first = made.start()
    made.add("input/things/a.json", '{"id": 1}\n')
    made.wait("the first row", lambda: made.latest("ods.things") > 0)
    second = made.once(code=4)
    world.checks.that("who holds it", str(first.pid) in second.stderr, second.stderr)
    world.checks.that("queries go on beside it", made.value("SELECT COUNT(*) AS n FROM ods.things") == 1)
    flow.kill(first)
    made.once()
    world.checks.equal("SIGTERM ends the next run well", made.stop(started(made)), 0)


def started(made):
    """A run that has come so far that it holds the project."""
    process = made.start()
    made.wait("the run to hold the project", lambda: made.status()["running"] or process.poll() is not None)
    return process


def signals(world):
    """SIGTERM and SIGINT commit what was read, and leave cleanly."""
    for number, allowed in ((signal.SIGTERM, [0]), (signal.SIGINT, [0, 130])):
        made = project(world, f"signal{number}")
        process = made.start()
        made.add("input/things/a.json", "".join(f'{{"id": {i}}}\n' for i in range(1000)))
        made.wait("rows", lambda: made.latest("ods.things") > 0)
        process.send_signal(number)
        code = process.wait(timeout=30)
        world.checks.that(f"{signal.Signals(number).name} ends the run well", code in allowed, f"exit {code}: {made.log_end()}")
        made.once()
        world.checks.equal("all is there once, what was committed and what was left", made.value("SELECT COUNT(*) AS n FROM ods.things"), 1000)


def shrinking_file(world):
    """A file that was read and is now shorter, or gone, is said by name; what was read stays, once."""
    made = project(world, "shrink")
    a = made.add("input/things/a.json", "".join(f'{{"id": {i}}}\n' for i in range(100)))
    b = made.add("input/things/b.json", "".join(f'{{"id": {i}}}\n' for i in range(100, 200)))
    made.once()
    os.truncate(a, 50)
    b.unlink()
    made.add("input/things/c.json", '{"id": 1000}\n')
    done = made.once(code=None)
    said = done.stdout + done.stderr + json.dumps(made.status())
    world.checks.that("the file that shrank is named", "a.json" in said, said[:1500])
    world.checks.that("the file that vanished is named", "b.json" in said, said[:1500])
    world.checks.equal("what was read stays", made.value("SELECT COUNT(*) AS n FROM ods.things WHERE id < 200"), 200)


def half_lines(world):
    """A line counts when it ends; at --end-of-input the last one counts as well."""
    made = project(world, "half")
    (made.folder / "input/things/a.json").write_text('{"id": 1}\n{"id": 2')
    made.once()
    world.checks.equal("a line without its end is not read", [r["id"] for r in made.rows("SELECT id FROM ods.things")], [1])
    with open(made.folder / "input/things/a.json", "a") as file: file.write('2}\n{"id": 3}')
    made.once()
    world.checks.equal("then it is, whole", sorted(r["id"] for r in made.rows("SELECT id FROM ods.things")), [1, 22])
    made.once("--end-of-input")
    world.checks.equal("the end of input ends the line", sorted(r["id"] for r in made.rows("SELECT id FROM ods.things")), [1, 3, 22])


TESTS = [malformed_records, malformed_fail, malformed_skip, second_run, signals, half_lines, shrinking_file]
