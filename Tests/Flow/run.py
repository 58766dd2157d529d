"""Whole pipelines against independent recomputations: run.py --terrace BINARY [--counts quick|full] [--seed N] [--only NAME …].

Each test works in a folder of its own, which is kept when it fails. The seed is printed; exits 1 when a comparison fails.
"""
import argparse
import importlib
import pathlib
import random
import shutil
import sys
import tempfile
import time
import traceback

import flow

TESTS = ["shop", "nexmark", "kills", "repair", "incremental", "barriers", "bad_input"]


def main(tests=TESTS, title="flow"):
    """Runs the TESTS of each module named; `--only` picks modules or single tests."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--terrace", required=True)
    arguments.add_argument("--counts", choices=["quick", "full"], default="quick")
    arguments.add_argument("--seed", type=int, default=random.randrange(10**9))
    arguments.add_argument("--rounds", type=int, help="kills of the campaign")
    arguments.add_argument("--only", nargs="*", default=[])
    arguments = arguments.parse_args()
    started, checks, unknown = time.monotonic(), flow.Checks(), set(arguments.only)
    print(f"{title}: {arguments.counts} counts, seed {arguments.seed}", flush=True)
    for module in tests:
        for test in importlib.import_module(module).TESTS:
            name = f"{module}.{test.__name__}"
            chosen = {word for word in arguments.only if name == word or module == word}
            unknown -= chosen
            if arguments.only and not chosen: continue
            scratch = pathlib.Path(tempfile.mkdtemp(prefix=f"terrace-{title}-{module}-"))
            world = flow.World(pathlib.Path(arguments.terrace).resolve(), scratch, checks, arguments.seed, arguments.counts, name)
            world.rounds = arguments.rounds
            before, failed, at = checks.passed, len(checks.failures), time.monotonic()
            try:
                test(world)
            except Exception:
                checks.that(name, False, traceback.format_exc(limit=6))
            broken = len(checks.failures) > failed
            print(f"  {name}: {checks.passed - before} checks{', FAILED, kept in ' + str(scratch) if broken else ''}, {time.monotonic() - at:.1f} s", flush=True)
            if not broken: shutil.rmtree(scratch, ignore_errors=True)
    for word in sorted(unknown): checks.that(f"no test is called {word}", False)
    print(f"{title}: {checks.passed} checks passed, {len(checks.failures)} failed, seed {arguments.seed}, {time.monotonic() - started:.0f} s", flush=True)
    return 1 if checks.failures else 0


if __name__ == "__main__":
    sys.exit(main())
