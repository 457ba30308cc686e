#!/usr/bin/env python3
"""How often the gate promotes what it should, and what it should not.

python bench/gate.py [--data FILE] [--noise 200] [--chance 100] [--worse 100] [--better 100]

Each candidate is trained, evaluated and decided on by the pipeline itself, as a dry run beside a champion. Told are the
numbers that each policy would promote at the level --alpha, were each candidate the first look at its hold-out, with
Wilson's interval of 95 %, and those of the plain rule: its AUC is not below the champion's.

- noise: the champion's data and settings, with other seeds, beside one champion. None is better.
- chance: the same, each beside a champion of its own on a hold-out of its own: luck of one champion or of one hold-out
  is not in all of them, so that the level itself can be read off.
- worse: one tree, each beside a champion and on a hold-out of its own. All are worse by more than the margin.
- better: beside one champion that has not seen Contract, tenure, InternetService and the charges. All are better.

`make build lightgbm` first.
"""

import argparse
import csv
import json
import math
import statistics
import sys
import tempfile
from pathlib import Path

from stack import ROOT, Stack

WITHHELD = {"Contract": "Monthly", "tenure": "1", "InternetService": "No", "MonthlyCharges": "50", "TotalCharges": "50"}
RANDOM = ["--feature-fraction", "0.7"]  # else a seed changes nothing


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "data/telco_churn.csv")
    parser.add_argument("--noise", type=int, default=200)
    parser.add_argument("--chance", type=int, default=100)
    parser.add_argument("--worse", type=int, default=100)
    parser.add_argument("--better", type=int, default=100)
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--margin", type=float, default=0.01)
    args = parser.parse_args()
    whole = args.data.resolve()
    with tempfile.TemporaryDirectory() as folder:
        blinded = blind(whole, Path(folder) / "blinded.csv")
        studies = [
            ("noise", args.noise, whole, False, []),
            ("chance", args.chance, whole, True, []),
            ("worse", args.worse, whole, True, ["--num-iterations", "1", "--early-stopping-rounds", "0"]),
            ("better", args.better, blinded, False, []),
        ]
        print("study   candidates  difference of AUC           error   plain rule           must-be-better       refresh")
        for name, n, champion, own, settings in studies:
            if n > 0:
                study(Path(folder) / name, args, name, n, champion, own, whole, settings)


def study(state, args, name, n, champion, own, data, settings):
    """Have n candidates judged beside one champion, or each beside its own on its own hold-out, and print a line."""
    stack = Stack(state, "--serve=false")
    common = [*RANDOM, "--min-auc", "0", "--min-accuracy", "0"]
    runs = []
    try:
        for seed in range(1, n + 1):
            pair = ["--split-salt", seed, "--register-name", f"{name}-{seed}"] if own else []
            if own or seed == 1:
                stack.retrain((0,), "--data", champion, *common, *pair)
            dry = ["--data", data, "--seed", seed, "--dry-run", "--policy", "must-be-better"]
            runs.append(Run(evaluation(stack, (0, 3), *dry, *common, *pair, *settings)))
            progress(name, seed, n)
    finally:
        stack.stop()
    columns = [
        share(sum(r.difference >= 0 for r in runs), n),
        share(sum(r.p(0) <= args.alpha for r in runs), n),
        share(sum(r.p(-args.margin) <= args.alpha for r in runs), n),
    ]
    differences = [r.difference for r in runs]
    print(f"{name:7} {n:10}  {statistics.mean(differences):+.4f} ({min(differences):+.4f}…{max(differences):+.4f})"
          f"  {statistics.mean(r.error for r in runs):.4f}  " + "  ".join(f"{c:19}" for c in columns), flush=True)


class Run:
    """What an evaluation found."""

    def __init__(self, evaluation):
        comparison = evaluation["comparison"]
        self.difference = comparison["differences"]["auc"]["value"]
        self.error = comparison["auc_error"]

    def p(self, bound):
        """Return the one-sided p-value of the difference being at most bound, as pkg/stat has it."""
        if self.error == 0:
            return 0.0 if self.difference > bound else 1.0
        return 0.5 * math.erfc((self.difference - bound) / self.error / math.sqrt(2))


def evaluation(stack, codes, *flags):
    """Retrain, and return the run's evaluation."""
    run = stack.retrain(codes, *flags)["run"]
    out = stack.state / "out" / run
    stack.call("show", run, "--download", out)
    return json.loads(next(out.rglob("evaluation.json")).read_text())


def blind(source, target):
    """Write the file with the withheld columns made constant, and return its path."""
    with source.open(newline="") as read, target.open("w", newline="") as write:
        rows = csv.DictReader(read)
        out = csv.DictWriter(write, rows.fieldnames)
        out.writeheader()
        out.writerows({**row, **WITHHELD} for row in rows)
    return target


def share(k, n):
    """Return k of n with Wilson's interval."""
    z, p = 1.959964, k / n
    middle, half = (p + z * z / 2 / n) / (1 + z * z / n), z * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n) / (1 + z * z / n)
    return f"{k} ({max(0, middle - half):.1%}…{min(1, middle + half):.1%})"


def progress(name, done, n):
    if sys.stderr.isatty():
        print(f"\r{name}: {done} of {n} ", end="" if done < n else "\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
