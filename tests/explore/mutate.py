#!/usr/bin/env python3
"""Breaks the product in one place at a time, and requires the explorer to see it.

    mutate.py --explorer FILE --build DIR [--compiler G++] [--launcher ccache] [--all] [--seed N]
              [--seconds S] [--only TEXT] [--kind order|step] [--jobs N] [--seeds N]
              [--log FILE] [--record] [--list]

Orders: every access of the product that the explorer meets and whose memory order is not relaxed is
weakened to the next weaker one. The explorer does that at run time (sites.cpp): nothing is compiled.
Steps: pieces of the source are removed (mutations.py) in a copy of it in DIR; what includes the
changed file is compiled again.

Each time the explorer must fail: first the scenarios that meet the place are searched in order, which no
seed changes, the small ones (SMALL) before the others; only if that finds nothing, at random, with several
seeds. A mutation that survives is
stronger than it has to be, or not tested: unless mutations.py says why it is kept (KEPT), this fails.

--all (or JOBRING_EXHAUSTIVE=1) takes them all; with --log each verdict is noted in FILE at once, and a later
run with the same FILE and unchanged sources goes on where this one ended. --record then writes what was caught in order, and by which
scenario, to caught.json. Without it, a sample of these is taken: as many as fit into --seconds, in an
order drawn from the seed (JOBRING_SEED; printed). Whatever it draws, it is caught again.
"""

import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import threading
import time

import mutations

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EXPLORER = ["main", "machine", "memory_model", "explorer", "sites", "kernel", "house", "hand",
            "stand_ins", "rings_test", "house_test", "bell_order_test", "retry_order_test",
            "ends_order_test", "ring_order_test"]
SMALL = "*_order_test.cpp"  # scenarios that are searched to their ends, within milliseconds
ORDERS = ["relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst"]
RUN_SECONDS = 1800  # a run that takes longer goes round for ever, which is a failure too
CAUGHT = HERE / "caught.json"


def call(explorer, arguments, **environment):
    environment = dict(os.environ, JOBRING_TRACE="0", **environment)
    return subprocess.run([str(explorer)] + arguments, env=environment, capture_output=True,
                          text=True, timeout=RUN_SECONDS)


@functools.cache
def scenarios(explorer, *filters):
    listed = call(explorer, ["--list-test-cases", "--source-file-exclude=*litmus_test.cpp", *filters])
    return [n for n in listed.stdout.splitlines() if n and not n.startswith(("[doctest]", "="))]


def run(explorer, cases, **environment):
    """None if these test cases pass, else the name of the first that does not."""
    pattern = ",".join(name.replace(",", "?") for name in cases)  # a comma ends a pattern
    try:
        done = call(explorer, ["--abort-after=1", "--test-case=" + pattern], **environment)
    except subprocess.TimeoutExpired:
        return "it did not end"
    if done.returncode == 0:
        return None
    found = re.search(r"TEST CASE:\s*(.*)", done.stdout)
    return found.group(1) if found else f"status {done.returncode}"


def search(explorer, cases, seed, seeds, **environment):
    """How the explorer fails: ("in order" or "at random", test case); None if it does not."""
    small = set(scenarios(explorer, "--source-file=" + SMALL))
    large = [c for c in cases if c not in small]
    for part in ([c for c in cases if c in small], large):
        found = part and run(explorer, part, JOBRING_ORDERED="1", JOBRING_SEED="1", **environment)
        if found:
            return "in order", found
    for n in range(seeds if large else 0):
        found = run(explorer, large, JOBRING_SEED=str(seed + n), **environment)
        if found:
            return "at random", found
    return None


class Order:
    """One access with a weaker order."""

    def __init__(self, file, line, column, which, order, weaker, text, cases):
        self.file, self.text, self.cases = file, text, cases
        self.weaken = f"{file}:{line}:{column}:{which}:{weaker}"
        self.name = f"{file}:{line}: {ORDERS[order]} -> {ORDERS[weaker]}: {text}"
        self.step = f"{ORDERS[order]} -> {ORDERS[weaker]}"
        self.key = f"{file}: {self.step}: {text}"  # whatever the line

    def check(self, arguments, seed, cases=None):
        return search(arguments.explorer, cases or self.cases, seed, arguments.seeds,
                      JOBRING_WEAKEN=self.weaken)

    def kept(self):
        return mutations.KEPT.get((self.file, self.text, self.step))


def weaker_orders(operation, order):
    load, store, both = operation == "load", operation == "store", operation not in ("load", "store")
    name = ORDERS[order]
    names = {"seq_cst": ["acquire"] if load else ["release"] if store else ["acq_rel"],
             "acq_rel": ["acquire", "release"]}.get(name, ["relaxed"])
    return [ORDERS.index(n) for n in names]


def sites_of(arguments, case):
    path = pathlib.Path(arguments.build) / "sites.txt"
    failed = run(arguments.explorer, [case], JOBRING_SITES=str(path), JOBRING_SEED="1",
                 JOBRING_EXPLORE="0.05")
    if failed:
        sys.exit(f"the unchanged product fails: {failed}")
    return path.read_text().splitlines()


def all_orders(arguments):
    """One mutation for each order that any scenario of the explorer meets."""
    found, cases = {}, {}
    for case in scenarios(arguments.explorer):
        for site in sites_of(arguments, case):
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
                    key = (file, int(line), column, which, int(order), weaker)
                    found[key] = text.strip()
                    cases.setdefault(key, []).append(case)
    return [Order(*key, text, cases[key]) for key, text in sorted(found.items())]


class StepMutation:
    build = None

    def __init__(self, step):
        self.step, self.file, self.name = step, step.file, f"{step.file}: {step.name}"
        self.key = self.name

    def place(self, text):
        start = text.index(self.step.after) if self.step.after else 0
        return text.index(self.step.old, start)

    def check(self, arguments, seed, cases=None):
        if StepMutation.build is None:
            StepMutation.build = Build(arguments)
        cases = cases or scenarios(arguments.explorer)
        return StepMutation.build.check(self, cases, seed, arguments.seeds)

    def kept(self):
        return self.step.kept or None


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

    def check(self, mutation, cases, seed, seeds):
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
            return search(explorer, cases, seed, seeds)
        finally:
            path.write_text(before)
            self.stale |= self.dependents(mutation.file)


class Log:
    """Verdicts of this state of the sources, in a file that grows by a line each."""

    def __init__(self, path):
        self.path, self.known, self.lock = path, {}, threading.Lock()
        self.state = hashlib.sha256()
        for part in ("common", "client", "worker", "daemon", "tests/explore"):
            for file in sorted((ROOT / part).rglob("*.[chp]*")):
                if file.is_file() and file.suffix != ".pyc":
                    self.state.update(file.read_bytes())
        self.state = self.state.hexdigest()
        if path and pathlib.Path(path).exists():
            for line in pathlib.Path(path).read_text().splitlines():
                entry = json.loads(line)
                if entry["state"] == self.state:
                    self.known[entry["name"]] = entry["found"]

    def add(self, name, found):
        with self.lock:
            if self.path and name not in self.known:
                with open(self.path, "a") as out:
                    out.write(json.dumps({"state": self.state, "name": name, "found": found}) + "\n")
            self.known[name] = found


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
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3, help="of the searches at random")
    parser.add_argument("--log")
    parser.add_argument("--record", action="store_true")
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
    if not arguments.all:
        arguments.seeds = 0
    known = json.loads(CAUGHT.read_text()) if CAUGHT.exists() else {}
    chosen = [m for m in everything if arguments.only in m.name]
    if not arguments.all:
        chosen = [m for m in chosen if m.key in known]
        # Compiling the copy alone takes longer than a sample may.
        if arguments.kind != "step":
            chosen = [m for m in chosen if isinstance(m, Order)]
    if arguments.list:
        print("\n".join(m.name for m in chosen))
        return 0
    random.Random(seed).shuffle(chosen)

    log = Log(arguments.log)
    start = time.monotonic()
    count = {"in order": 0, "at random": 0, "kept": 0, "survived": 0}
    results = {}

    def check(mutation):
        begun = time.monotonic()
        if not arguments.all and begun - start > arguments.seconds:
            return
        cases = None if arguments.all else [known[mutation.key]]
        if mutation.name in log.known:
            found = log.known[mutation.name]
        else:
            found = mutation.check(arguments, seed, cases)
            log.add(mutation.name, found)
        how = found[0] if found else "kept" if mutation.kept() else "survived"
        count[how] += 1
        results.setdefault(mutation.key, []).append(found)
        verdict = (f"caught {how} by: {found[1]}" if found else
                   f"kept: {mutation.kept()}" if how == "kept" else "SURVIVED")
        print(f"{time.monotonic() - begun:5.1f} s  {mutation.name}\n         {verdict}", flush=True)

    orders = [m for m in chosen if isinstance(m, Order)]
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(check, orders))
    for step in chosen:  # one after the other: they share a copy
        if isinstance(step, StepMutation):
            check(step)
    if arguments.record:
        for key, found in results.items():
            known.pop(key, None)
            if all(f and f[0] == "in order" for f in found):
                known[key] = found[0][1]
        CAUGHT.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    print(f"mutations caught {count['in order'] + count['at random']} of {sum(count.values())} "
          f"({count['in order']} in order, {count['at random']} at random), kept with an argument "
          f"{count['kept']}, survived {count['survived']} ({len(everything)} in all)")
    return 1 if count["survived"] or not sum(count.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
