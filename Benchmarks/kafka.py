"""Records of Kafka beside a bare loop of librdkafka over the same mock brokers: kafka.py --terrace BINARY. README.md in this folder explains the figures.

Progress goes to stderr, figures to stdout.
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE.parent / "Tests/Integration/kafka"
ROWS = int(os.environ.get("BENCH_ROWS", 500_000))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 3))
# The mock keeps 5 MB of a partition.
PARTITIONS = 15 * max(1, -(-ROWS * 1000 // (15 * 4_000_000)))

SOURCE = """CREATE TEMPORARY TABLE kafka01 (name STRING, id INTEGER, name1 STRING, num_dou DOUBLE, num_float DOUBLE, num_int INTEGER, stringmessages STRING)
WITH ('connector' = 'kafka', 'topic' = 'rows_1kb', 'properties.bootstrap.servers' = '{servers}', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset');
"""
SPECS = {
    "consume": SOURCE + "CREATE TEMPORARY TABLE nothing (name STRING, id INT, name1 STRING, d DOUBLE, f DOUBLE, n INT, s STRING) WITH ('connector' = 'blackhole');\n"
                        "INSERT INTO nothing SELECT * FROM kafka01;\n",
    "count": SOURCE + "CREATE TABLE t (one INT, n BIGINT, ids BIGINT, PRIMARY KEY (one) NOT ENFORCED);\n"
                      "INSERT INTO t SELECT 1, COUNT(*), SUM(CAST(id AS BIGINT)) FROM kafka01;\n",
}


def say(*words): print("bench:", *words, file=sys.stderr, flush=True)


def measured(command):
    """(seconds, CPU seconds, output) of a command that must succeed."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    took, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode: raise RuntimeError(f"{command}: exit {done.returncode}: {done.stderr[-800:]}")
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def project(terrace, folder, name, servers):
    place = pathlib.Path(folder) / "project"
    shutil.rmtree(place, ignore_errors=True)
    (place / "layers/ods").mkdir(parents=True)
    (place / "terrace.conf").write_text("layers: ods\n")
    (place / "layers/ods/t.sql").write_text(SPECS[name].format(servers=servers))
    subprocess.run([terrace, "-C", place, "apply"], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    return place


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--terrace", required=True)
    terrace = arguments.parse_args().terrace
    with tempfile.TemporaryDirectory(prefix="terrace-bench-") as folder:
        for name in ("mockkafka", "kafkatool"):
            subprocess.run([shutil.which("gcc") or "clang", "-O2", "-o", f"{folder}/{name}", TOOLS / f"{name}.c", "-lrdkafka"], check=True)
        brokers = subprocess.Popen([f"{folder}/mockkafka", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        servers = brokers.stdout.readline().split()[1]
        brokers.stdin.write(f"topic rows_1kb {PARTITIONS}\n")
        brokers.stdin.flush()
        if brokers.stdout.readline().strip() != "ok": raise RuntimeError("the mock brokers make no topic")
        say(f"{ROWS} rows of about 1 KB into {PARTITIONS} partitions")
        measured([f"{folder}/kafkatool", servers, "fill", "rows_1kb", ROWS])
        bare, ours, counted = [], [], []
        for number in range(ROUNDS):
            say(f"round {number + 1} of {ROUNDS}")
            took, cpu, text = measured([f"{folder}/kafkatool", servers, "count", "rows_1kb"])
            if int(text.split()[0]) != ROWS: raise RuntimeError(f"the bare loop took {text}")
            bare.append((took, cpu))
            took, cpu, _ = measured([terrace, "-C", project(terrace, folder, "consume", servers), "run", "--once"])
            ours.append((took, cpu))
            place = project(terrace, folder, "count", servers)
            took, cpu, _ = measured([terrace, "-C", place, "run", "--once"])
            counted.append((took, cpu))
            found = json.loads(measured([terrace, "-C", place, "query", "SELECT n, ids FROM ods.t", "-f", "json"])[2])
            if (found["n"], found["ids"]) != (ROWS, ROWS * (ROWS - 1) // 2): raise RuntimeError(f"counted {found}")
            say(f"  bare {bare[-1]}, ours {ours[-1]}, counted {counted[-1]}")
        brokers.stdin.close()
        brokers.wait()
        def median(values, which): return statistics.median(v[which] for v in values)
        print("name\tours\tpeer\tratio\tgoal")
        for name, mine, which, goal in (("consume JSON beside a bare loop, seconds", ours, 0, 0.8), ("consume JSON beside a bare loop, CPU seconds", ours, 1, 0),
                                        ("count JSON into a table beside a bare loop, seconds", counted, 0, 0)):
            peer = median(bare, which)
            print(name, f"{median(mine, which):.4g}", f"{peer:.4g}", f"{peer / median(mine, which):.4g}", f"{goal:g}", sep="\t")


if __name__ == "__main__":
    main()
