#!/usr/bin/env python3
"""How much faster a search ends with two trainers than with one.

python bench/scale.py [--rows 10000] [--trials 16] [--trainers 1 2] [--json]

Each trainer is a process of one thread that has one core, as one with a CPU limit of 1 has on a cluster: otherwise a
trainer that is alone has its reading, writing and drawing done on the core that the second is to have. (Where processes
cannot be bound to cores, it says so.) Broker and store are a process of their own, and so is each of the other services,
the same in every round; they run where there is room. The request is the same, on a store and a log of its own; the
winner and every digest must be the same. Trials differ in learning rate and regularization, and so take about as long as
each other: how well trials of unlike lengths fill the last minute is chance. Told are the seconds from the request to its
end, and how many times faster than the first round.

`make build lightgbm` first.
"""

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from stack import CORES, Stack, address, generate, until

OTHERS = ["featurizer", "evaluator", "gate"]


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


def search(state, data, trainers, trials):
    """Have a search made by so many trainers, and return how it went."""
    stack = Stack(state, "--only", "broker,store", LOG_LEVEL="error")
    try:
        for service in OTHERS:
            ready(stack, service, service)
        for n in range(trainers):
            ready(stack, f"trainer {n}", "trainer", core=n, GOMAXPROCS="1")
        time.sleep(3)  # until the group of the trainers has settled
        began = time.monotonic()
        run = stack.retrain(
            (0,), "--data", data, "--request-id", "scale", "--request-time", "2026-01-31T12:00:00Z", "--git-sha", "none",
            "--requested-by", "bench", "--search", "lambda_l2=0..10", "--search", "learning_rate=0.02..0.2:log",
            "--trials", trials, "--num-iterations", 1500, "--early-stopping-rounds", 0, "--min-auc", 0, "--min-accuracy", 0,
        )
        seconds = time.monotonic() - began
    finally:
        stack.stop()
    return {
        "trainers": trainers, "seconds": round(seconds, 2),
        "winner": next(t["trial"] for t in run["trials"] if t["winner"]),
        "digests": {a["name"]: a["sha256"] for a in run["artifacts"]},
    }


def ready(stack, name, program, **how):
    """Start a service, and wait until it says that it is ready."""
    at = address()
    process = stack.start(name, program, HTTP_ADDR=at, **how)
    until(lambda: answers(f"http://{at}/readyz"), process, stack.state / f"{name}.log")


def answers(url):
    """Tell whether the service says that it is ready."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


if __name__ == "__main__":
    main()
