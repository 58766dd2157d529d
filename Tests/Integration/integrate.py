"""Real servers feed `terrace run`, and are killed with it: integrate.py --terrace BINARY [--counts quick|full] [--only NAME …].

Each module here has a list TESTS of functions that take a `World` (see ../Flow/flow.py); servers come from servers.py.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Flow"))

import run

TESTS = [path.stem for path in sorted(pathlib.Path(__file__).resolve().parent.glob("*_tests.py"))]

if __name__ == "__main__":
    sys.exit(run.main(TESTS, "integration"))
