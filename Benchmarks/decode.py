"""JSON from a file's bytes to columns on one thread, beside DuckDB's read_json and simdjson's parse: decode.py --decodebench BINARY --simdjson BINARY.

README.md in this folder explains the figures. Progress goes to stderr, figures to stdout.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

import duckdb

BYTES = int(os.environ.get("BENCH_BYTES", 200_000_000))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 5))
REPEATS = "4"
ONLY = [word for word in os.environ.get("BENCH_ONLY", "").split(",") if word]
WORDS = "alder birch cedar elder hazel holly larch maple rowan willow".split()


def say(*words): print("bench:", *words, file=sys.stderr, flush=True)


def seven(random, number, text):
    return {"name": f"name-{number:08d}", "id": random.randrange(1 << 31), "name1": f"{WORDS[number % 10]}-{random.randrange(1000)}",
            "num_dou": round(random.uniform(-1e6, 1e6), 6), "num_float": round(random.random(), 4), "num_int": random.randrange(-1000, 100000), "stringmessages": text}


def narrow(random, number): return seven(random, number, WORDS[random.randrange(10)])
def kilobyte(random, number): return seven(random, number, "".join(random.choices("abcdefghijklmnopqrstuvwxyz ABCDEF0123456789", k=40)) * 21)


def written(random, number):
    return {"id": number, "name": f"表格{number % 1000} – 名稱 {WORDS[number % 10]}", "note": "said \"%s\"\nand left\t§ %d" % (WORDS[random.randrange(10)], number),
            "path": "C:\\files\\%s\\%d" % (WORDS[random.randrange(10)], number), "city": random.choice(["Zürich", "København", "Αθήνα", "東京", "Bern"])}


def order(random, number, state):
    return {"order_id": number, "customer_id": random.randrange(100000), "status": state, "amount": "%.2f" % random.uniform(1, 5000), "currency": "EUR",
            "created_at": "2026-03-%02d %02d:%02d:%02d" % (1 + number % 28, number % 24, number % 60, number % 60), "quantity": random.randrange(100), "comment": " ".join(random.choices(WORDS, k=4))}


def change(random, number):
    before = None if number % 3 == 0 else order(random, number, "new")
    return {"before": before, "after": order(random, number, "paid"), "source": {"version": "2.7.0", "connector": "postgresql", "name": "shop", "ts_ms": 1770000000000 + number, "db": "shop",
            "schema": "public", "table": "orders", "txId": number, "lsn": 24023128 + number}, "op": "u" if before else "c", "ts_ms": 1770000000100 + number}


def nested(random, number):
    return {"id": number, "customer": {"name": f"name-{number}", "address": {"street": f"{number % 200} {WORDS[number % 10]} street", "city": "Bern", "zip": 3000 + number % 100}},
            "lines": [{"sku": f"sku-{random.randrange(5000)}", "quantity": random.randrange(1, 9), "price": round(random.uniform(1, 99), 2)} for _ in range(random.randrange(1, 6))],
            "tags": random.sample(WORDS, 3), "labels": {word: random.choice(WORDS) for word in random.sample(WORDS, 2)}}


def wide(random, number): return {f"column_{c:02d}": random.randrange(1 << 40) if c % 4 == 0 else round(random.uniform(0, 1e4), 3) if c % 4 == 1 else WORDS[random.randrange(10)] if c % 4 == 2 else number % 2 == 0 for c in range(40)}


SEVEN = [("name", "STRING", "VARCHAR"), ("id", "INT", "INTEGER"), ("name1", "STRING", "VARCHAR"), ("num_dou", "DOUBLE", "DOUBLE"), ("num_float", "DOUBLE", "DOUBLE"), ("num_int", "INT", "INTEGER"),
         ("stringmessages", "STRING", "VARCHAR")]
ORDER = [("order_id", "BIGINT", "BIGINT"), ("customer_id", "BIGINT", "BIGINT"), ("status", "STRING", "VARCHAR"), ("amount", "DECIMAL(12, 2)", "DECIMAL(12, 2)"), ("currency", "STRING", "VARCHAR"),
         ("created_at", "TIMESTAMP(3)", "TIMESTAMP"), ("quantity", "INT", "INTEGER"), ("comment", "STRING", "VARCHAR")]
IMAGE = "STRUCT(" + ", ".join(f"{name} {type}" for name, _, type in ORDER) + ")"
WIDE = [(f"column_{c:02d}", ("BIGINT", "DOUBLE", "STRING", "BOOLEAN")[c % 4], ("BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN")[c % 4]) for c in range(40)]
# Name: a record, the format, our columns (name, type, DuckDB's type), DuckDB's columns where they are others.
SHAPES = {
    "seven narrow columns": (narrow, "json", SEVEN, None),
    "records of 1 KB": (kilobyte, "json", SEVEN, None),
    "three of seven columns, 1 KB": (kilobyte, "json", [SEVEN[0], SEVEN[1], SEVEN[2]], None),
    "escapes and other scripts": (written, "json", [("id", "BIGINT", "BIGINT")] + [(name, "STRING", "VARCHAR") for name in ("name", "note", "path", "city")], None),
    "forty columns": (wide, "json", WIDE, None),
    "nested": (nested, "json", [("id", "BIGINT", "BIGINT"), ("customer", "ROW<name STRING, address ROW<street STRING, city STRING, zip INT>>", "STRUCT(name VARCHAR, address STRUCT(street VARCHAR, city VARCHAR, zip INTEGER))"),
        ("lines", "ARRAY<ROW<sku STRING, quantity INT, price DOUBLE>>", "STRUCT(sku VARCHAR, quantity INTEGER, price DOUBLE)[]"), ("tags", "ARRAY<STRING>", "VARCHAR[]"), ("labels", "MAP<STRING, STRING>", "MAP(VARCHAR, VARCHAR)")], None),
    "debezium-json": (change, "debezium-json", ORDER, [("before", IMAGE), ("after", IMAGE), ("op", "VARCHAR"), ("ts_ms", "BIGINT")]),
}


def generate(path, record):
    chance, number, size = random.Random(7), 0, 0
    with open(path, "wb") as file:
        # Making records is slow: a tenth is made, and written ten times.
        block = []
        while size < BYTES / 10:
            line = json.dumps(record(chance, number), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            block.append(line)
            size, number = size + len(line), number + 1
        for _ in range(10): file.writelines(block)
    return number * 10


def output(*words):
    """The fields of the line that a program prints."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode: raise RuntimeError(f"{words[0]}: {done.stderr}")
    return done.stdout.split()


def ours(binary, path, format, columns):
    words = [word for name, type, _ in columns for word in (name, type)]
    if format != "json": words += ["--key", columns[0][0]]
    took, rows = output(binary, path, format, REPEATS, *words)
    return float(took), int(rows)


def duck(path, columns):
    """Seconds of counting every column's values, so that all are decoded and none is kept."""
    link = duckdb.connect(config={"threads": 1})
    types = "{" + ", ".join(f"'{name}': '{type}'" for name, type in columns) + "}"
    query = "SELECT COUNT(*), " + ", ".join(f"COUNT({name})" for name, _ in columns) + f" FROM read_json('{path}', format = 'newline_delimited', columns = {types})"
    started = os.times().user
    for _ in range(int(REPEATS)): rows = link.sql(query).fetchall()[0][0]
    return (os.times().user - started) / int(REPEATS), rows


def simdjson(binary, path):
    took, rows, kernel = output(binary, path, REPEATS)
    return float(took), int(rows), kernel


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--decodebench", required=True)
    arguments.add_argument("--simdjson", required=True)
    arguments = arguments.parse_args()
    print("name\tours MB/s\tDuckDB MB/s\tsimdjson MB/s\tours/DuckDB\tsimdjson/ours\tgoal")
    with tempfile.TemporaryDirectory(prefix="terrace-bench-") as folder:
        for name, (record, format, columns, other) in SHAPES.items():
            if ONLY and not any(word in name for word in ONLY): continue
            path = pathlib.Path(folder) / "records.json"
            rows = generate(path, record)
            size = path.stat().st_size
            say(f"{name}: {rows} records of {size / rows:.0f} bytes")
            found = {"ours": [], "duck": [], "simd": []}
            for _ in range(ROUNDS):
                took, count = ours(arguments.decodebench, path, format, columns)
                if count != rows: raise RuntimeError(f"{count} rows of {rows}")
                found["ours"].append(took)
                took, count = duck(path, other or [(name, type) for name, _, type in columns])
                if count != rows: raise RuntimeError(f"DuckDB: {count} rows of {rows}")
                found["duck"].append(took)
                took, count, kernel = simdjson(arguments.simdjson, path)
                if count != rows: raise RuntimeError(f"simdjson: {count} rows of {rows}")
                found["simd"].append(took)
            mine, theirs, parse = (statistics.median(found[who]) for who in ("ours", "duck", "simd"))
            good = "met" if theirs / mine >= 2 or mine / parse <= 1.3 else "missed"
            print(name, *(f"{size / took / 1e6:.0f}" for took in (mine, theirs, parse)), f"{theirs / mine:.2f}", f"{mine / parse:.2f}", good, sep="\t", flush=True)
            path.unlink()
        say(f"simdjson's kernel: {kernel}")


if __name__ == "__main__":
    main()
