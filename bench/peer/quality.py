"""Mean hold-out metrics over split salts, beside the peer's.

Usage: python quality.py CSV CHURNCTL [SALTS]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile

import pipeline


def ours(churnctl: str, path: str, salt: str, state: str) -> pipeline.Metrics:
    done = subprocess.run(
        [
            *(churnctl, "--state-dir", state, "retrain", "--data", path, "--split-salt", salt, "-o", "json"),
            *("--dry-run", "--min-auc", "0", "--min-accuracy", "0"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 3):
        sys.exit(done.stderr)
    m = json.loads(done.stdout)
    return pipeline.Metrics(m["auc"], m["accuracy"], m["f1"])


def main(path: str, churnctl: str, salts: int) -> None:
    us, them = [], []
    print(f"{'salt':>5}  {'AUC':>17}  {'accuracy':>17}  {'F1':>17}     (ours, peer's)")
    with tempfile.TemporaryDirectory() as state:
        for salt in map(str, range(salts)):
            us.append(ours(churnctl, path, salt, state))
            them.append(pipeline.retrain(path, salt))
            show(salt, us[-1], them[-1])
    show("mean", pipeline.mean(us), pipeline.mean(them))


def show(name: str, a: pipeline.Metrics, b: pipeline.Metrics) -> None:
    cells = (f"{x:8.4f} {y:8.4f}" for x, y in zip(vars(a).values(), vars(b).values(), strict=True))
    print(f"{name:>5}  " + "  ".join(cells), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 10)
