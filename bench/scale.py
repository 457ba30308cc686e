#!/usr/bin/env python3
"""How much faster a search ends with two trainers than with one.

python bench/scale.py [--rows 10000] [--trials 16] [--trainers 1 2] [--json]

Each trainer is a process of one thread that has one core, as one with a CPU limit of 1 has on a cluster: otherwise a
trainer that is alone has its reading, writing and drawing done on the core that the second is to have. (Where processes
cannot be bound to cores, it says so.) Broker, store and the other services are processes of their own, too, the same in
every round, and run where there is room. The request is the same, on a store and a log of its own; the winner and every
digest must be the same. Trials differ in learning rate and regularization, and so take about as long as each other: how
well trials of unlike lengths fill the last minute is chance. Told are the seconds from the request to its end, and how
many times faster than the first round.

`make build lightgbm` first.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OTHERS = ["featurizer", "evaluator", "gate"]
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []  # Linux alone has it


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--trainers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not CORES:
        print("processes cannot be bound to cores here: a trainer that is alone uses more than one", file=sys.stderr)
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        data = generate(Path(folder) / "data.csv", args.rows)
        for n in args.trainers:
            if not args.json:
                print(f"{n} trainer{'s'[: n > 1]}: ", end="", flush=True)
            rounds.append(search(Path(folder) / f"trainers-{n}", data, n, args.trials))
            times = rounds[0]["seconds"] / rounds[-1]["seconds"]
            rounds[-1]["times_faster"] = round(times, 2)
            if not args.json:
                print(f"{rounds[-1]['seconds']:.1f} s, {times:.2f} times; trial {rounds[-1]['winner']} is the best", flush=True)
    same = all((r["winner"], r["digests"]) == (rounds[0]["winner"], rounds[0]["digests"]) for r in rounds)
    if args.json:
        print(json.dumps({"rounds": rounds, "same": same}, indent=2))
    else:
        print(f"winner and the digests of {len(rounds[0]['digests'])} artifacts: {'the same' if same else 'NOT the same'}")
    sys.exit(0 if same else 1)


def generate(path, rows):
    """Write a file of so many customers, and return its path."""
    subprocess.run(["go", "run", "./cmd/generate", "-rows", str(rows), "-o", str(path)], cwd=ROOT / "data", check=True)
    return path


def search(state, data, trainers, trials):
    """Have a search made by so many trainers, and return how it went."""
    parts = Parts(state)
    try:
        for service in OTHERS:
            parts.start(service)
        for n in range(trainers):
            parts.start("trainer", core=n, GOMAXPROCS="1")
        parts.ready()
        began = time.monotonic()
        done = parts.call(
            "retrain", "--output", "json", "--data", data, "--request-id", "scale", "--request-time", "2026-01-31T12:00:00Z",
            "--git-sha", "none", "--requested-by", "bench", "--search", "lambda_l2=0..10", "--search", "learning_rate=0.02..0.2:log",
            "--trials", trials, "--num-iterations", 1500, "--early-stopping-rounds", 0, "--min-auc", 0, "--min-accuracy", 0,
        )
        seconds = time.monotonic() - began
    finally:
        parts.stop()
    if done.returncode != 0:
        sys.exit(f"churnctl retrain ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    run = json.loads(done.stdout)
    return {
        "trainers": trainers, "seconds": round(seconds, 2),
        "winner": next(t["trial"] for t in run["trials"] if t["winner"]),
        "digests": {a["name"]: a["sha256"] for a in run["artifacts"]},
    }


class Parts:
    """A local broker and store, and the services that are started on them, as processes."""

    def __init__(self, state):
        state.mkdir()
        self.running, self.services = [], []
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("KAFKA_", "MLFLOW_", "AWS_", "CHURN_"))}
        self.env |= {"CHURN_STATE_DIR": str(state), "LOG_LEVEL": "error"}
        broker, store = address(), address()
        self.start("churnctl", "up", "--only", "broker", "--broker-addr", broker)
        self.start("churnctl", "up", "--only", "store", "--store-addr", store)
        credentials = state / "store" / "credentials.json"
        until(credentials.exists)
        keys = json.loads(credentials.read_text())
        self.env |= {
            "KAFKA_BROKERS": broker, "MLFLOW_S3_ENDPOINT_URL": f"http://{store}",
            "AWS_ACCESS_KEY_ID": keys["access_key"], "AWS_SECRET_ACCESS_KEY": keys["secret_key"],
        }

    def start(self, program, *args, core=None, **env):
        """Start a program; with a core, it and its children run on that one alone, counted round those there are."""
        command = [ROOT / "bin" / program, "--env-file", "", *args]
        env = {"HTTP_ADDR": address(), **env}
        if program != "churnctl":
            self.services.append(env["HTTP_ADDR"])
        quiet = subprocess.DEVNULL if program == "churnctl" else None  # it tells people how to go on
        bind = None
        if core is not None and CORES:
            bind = lambda: os.sched_setaffinity(0, {CORES[core % len(CORES)]})  # noqa: E731, before it has threads
        self.running.append(subprocess.Popen(command, env=self.env | env, cwd=ROOT, stdout=quiet, stderr=quiet, preexec_fn=bind))

    def ready(self):
        """Wait until every service is, and the group of the trainers has settled."""
        for service in self.services:
            until(lambda at=f"http://{service}/readyz": answers(at))
        time.sleep(3)

    def call(self, *args):
        command = [ROOT / "bin/churnctl", "--env-file", "", *map(str, args)]
        return subprocess.run(command, env=self.env, cwd=ROOT, capture_output=True, text=True, check=False)

    def stop(self):
        for process in reversed(self.running):
            process.terminate()
            process.wait()


def address():
    """Return a loopback address that nothing listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{s.getsockname()[1]}"


def answers(url):
    """Tell whether the service says that it is ready."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def until(there, seconds=60):
    deadline = time.monotonic() + seconds
    while not there():
        if time.monotonic() > deadline:
            sys.exit("the stack does not come up")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
