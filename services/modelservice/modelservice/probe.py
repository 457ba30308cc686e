"""Tries a model's text in a process of its own, so that native code that crashes on it cannot take the server along.

    python -m modelservice.probe FEATURES < model.txt > checked.txt

Exits with 0, the checked text on standard output, if the text is sound and LightGBM predicts from it; with 1
and a message otherwise. It imports next to nothing, so that a promotion is not kept waiting.
"""

import ctypes
import os
import resource
import subprocess
import sys

from modelservice import modeltext
from modelservice.booster import Booster
from modelservice.errors import Refused, Unavailable

_SECONDS = 60  # of processor time
_MEMORY = 8 << 30  # bytes of address space
_PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV")  # no credentials


def run(text: bytes, features: int) -> bytes:
    """Return the part of a model's text that is safe to load and predict from.

    Raises Refused if the text, or what LightGBM does with it, is not sound, Unavailable if it could not be tried.
    """
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, this module
            [sys.executable, "-m", "modelservice.probe", str(features)],
            input=text,
            capture_output=True,
            check=False,
            timeout=2 * _SECONDS,
            env={k: v for k, v in os.environ.items() if k in _PASSED_ON} | {"OMP_NUM_THREADS": "1"},
        )
    except OSError as err:
        raise Unavailable(f"no process to try the model in could be started: {err}") from err
    except subprocess.TimeoutExpired as err:
        raise Refused("the model was not loaded in time") from err
    if done.returncode < 0:
        raise Refused(f"LightGBM crashed on the model (signal {-done.returncode})")
    if done.returncode > 0:
        message = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise Refused(message[:500] or "the model could not be loaded")
    return done.stdout


def main() -> int:
    """Check the text on standard input."""
    for limit, most in ((resource.RLIMIT_CPU, _SECONDS), (resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (most, most))
    features = int(sys.argv[1])
    try:
        text = modeltext.check(sys.stdin.buffer.read(modeltext.MAX_SIZE + 1), features)
        booster = Booster(text)
        for value in (0.0, 1.0, -1e300, 1e300):
            (probability,) = booster.predict((ctypes.c_double * features)(*[value] * features), 1, features)
            if not 0 <= probability <= 1:
                raise Refused(f"the model predicts {probability}, which is no probability")
    except Refused as err:
        print(err, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
