"""Runs the example of README.md and compares what it prints."""
import os
import pathlib
import subprocess


def example():
    """[(command, expected standard output)]"""
    text = (pathlib.Path(__file__).resolve().parents[2] / "README.md").read_text()
    steps = []
    for line in text.split("```console\n")[1].split("```")[0].splitlines():
        if line.startswith("$ "): steps.append((line[2:], []))
        else: steps[-1][1].append(line)
    return steps


def check(world):
    folder = world.scratch / "readme"
    folder.mkdir()
    (folder / "terrace").symlink_to(pathlib.Path(world.terrace.binary).resolve())
    mark = "-- next --"
    script = "".join(f"{command}\necho '{mark}'\n" for command, _ in example())
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    printed = done.stdout.split(mark + "\n")
    for (command, expected), found in zip(example(), printed):
        world.checks.that(f"README: {command}\nshould print {expected}\nprinted {found.splitlines()} {done.stderr[-300:]}", found.splitlines() == expected)
