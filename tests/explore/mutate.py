#!/usr/bin/env python3
"""Breaks the product in one place at a time, and requires the explorer to see it.

    mutate.py --build DIR [--compiler G++] [--flags F]... [--all] [--seed N] [--seconds S]
              [--only TEXT] [--list]

Each mutation replaces one piece of the product's source by a weaker one: a memory order by the next
weaker, a helping step or a second look by nothing. It is applied to a copy of the sources in DIR;
what depends on the changed file is compiled again, the explorer runs, and it must fail. A mutation
that survives is an access that is stronger than it has to be, or one that no test covers; either way
the run fails.

Without --all (or JOBRING_EXHAUSTIVE=1) a sample is taken, as many as fit into --seconds, in an order
drawn from the seed (JOBRING_SEED; printed). The unchanged copy is always run first, and must pass.
"""

import argparse
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time

import mutations

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EXPLORER = ["main", "machine", "memory_model", "explorer", "kernel", "house", "stand_ins",
            "rings_test", "house_test"]
# Test processes never need longer: a test that runs this long has livelocked, which is a failure too.
RUN_SECONDS = 120


class Build:
    """The explorer over a copy of the product's sources, compiled file by file."""

    def __init__(self, folder, compiler, flags):
        self.root = pathlib.Path(folder)
        self.compiler = compiler
        self.flags = flags
        self.objects = self.root / "objects"
        shutil.rmtree(self.root, ignore_errors=True)
        self.objects.mkdir(parents=True)
        for part in ("common", "client", "worker", "daemon", "tests/explore", "tests/support"):
            shutil.copytree(ROOT / part, self.root / part)
        explored = (HERE / "sources.txt").read_text().split()
        self.sources = explored + [f"tests/explore/{name}.cpp" for name in EXPLORER]

    def object_of(self, source):
        return self.objects / (source.replace("/", "_") + ".o")

    def compile(self, sources, jobs):
        """Compiles all of them; the text of the first error, or None."""
        include = ["tests/explore/shadow", ".", "common/include", "client/include",
                   "worker/include", "client"]
        waiting, running, error = list(sources), [], None
        while waiting or running:
            while waiting and len(running) < jobs and error is None:
                source = waiting.pop(0)
                command = self.compiler + self.flags + [f"-I{self.root / i}" for i in include]
                target = str(self.object_of(source))
                command += ["-MMD", "-MF", target + ".d", "-c", str(self.root / source), "-o",
                            target]
                running.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
            if not running:
                break
            process = running.pop(0)
            _, text = process.communicate()
            if process.returncode != 0 and error is None:
                error = text
        return error

    def dependents(self, path):
        """Sources that include `path`, or are it."""
        name = str(self.root / path)
        return [s for s in self.sources
                if name in pathlib.Path(str(self.object_of(s)) + ".d").read_text().split()]

    def link(self):
        command = self.compiler + [str(self.object_of(s)) for s in self.sources]
        subprocess.run(command + ["-o", str(self.root / "explorer")], check=True)

    def passes(self, seed, tests):
        """True if no test failed. Also the name of the first one that did."""
        environment = dict(os.environ, JOBRING_SEED=str(seed), JOBRING_TRACE="0")
        command = [str(self.root / "explorer"), "--abort-after=1"]
        if tests:
            command.append("--test-case=" + ",".join(tests))
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True,
                                  timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            return False, "it did not end"
        found = re.search(r"TEST CASE:\s*(.*)", done.stdout)
        return done.returncode == 0, found.group(1) if found else f"status {done.returncode}"


def place(text, mutation):
    """Where the piece to be replaced stands: its only occurrence behind `after`."""
    start = text.index(mutation.after) if mutation.after else 0
    return text.index(mutation.old, start)


def apply(build, mutation, jobs):
    path = build.root / mutation.file
    before = path.read_text()
    at = place(before, mutation)
    path.write_text(before[:at] + mutation.new + before[at + len(mutation.old):])
    sources = build.dependents(mutation.file)
    error = build.compile(sources, jobs)
    return before, sources, error


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--launcher", default="")
    parser.add_argument("--flag", action="append", default=[])
    parser.add_argument("--all", action="store_true",
                        default=os.environ.get("JOBRING_EXHAUSTIVE") == "1")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("JOBRING_SEED", "0")))
    parser.add_argument("--seconds", type=float, default=45)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    seed = arguments.seed or random.SystemRandom().randrange(1, 1 << 32)
    chosen = [m for m in mutations.ALL if arguments.only in m.name]
    for mutation in mutations.ALL:
        place((ROOT / mutation.file).read_text(), mutation)  # all of them still apply
    if arguments.list:
        for mutation in chosen:
            print(f"{mutation.file}: {mutation.name}")
        return 0
    print(f"JOBRING_SEED={seed}", flush=True)
    random.Random(seed).shuffle(chosen)

    start = time.monotonic()
    compiler = ([arguments.launcher] if arguments.launcher else []) + [arguments.compiler]
    build = Build(arguments.build, compiler,
                  ["-std=c++20", "-O1", "-w"] + arguments.flag)
    error = build.compile(build.sources, arguments.jobs)
    if error:
        print(error)
        return 1
    build.link()
    passed, test = build.passes(seed, [])
    if not passed:
        print(f"the unchanged product fails: {test}")
        return 1

    caught, survivors, slowest = 0, [], 0.0
    for done, mutation in enumerate(chosen):
        begun = time.monotonic()
        if done and not arguments.all and begun - start + slowest > arguments.seconds:
            break
        before, sources, error = apply(build, mutation, arguments.jobs)
        if error:
            print(f"{mutation.name}: does not compile\n{error}")
            return 1
        build.link()
        passed, test = build.passes(seed, mutation.tests)
        (build.root / mutation.file).write_text(before)
        for source in sources:  # compiled again with the next mutation that needs it
            build.compile([source], arguments.jobs)
        slowest = max(slowest, time.monotonic() - begun)
        caught += not passed
        if passed:
            survivors.append(mutation)
        verdict = "SURVIVED" if passed else f"caught by: {test}"
        print(f"{time.monotonic() - begun:5.1f} s  {mutation.name}\n         {verdict}", flush=True)
    tried = caught + len(survivors)
    print(f"mutations caught {caught} of {tried} ({len(mutations.ALL)} in the table)")
    return 1 if survivors or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
