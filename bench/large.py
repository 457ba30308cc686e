#!/usr/bin/env python3
"""One retrain of many rows, and the most memory that each process took.

python bench/large.py [--rows 10000000] [--json] [--data FILE] [--folder DIR] [-- flags of churnctl retrain]

The file is made by data/generate. Broker and store are one process, each service is one of its own, as on a cluster, and
the LightGBM worker is the trainer's child. Told are the seconds of each step, and of each process the peak of its resident
memory as the kernel counts it (VmHWM of /proc). Nothing limits memory: what is told is what is taken.

On disk it takes about five times the file: the file, its copy in the store, the features, and temporary files.

`make build lightgbm` first.
"""

import argparse
import json
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

from stack import Stack, generate

SERVICES = ["featurizer", "trainer", "evaluator", "gate"]
WORKER = "LightGBM worker"
NAMES = {"up": "broker and store"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--data", type=Path, help="a file of the Telco columns, in place of one that is made")
    parser.add_argument("--folder", type=Path, help="where the file and all state lie (default: a temporary folder)")
    parser.add_argument("--json", action="store_true", help="JSON for machines")
    parser.add_argument("retrain", nargs="*", help="flags of churnctl retrain, after --")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder, prefix="churn-large-") as folder:
        measured = measure(Path(folder), args)
    print(json.dumps(measured, indent=2) if args.json else table(measured))


def measure(folder, args):
    """Have the rows retrained on, and return what it took."""
    data, seconds = args.data, {}
    if data is None:
        data, seconds["generate"] = timed("making the file", generate, folder / "data.csv", args.rows)
    stack = Stack(folder / "state", "--only", "broker,store", TMPDIR=str(folder))
    watch = Watch(stack.processes)
    try:
        for service in SERVICES:
            stack.start(service, service)
        code, seconds["retrain"] = timed("retraining", retrain, stack, data.resolve(), args.retrain)
        ended = result(stack, code)
    finally:
        peaks = watch.stop()
        stack.stop()
    steps = {service: took(stack, service) for service in SERVICES}
    seconds |= {"upload and waiting": seconds["retrain"] - sum(steps.values()), **steps}
    features = next(a["size"] for a in ended["artifacts"] if a["name"].endswith("features.parquet"))
    return {
        "rows": lines(data) - 1, "bytes": data.stat().st_size, "feature_bytes": features, "outcome": ended["status"],
        "seconds": {step: round(s, 1) for step, s in seconds.items()}, "peak_bytes": peaks,
    }


def timed(what, call, *args):
    """Call, and return what it returns and the seconds."""
    say(what)
    start = time.monotonic()
    return call(*args), time.monotonic() - start


def lines(path):
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def took(stack, service):
    """Return the seconds that the service took over its event, as it has logged them."""
    for line in (stack.state / f"{service}.log").read_text().splitlines():
        if '"handled"' in line:
            return duration(json.loads(line)["took"])
    return 0.0


def retrain(stack, data, flags):
    """Run to its end, which churnctl shows on standard error, and return its exit code."""
    return stack.start("churnctl", "churnctl", "retrain", "--data", data, *flags, quiet=False).wait()


def result(stack, code):
    """Return the only run, which has ended with the code."""
    if code not in (0, 3):
        sys.exit(f"churnctl retrain ended with {code}")
    (run,) = json.loads(stack.call("runs", "-o", "json").stdout)
    return json.loads(stack.call("show", run["run"], "-o", "json").stdout)


class Watch:
    """Reads the processes' memory until it is stopped: a worker is gone when its training is done."""

    def __init__(self, processes):
        self.processes, self.peaks, self.done = processes, {}, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.done.wait(0.1):
            self.look()

    def look(self):
        for name, process in list(self.processes.items()):
            self.note(NAMES.get(name, name), process.pid)
            if name == "trainer":
                for child in children(process.pid):
                    self.note(WORKER, child)

    def note(self, name, pid):
        self.peaks[name] = max(self.peaks.get(name, 0), peak(pid))

    def stop(self):
        self.done.set()
        self.thread.join()
        self.look()
        return self.peaks


def peak(pid):
    """Return the most resident memory that the process has had, in bytes; 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def children(pid):
    """Return the process's children, whichever of its threads started them."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:
            pass  # a thread that has ended
    return found


def table(r):
    lines = [
        f"{r['rows']} rows, {mib(r['bytes'])} of CSV, {mib(r['feature_bytes'])} of features: {r['outcome']}", "",
        *(f"{step:19}{s:8.1f} s" for step, s in r["seconds"].items()), "", "PEAK OF RESIDENT MEMORY",
        *(f"{name:19}{mib(size):>10}" for name, size in r["peak_bytes"].items()),
    ]
    return "\n".join(lines)


UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}


def duration(text):
    """Return the seconds of a duration as Go writes it, such as 1m2.5s."""
    return sum(float(n) * UNITS[unit] for n, unit in re.findall(r"([\d.]+)([a-zµ]+)", text))


def mib(size):
    return f"{size / (1 << 20):.0f} MiB"


def say(text):
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
