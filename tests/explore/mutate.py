#!/usr/bin/env python3
"""Breaks the product in one place at a time, and requires the explorer to see it.

    mutate.py --explorer FILE --build DIR [--compiler G++] [--launcher ccache] [--all] [--seed N]
              [--seconds S] [--only TEXT] [--kind order|step] [--list]

Orders: every access of the product that the explorer meets and whose memory order is not relaxed is
weakened to the next weaker one. The explorer does that at run time (sites.cpp): nothing is compiled.
Steps: pieces of the source are removed (mutations.py) in a copy of it in DIR; what includes the
changed file is compiled again.

Each time the explorer must fail. A mutation that survives is stronger than it has to be, or not
tested: unless mutations.py says why it is kept (KEPT), this fails.

Without --all (or JOBRING_EXHAUSTIVE=1) a sample of those known to be caught is taken, as many as fit into --seconds, in an order
drawn from the seed (JOBRING_SEED; printed).
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
EXPLORER = ["main", "machine", "memory_model", "explorer", "sites", "kernel", "house", "stand_ins",
            "rings_test", "house_test"]
ORDERS = ["relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst"]
RUN_SECONDS = 300  # a run that takes longer goes round for ever, which is a failure too


def run(explorer, seed, **environment):
    """None if all tests pass, else the name of the first that does not."""
    environment = dict(os.environ, JOBRING_SEED=str(seed), JOBRING_TRACE="0", **environment)
    try:
        done = subprocess.run([str(explorer), "--abort-after=1", "--test-case-exclude=*litmus*"],
                              env=environment, capture_output=True, text=True, timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired:
        return "it did not end"
    if done.returncode == 0:
        return None
    found = re.search(r"TEST CASE:\s*(.*)", done.stdout)
    return found.group(1) if found else f"status {done.returncode}"


class Order:
    """One access with a weaker order."""

    def __init__(self, file, line, column, which, order, weaker, text):
        self.file, self.text = file, text
        self.weaken = f"{file}:{line}:{column}:{which}:{weaker}"
        self.name = f"{file}:{line}: {ORDERS[order]} -> {ORDERS[weaker]}: {text}"
        self.step = f"{ORDERS[order]} -> {ORDERS[weaker]}"

    def check(self, arguments, seed):
        return run(arguments.explorer, seed, JOBRING_WEAKEN=self.weaken)

    def kept(self):
        return mutations.KEPT.get((self.file, self.text, self.step))


def weaker_orders(operation, order):
    load, store, both = operation == "load", operation == "store", operation not in ("load", "store")
    name = ORDERS[order]
    names = {"seq_cst": ["acquire"] if load else ["release"] if store else ["acq_rel"],
             "acq_rel": ["acquire", "release"]}.get(name, ["relaxed"])
    return [ORDERS.index(n) for n in names]


def all_orders(arguments):
    """One mutation for each order that any test of the explorer meets."""
    sites = pathlib.Path(arguments.build) / "sites.txt"
    failed = run(arguments.explorer, 1, JOBRING_SITES=str(sites), JOBRING_EXPLORE="0.02")
    if failed:
        sys.exit(f"the unchanged product fails: {failed}")
    found = {}
    for site in sites.read_text().splitlines():
        path, line, column, which, order = site.rsplit(" ", 4)
        # The compiler may have been given the path in any form.
        product = re.search(r"(?:^|/)((?:common|client|worker|daemon)/\S+)$", path)
        if not product or not (ROOT / product.group(1)).exists():
            continue
        file = product.group(1)
        text = (ROOT / file).read_text().splitlines()[int(line) - 1]
        before = text[:int(column) + 30]
        operations = re.findall(r"(load|store|fetch_\w+|compare_exchange|exchange)", before)
        operation = "load" if which == "1" or not operations else operations[-1]
        for weaker in weaker_orders(operation, int(order)):
            if ORDERS[int(order)] != "relaxed":
                found[(file, int(line), column, which, int(order), weaker)] = text.strip()
    return [Order(*key, text) for key, text in sorted(found.items())]


class StepMutation:
    build = None

    def __init__(self, step):
        self.step, self.file, self.name = step, step.file, f"{step.file}: {step.name}"

    def place(self, text):
        start = text.index(self.step.after) if self.step.after else 0
        return text.index(self.step.old, start)

    def check(self, arguments, seed):
        if StepMutation.build is None:
            StepMutation.build = Build(arguments)
        return StepMutation.build.check(self, seed)

    def kept(self):
        return None


class Build:
    """The explorer over a copy of the product's sources, compiled file by file."""

    def __init__(self, arguments):
        self.root = pathlib.Path(arguments.build) / "copy"
        self.compiler = [arguments.launcher] if arguments.launcher else []
        self.compiler += [arguments.compiler, "-std=c++20", "-O1", "-w"]
        self.objects = self.root / "objects"
        shutil.rmtree(self.root, ignore_errors=True)
        self.objects.mkdir(parents=True)
        for part in ("common", "client", "worker", "daemon", "tests/explore", "tests/support"):
            shutil.copytree(ROOT / part, self.root / part)
        self.sources = (HERE / "sources.txt").read_text().split()
        self.sources += [f"tests/explore/{name}.cpp" for name in EXPLORER]
        self.stale = set(self.sources)

    def object_of(self, source):
        return str(self.objects / (source.replace("/", "_") + ".o"))

    def compile(self):
        include = ["tests/explore/shadow", ".", "common/include", "client/include",
                   "worker/include", "client"]
        for source in sorted(self.stale):
            target = self.object_of(source)
            subprocess.run(self.compiler + [f"-I{i}" for i in include] +
                           ["-MMD", "-MF", target + ".d", "-c", source, "-o", target],
                           check=True, cwd=self.root)
            self.stale.discard(source)

    def dependents(self, file):
        def depends(source):
            text = pathlib.Path(self.object_of(source) + ".d").read_text().replace("\\\n", " ")
            return any(os.path.normpath(name) == file for name in text.split()[1:])
        return {s for s in self.sources if depends(s)}

    def check(self, mutation, seed):
        if self.stale == set(self.sources):
            self.compile()  # unchanged, to learn who includes what
        path = self.root / mutation.file
        before = path.read_text()
        at = mutation.place(before)
        path.write_text(before[:at] + mutation.step.new + before[at + len(mutation.step.old):])
        self.stale |= self.dependents(mutation.file)
        try:
            self.compile()
            explorer = self.root / "explorer"
            subprocess.run(self.compiler + [self.object_of(s) for s in self.sources] +
                           ["-o", str(explorer)], check=True)
            return run(explorer, seed)
        finally:
            path.write_text(before)
            self.stale |= self.dependents(mutation.file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--explorer", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--launcher", default="")
    parser.add_argument("--all", action="store_true",
                        default=os.environ.get("JOBRING_EXHAUSTIVE") == "1")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("JOBRING_SEED", "0")))
    parser.add_argument("--seconds", type=float, default=45)
    parser.add_argument("--only", default="")
    parser.add_argument("--kind", choices=["order", "step"])
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    pathlib.Path(arguments.build).mkdir(parents=True, exist_ok=True)
    seed = arguments.seed or random.SystemRandom().randrange(1, 1 << 32)
    print(f"JOBRING_SEED={seed}", flush=True)

    everything = []
    if arguments.kind != "step":
        everything += all_orders(arguments)
    if arguments.kind != "order":
        everything += [StepMutation(step) for step in mutations.STEPS]
        for step in everything:
            if isinstance(step, StepMutation):
                step.place((ROOT / step.file).read_text())  # it still applies
    chosen = [m for m in everything if arguments.only in m.name]
    if arguments.list:
        print("\n".join(m.name for m in chosen))
        return 0
    random.Random(seed).shuffle(chosen)

    start, slowest = time.monotonic(), 0.0
    caught, kept, survivors = 0, 0, 0
    for mutation in chosen:
        begun = time.monotonic()
        if caught + kept + survivors and not arguments.all and (
                begun - start + slowest > arguments.seconds):
            break
        if isinstance(mutation, StepMutation) and not arguments.all and arguments.kind != "step":
            continue  # compiling the copy alone takes longer than a sample may
        known = re.sub(r":\d+: ", ": ", mutation.name, count=1)
        if known not in mutations.CAUGHT and not arguments.all:
            continue
        test = mutation.check(arguments, seed)
        took = time.monotonic() - begun
        slowest = max(slowest, took)
        if test:
            caught += 1
            verdict = f"caught by: {test}"
        elif mutation.kept():
            kept += 1
            verdict = f"kept: {mutation.kept()}"
        else:
            survivors += 1
            verdict = "SURVIVED"
        print(f"{took:5.1f} s  {mutation.name}\n         {verdict}", flush=True)
    tried = caught + kept + survivors
    print(f"mutations caught {caught} of {tried}, kept with an argument {kept}, "
          f"survived {survivors} ({len(everything)} in all)")
    return 1 if survivors or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
