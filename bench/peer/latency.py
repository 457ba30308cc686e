"""Request to promoted on a running stack, beside the peer's one retrain.

Usage: python latency.py CSV CHURNCTL STATE [RUNS]

The two are taken in turn, so that a change of the machine's speed meets both.
Seconds are as churnctl saw them: from before the request is published until
its end is read; LightGBM's part is what the trainer logs. The peer's are of the
whole process.
"""

from __future__ import annotations

import json
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent


def main(path: str, churnctl: str, state: str, runs: int) -> None:
    ours, process = [], []
    for _ in range(runs):
        done = subprocess.run(
            [churnctl, "--state-dir", state, "retrain", "--data", path, "-o", "json"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            sys.exit(done.stderr or done.stdout)
        detail = json.loads(done.stdout)
        ours.append(detail["seconds"])
        start = time.perf_counter()
        subprocess.run([sys.executable, HERE / "once.py", path], check=True, capture_output=True)
        process.append(time.perf_counter() - start)
    log = (pathlib.Path(state) / "services.log").read_text().splitlines()
    trained = [json.loads(line).get("lightgbm_seconds") for line in log if '"lightgbm_seconds"' in line][-runs:]
    for name, values in (("request to promoted", ours), ("of which LightGBM", trained), ("peer's process", process)):
        print(f"{name:22} median {statistics.median(values):6.3f} s   least {min(values):6.3f}   most {max(values):6.3f}")
    ratios = [b / a for a, b in zip(ours, process, strict=True)]
    print(f"{'ratio, pair by pair':22} median {statistics.median(ratios):6.2f}     least {min(ratios):6.2f}   most {max(ratios):6.2f}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else 10)
