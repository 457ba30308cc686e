#!/usr/bin/env python3
"""Keeps the best of what fuzzing has found: of the Go build cache's inputs, the small ones that reach statements of
the target's package which no seed and no input that is kept already reaches. They go to testdata/fuzz, where every
`go test` runs them.

    scripts/corpus.py pkg/dataset FuzzReader
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 2048  # bytes of an input's file
TRIED = 300  # inputs of a target, the smallest first
ENV = os.environ | {"CGO_ENABLED": "0"}


def output(*args: str, cwd: Path) -> str:
    """Return what a command prints."""
    return subprocess.run(args, cwd=cwd, env=ENV, check=True, capture_output=True, text=True).stdout.strip()


def covered(binary: Path, folder: Path, pattern: str) -> set[str]:
    """Return the statements that a run of the target reaches."""
    profile = binary.with_suffix(".profile")
    subprocess.run(
        [binary, f"-test.run={pattern}", f"-test.coverprofile={profile}"],
        cwd=folder, env=ENV, check=True, stdout=subprocess.DEVNULL,
    )
    return {line.rsplit(" ", 2)[0] for line in profile.read_text().splitlines()[1:] if not line.endswith(" 0")}


def keep(folder: Path, target: str) -> None:
    """Keep what the target's cached inputs reach first."""
    package = output("go", "list", ".", cwd=folder)
    cached = Path(output("go", "env", "GOCACHE", cwd=folder)) / "fuzz" / package / target
    kept = folder / "testdata" / "fuzz" / target
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        binary = Path(scratch) / "target.test"
        output("go", "test", "-c", "-cover", "-o", str(binary), ".", cwd=folder)
        reached = covered(binary, folder, f"^{target}$")
        inputs = sorted((f.stat().st_size, f) for f in cached.iterdir()) if cached.is_dir() else []
        for size, found in [i for i in inputs if i[0] <= LARGEST][:TRIED]:
            file = kept / found.name
            if file.exists():
                continue
            file.write_bytes(found.read_bytes())
            more = covered(binary, folder, f"^{target}$/^{found.name}$")
            if more <= reached:
                file.unlink()
                continue
            print(f"{target}: {found.name}, {size} bytes, reaches {len(more - reached)} statements more")
            reached |= more
    if not any(kept.iterdir()):
        kept.rmdir()


keep(ROOT / sys.argv[1], sys.argv[2])
