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
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ["featurizer", "trainer", "evaluator", "gate"]
WORKER = "LightGBM worker"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--data", type=Path, help="a file of the Telco columns, in place of one that is made")
    parser.add_argument("--folder", type=Path, help="where the file and all state lie (default: a temporary folder)")
    parser.add_argument("--json", action="store_true", help="JSON for machines")
    parser.add_argument("retrain", nargs="*", help="flags of churnctl retrain, after --")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder, prefix="churn-large-") as folder:
        result = measure(Path(folder), args)
    print(json.dumps(result, indent=2) if args.json else table(result))


def measure(folder, args):
    """Have the rows retrained on, and return what it took."""
    data, seconds = args.data, {}
    if data is None:
        data = folder / "data.csv"
        seconds["generate"] = timed("making the file", generate, data, args.rows)
    stack = Stack(folder / "state")
    try:
        ended, seconds["retrain"] = stack.retrain(data.resolve(), args.retrain)
    finally:
        peaks = stack.stop()
    steps = {service: stack.took(service) for service in SERVICES}
    seconds |= {"upload and waiting": seconds["retrain"] - sum(steps.values()), **steps}
    features = next(a["size"] for a in ended["artifacts"] if a["name"].endswith("features.parquet"))
    return {
        "rows": lines(data) - 1, "bytes": data.stat().st_size, "feature_bytes": features, "outcome": ended["status"],
        "seconds": {step: round(s, 1) for step, s in seconds.items()}, "peak_bytes": peaks,
    }


def timed(what, call, *args):
    """Call, and return the seconds."""
    say(what)
    start = time.monotonic()
    call(*args)
    return time.monotonic() - start


def lines(path):
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def generate(path, rows):
    subprocess.run(["go", "run", "./cmd/generate", "-o", path, "-rows", str(rows)], cwd=ROOT / "data", check=True)


class Stack:
    """Broker and store as one process, and each service as one."""

    def __init__(self, state):
        state.mkdir(parents=True)
        self.state, self.env, self.processes, self.watch = state, clean(), {}, Watch()
        self.env |= {"CHURN_STATE_DIR": str(state), "TMPDIR": str(state)}
        self.start("broker and store", "churnctl", "up", "--only", "broker,store")
        self.reach()
        for service in SERVICES:
            self.start(service, service)

    def start(self, name, program, *args, log=True):
        command = [ROOT / "bin" / program, "--env-file", "", *args]
        out, err = subprocess.DEVNULL, None
        if log:
            out = err = (self.state / f"{name}.log").open("w")
        self.processes[name] = subprocess.Popen(command, env=self.env, cwd=ROOT, stdout=out, stderr=err)
        self.watch.pids[name] = self.processes[name].pid

    def reach(self):
        """Wait until broker and store answer, and have everybody else use them."""
        file = self.state / "stack.json"
        while not file.exists():
            if self.processes["broker and store"].poll() is not None:
                sys.exit((self.state / "broker and store.log").read_text())
            time.sleep(0.05)
        there = json.loads(file.read_text())
        keys = json.loads(Path(there["credentials"]).read_text())
        self.env |= {
            "KAFKA_BROKERS": there["broker"], "MLFLOW_S3_ENDPOINT_URL": there["store"], "CHURN_BUCKET": there["bucket"],
            "AWS_ACCESS_KEY_ID": keys["access_key"], "AWS_SECRET_ACCESS_KEY": keys["secret_key"],
        }

    def retrain(self, data, flags):
        """Run to its end, which churnctl shows on standard error, and return the run and the seconds."""
        start = time.monotonic()
        self.start("churnctl", "churnctl", "retrain", "--data", data, *flags, log=None)
        code = self.processes["churnctl"].wait()
        took = time.monotonic() - start
        if code not in (0, 3):
            sys.exit(f"churnctl retrain ended with {code}")
        (run,) = self.ask("runs")
        return self.ask("show", run["run"]), took

    def ask(self, *args):
        command = [ROOT / "bin/churnctl", "--env-file", "", *args, "-o", "json"]
        return json.loads(subprocess.run(command, env=self.env, cwd=ROOT, capture_output=True, check=True).stdout)

    def took(self, service):
        """Return the seconds that the service took over its event, as it has logged them."""
        for line in (self.state / f"{service}.log").read_text().splitlines():
            if '"handled"' in line:
                return duration(json.loads(line)["took"])
        return 0.0

    def stop(self):
        """Stop everything, and return the peak of each process's memory."""
        peaks = self.watch.stop()
        for p in reversed(self.processes.values()):
            p.terminate()
            p.wait()
        return peaks


def clean():
    """Return the environment without settings of another pipeline, or of Go's memory."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("KAFKA_", "MLFLOW_", "AWS_", "CHURN_", "GOMEMLIMIT", "GOGC"))}


class Watch:
    """Reads the processes' memory until it is stopped: a worker is gone when its training is done."""

    def __init__(self):
        self.pids, self.peaks, self.done = {}, {}, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.done.wait(0.1):
            self.look()

    def look(self):
        for name, pid in list(self.pids.items()):
            self.note(name, pid)
        for child in children(self.pids.get("trainer", 0)):
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
