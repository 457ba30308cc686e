"""A stack of a benchmark's own: broker, store and services as processes, and all that they keep in one folder."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []  # Linux alone has it


class Stack:
    """What `churnctl up` starts with the given flags, and what is started on it. Each process logs to <state>/<name>.log."""

    def __init__(self, state, *flags, **env):
        state.mkdir(parents=True)
        self.state, self.processes, self.env = state, {}, clean() | {"CHURN_STATE_DIR": str(state)} | env
        self.start("up", "churnctl", "up", *flags)
        try:
            self._reach()
        except BaseException:
            self.stop()
            raise

    def start(self, name, program, *args, core=None, quiet=True, **env):
        """Start a program; with a core, it and its children run on that one alone, counted round those there are."""
        log = (self.state / f"{name}.log").open("w") if quiet else None
        bind = None
        if core is not None and CORES:
            bind = lambda: os.sched_setaffinity(0, {CORES[core % len(CORES)]})  # noqa: E731, before it has threads
        self.processes[name] = subprocess.Popen(
            command(program, *args), env=self.env | env, cwd=ROOT, stdout=log or subprocess.DEVNULL, stderr=log, preexec_fn=bind,
        )
        return self.processes[name]

    def _reach(self):
        """Wait until broker and store answer, and have everybody else use them."""
        file = self.state / "stack.json"
        until(file.exists, self.processes["up"], self.state / "up.log")
        there = json.loads(file.read_text())
        keys = json.loads(Path(there["credentials"]).read_text())
        self.env |= {
            "KAFKA_BROKERS": there["broker"], "MLFLOW_S3_ENDPOINT_URL": there["store"], "CHURN_BUCKET": there["bucket"],
            "AWS_ACCESS_KEY_ID": keys["access_key"], "AWS_SECRET_ACCESS_KEY": keys["secret_key"],
        }

    def call(self, *args):
        """Run churnctl to its end."""
        return subprocess.run(command("churnctl", *args), env=self.env, cwd=ROOT, capture_output=True, text=True, check=False)

    def retrain(self, codes, *flags):
        """Run a retraining to its end, which must be one of the exit codes, and return it as `--output json` gives it."""
        done = self.call("retrain", "--output", "json", *flags)
        if done.returncode not in codes:
            sys.exit(f"churnctl retrain ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return json.loads(done.stdout)

    def stop(self):
        """Stop everything, last what was started first."""
        for process in reversed(self.processes.values()):
            process.terminate()
            process.wait()


def command(program, *args):
    return [ROOT / "bin" / program, "--env-file", "", *map(str, args)]


def clean():
    """Return the environment without settings of another pipeline, or of Go's memory."""
    foreign = ("KAFKA_", "MLFLOW_", "AWS_", "CHURN_", "GOMEMLIMIT", "GOGC")
    return {k: v for k, v in os.environ.items() if not k.startswith(foreign)}


def generate(path, rows):
    """Write a file of so many customers, and return its path."""
    subprocess.run(["go", "run", "./cmd/generate", "-o", path, "-rows", str(rows)], cwd=ROOT / "data", check=True)
    return path


def address():
    """Return a loopback address that nothing listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{s.getsockname()[1]}"


def until(there, process, log, seconds=60):
    """Wait until it is there; end with the log if the process ends, or after so many seconds."""
    deadline = time.monotonic() + seconds
    while not there():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"the stack does not come up:\n{log.read_text()}")
        time.sleep(0.05)
