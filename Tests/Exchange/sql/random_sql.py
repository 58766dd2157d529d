"""Random queries over random tables, run by `terrace sql` and by DuckDB, whose rows must be the same.

random_sql.py --terrace BINARY [--count QUERIES] [--seed N] [--show]; exits 1 when rows differ or a query is refused. The seed is printed.
"""
import argparse
import collections
import random
import sys
import time

import duckdb

import dialects
import terrace_sql
from queries import Queries

BATCH = 250


def compare(arguments, seed, totals):
    generator = Queries(random.Random(seed))
    tables = generator.tables()
    duck = duckdb.connect()
    for statement in tables: duck.execute(statement.duck)
    queries, wanted = [], []
    while len(queries) < min(BATCH, arguments.count):
        query = generator.query()
        try: rows = duck.execute(query.text.duck).fetchall()
        except duckdb.Error as error:
            # More than one row from a scalar sub-query, an overflow, and what DuckDB cannot bind.
            totals["not run by DuckDB"] += 1
            if arguments.show: print("DuckDB:", str(error)[:300], "\n ", query.text.duck)
            continue
        if len(rows) > 5000: continue
        queries.append(query)
        wanted.append(rows)
    session = terrace_sql.Session(arguments.terrace, 600)
    failures = 0
    try:
        results = session.run([s.flink for s in tables] + [q.text.flink for q in queries])
        for statement, result in zip(tables, results):
            if result is not None: raise RuntimeError(f"{statement.flink}: {result.text}")
        for query, result, rows in zip(queries, results[len(tables):], wanted):
            if isinstance(result, terrace_sql.Failed):
                totals["refused"] += 1
                why = result.text
            else:
                why = dialects.difference([tuple(r) for r in result.rows], rows, query.ordered)
                totals["different" if why else "equal"] += 1
            totals["rows"] += len(rows)
            if why:
                failures += 1
                if failures <= arguments.most: print(f"seed {seed}: {why}\n  {query.text.flink}\n  DuckDB: {query.text.duck}", flush=True)
        if failures:
            print("tables:", *[s.flink + ";" for s in tables], sep="\n  ")
    finally:
        session.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--terrace", required=True)
    parser.add_argument("--count", type=int, default=750)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--most", type=int, default=5)
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    started, totals, seed = time.monotonic(), collections.Counter(), arguments.seed
    print(f"sql: {arguments.count} random queries, seed {seed}", flush=True)
    while totals["equal"] + totals["different"] + totals["refused"] < arguments.count:
        compare(arguments, seed, totals)
        seed += 1
    print(f"sql: {totals['equal']} queries with {totals['rows']} rows equal to DuckDB, {totals['different']} different, {totals['refused']} refused, "
          f"{totals['not run by DuckDB']} not run by DuckDB, {time.monotonic() - started:.0f} s", flush=True)
    return 1 if totals["different"] or totals["refused"] else 0


if __name__ == "__main__":
    sys.exit(main())
