"""Exchange with other engines: what Terrace writes must read equal in pypaimon (Python and Rust) and Java Paimon 0.9, and the other way.

exchange.py --terrace BINARY [--counts quick|full] [--seed N] [--only NAME …]; exits 1 when a comparison fails. The seed is printed.
"""
import argparse
import random
import sys
import time
import traceback

import readers
import tables


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--terrace", required=True)
    arguments.add_argument("--counts", choices=["quick", "full"], default="quick")
    arguments.add_argument("--seed", type=int, default=random.randrange(10**9))
    arguments.add_argument("--only", nargs="*", default=[])
    arguments = arguments.parse_args()
    started = time.monotonic()
    print(f"exchange: {arguments.counts} counts, seed {arguments.seed}", flush=True)
    java = readers.JavaPaimon()
    terrace = readers.Terrace(arguments.terrace)
    world = None
    failures, passed, excepted = [], 0, []
    try:
        for turn in range(1 if arguments.counts == "quick" else 5):
            world = tables.World(terrace, [terrace, readers.PypaimonPython(), readers.PypaimonNative(), java], java,
                                 arguments.seed + turn, 1 if arguments.counts == "quick" else 4)
            for name, table in tables.named():
                if arguments.only and name not in arguments.only: continue
                before, at = world.checks.passed, time.monotonic()
                try:
                    table(world)
                except Exception:
                    world.checks.fail(f"{name}: {traceback.format_exc(limit=6)}")
                print(f"  {name}: {world.checks.passed - before} comparisons, {time.monotonic() - at:.1f} s", flush=True)
            passed, failures, excepted = passed + world.checks.passed, failures + world.checks.failures, world.checks.excepted
    finally:
        java.close()
    for text in excepted: print(f"  not compared: {text}")
    print(f"exchange: {passed} comparisons equal, {len(failures)} failed, seed {arguments.seed}, {time.monotonic() - started:.0f} s", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
