"""The queries of TPC-H and TPC-DS over generated data, against DuckDB's answers.

tpc.py --terrace BINARY [--scale 0.05] [--only h7 ds49 …]; exits 1 when an answer differs. Data and query texts come out of DuckDB's extensions tpch and tpcds
(in the Python of ${TERRACE_PEERS:-~/.cache/terrace-peers}/tpc, see setup-peers). Where the texts use DuckDB's dialect they are put into Flink's.
"""
import argparse
import glob
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import duckdb

TYPES = {"INTEGER": "INT", "VARCHAR": "STRING"}
# Flink: AVG and STDDEV of integers are integers, a grouping column is no alias, names have case, days are intervals.
REWRITES = {
    "h15": [(r"GROUP BY\s+supplier_no", "GROUP BY l_suppkey")],
    "ds49": [(r"\bCATALOG\b", "catalog"), (r"\bcatalog\b(?!')", "catalogue")],
    "ds72": [(r"d1\.d_date \+ 5", "d1.d_date + INTERVAL '5' DAY")],
    **{f"ds{n}": [(r"(?i)(avg|stddev_samp)\(([a-z_0-9]+)\)", r"\1(CAST(\2 AS DOUBLE))")] for n in (7, 22, 26, 27, 39)},
}

# Ours divides decimals exactly, DuckDB as DOUBLE: what is rounded afterwards may differ by one in the last place.
LOOSE = {"ds78": 0.011}


def extension(connection, name):
    found = glob.glob(str(pathlib.Path(sys.prefix) / f"lib/python*/site-packages/duckdb_extension_{name}/**/{name}.duckdb_extension"), recursive=True)
    connection.execute(f"LOAD '{found[0]}'")


def plain(value):
    """Numbers as numbers, whatever their type; times as DuckDB's text."""
    if value is None or isinstance(value, bool): return value
    try: return float(value)
    except ValueError: return str(value).strip()


def rows_equal(a, b, slack):
    def same(x, y): return abs(x - y) <= max(slack, 1e-4 * max(1, abs(x))) if isinstance(x, float) and isinstance(y, float) else x == y
    return len(a) == len(b) and all(len(x) == len(y) and all(map(same, x, y)) for x, y in zip(a, b))


class Suite:
    def __init__(self, terrace, name, generate, scale, scratch):
        self.terrace, self.name, self.warehouse, self.scratch = terrace, name, scratch / f"{name}-warehouse", scratch
        self.duck = duckdb.connect(config={"allow_unsigned_extensions": "true"})
        extension(self.duck, "tpc" + name)
        self.duck.execute(f"CALL {generate}(sf={scale})")
        self.queries = self.duck.execute(f"SELECT query_nr, query FROM tpc{name}_queries()").fetchall()
        self.load()

    def load(self):
        tables = [row[0] for row in self.duck.execute("SHOW TABLES").fetchall()]
        script = "CREATE DATABASE tpc;\n"
        for table in tables:
            columns = self.duck.execute(f"SELECT column_name, column_type FROM (DESCRIBE {table})").fetchall()
            script += f"CREATE TABLE tpc.{table} ({', '.join(f'{name} {TYPES.get(kind, kind)}' for name, kind in columns)}) WITH ('bucket' = '-1');\n"
        self.sql(script)
        for table in tables:
            file = self.scratch / f"{table}.parquet"
            self.duck.execute(f"COPY {table} TO '{file}' (FORMAT parquet)")
            self.run("table", "import", f"tpc.{table}", file)
            file.unlink()

    def run(self, *arguments): return subprocess.run([self.terrace, "--warehouse", self.warehouse, *arguments], capture_output=True, text=True, check=True, timeout=600).stdout

    def sql(self, script):
        file = self.scratch / "script.sql"
        file.write_text(script)
        return self.run("sql", "--file", file, "-f", "json")

    def check(self, only):
        wrong = []
        for number, text in self.queries:
            name = f"{self.name}{number}"
            if only and name not in only: continue
            query = re.sub(r'"([^"]*)"', r"`\1`", text.strip().rstrip(";"))
            query = re.sub(r"(?i)cast\('(\d{4}-\d\d-\d\d)' AS date\)", r"DATE '\1'", query)
            for pattern, replacement in REWRITES.get(name, []): query = re.sub(pattern, replacement, query)
            wanted = [[plain(str(v)) if v is not None else None for v in row] for row in self.duck.execute(text).fetchall()]
            try:
                given = [[plain(v) for v in row] for row in json.loads(self.sql(f"USE tpc;\n{query};").strip().split("\n")[-1])["rows"]]
            except subprocess.CalledProcessError as error:
                wrong.append(f"{name}: {error.stderr.strip()[:300]}")
                continue
            # Rows that ORDER BY does not tell apart come in any order.
            slack = LOOSE.get(name, 0)
            if not rows_equal(given, wanted, slack) and not rows_equal(sorted(given, key=str), sorted(wanted, key=str), slack):
                wrong.append(f"{name}: {len(given)} rows, {len(wanted)} wanted; first {given[:1]}, wanted {wanted[:1]}")
        return wrong


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--terrace", required=True)
    arguments.add_argument("--scale", type=float, default=0.05)
    arguments.add_argument("--only", nargs="*", default=[])
    arguments = arguments.parse_args()
    wrong = []
    for name, generate in (("h", "dbgen"), ("ds", "dsdgen")):
        with tempfile.TemporaryDirectory(prefix="terrace-tpc-") as scratch:
            suite = Suite(arguments.terrace, name, generate, arguments.scale, pathlib.Path(scratch))
            bad = suite.check(set(arguments.only))
            print(f"TPC-{name.upper()}: {len(suite.queries)} queries, {len(bad)} wrong", flush=True)
            wrong += bad
    for line in wrong: print("  " + line)
    return 1 if wrong else 0


if __name__ == "__main__": sys.exit(main())
