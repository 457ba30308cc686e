"""What strangers send is refused or served: it ends no process, and raises nothing else than is foreseen.

Mutations are of a fixed seed, so that a failure can be repeated; HOSTILE sets how many there are of each kind.
"""

import json
import math
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from modelservice import events, modeltext, preprocessor
from modelservice.app import create_app
from modelservice.config import Limits
from modelservice.errors import Refused
from modelservice.metrics import Metrics
from modelservice.rows import InvalidRows, RowSchema
from modelservice.serving import Holder, load

from .conftest import Encoded, Maker

FEATURES = 46


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


COUNT = int(os.environ.get("HOSTILE", "1000"))
_NUMBER = re.compile(rb"-?\d+(\.\d+)?(e[+-]?\d+)?")
_ODD = [*b"0 -1 1 46 2147483648 -9223372036854775808 1e308 -1e999 nan inf 1_0 0x1p4".split(), b""]
_MEDIA = [*b"application/cloudevents+json application/cloudevents+protobuf application/json \xff".split(), b""]

# Loads every text of a folder as the server would, and predicts; in a process of its own, since LightGBM is native.
_PREDICT = """
import ctypes, math, sys
from pathlib import Path
from modelservice.booster import Booster
n = int(sys.argv[2])
for path in sorted(Path(sys.argv[1]).iterdir()):
    booster = Booster(path.read_bytes())
    for value in (0.0, 1.0, -1e300, 1e300, math.nan):
        (p,) = booster.predict((ctypes.c_double * n)(*[value] * n), 1, n)
        assert 0 <= p <= 1, (path, value, p)
"""


def mutated(text: bytes, seed: int) -> Iterator[bytes]:
    """Return the text with some of it changed, COUNT times."""
    chance = random.Random(seed)
    for _ in range(COUNT):
        changed = text
        for _ in range(chance.randint(1, 3)):
            changed = _mutate(changed, chance)
        yield changed


def _mutate(text: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(max(1, len(text)))
    match chance.randrange(5):
        case 0:  # a byte
            return text[:at] + bytes([chance.randrange(256)]) + text[at + 1 :]
        case 1:  # a number
            numbers = list(_NUMBER.finditer(text))
            number = chance.choice(numbers) if numbers else None
            return text[: number.start()] + chance.choice(_ODD) + text[number.end() :] if number else text
        case 2:  # a piece is missing
            return text[:at] + text[at + chance.randint(1, 200) :]
        case 3:  # a piece is there twice, somewhere else
            to, length = chance.randrange(max(1, len(text))), chance.randint(1, 200)
            return text[:to] + text[at : at + length] + text[to:]
        case _:  # two lines, or two fields, are exchanged
            lines = text.split(b"\n" if b"\n" in text else b",")
            i, j = chance.randrange(len(lines)), chance.randrange(len(lines))
            lines[i], lines[j] = lines[j], lines[i]
            return (b"\n" if b"\n" in text else b",").join(lines)


def resized(text: bytes) -> bytes:
    """Return a model's text with the tree_sizes that it has, so that edits come past them."""
    trees = re.findall(rb"Tree=.*?(?=Tree=|end of trees)", text, re.DOTALL)
    return re.sub(rb"tree_sizes=[^\n]*", b"tree_sizes=" + b" ".join(b"%d" % len(t) for t in trees), text, count=1)


def test_no_model_text_crashes_lightgbm(model_text: bytes, tmp_path: Path) -> None:
    accepted = 0
    for text in mutated(model_text, seed=1):
        try:
            sound = modeltext.check(resized(text), FEATURES)
        except Refused:
            continue
        (tmp_path / f"{accepted:06}.txt").write_bytes(sound)
        accepted += 1
    assert accepted > COUNT / 100  # else nothing was tried
    done = subprocess.run(
        [sys.executable, "-c", _PREDICT, tmp_path, str(FEATURES)], capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_preprocessors(encoded: Encoded) -> None:
    for text in mutated(encoded.text, seed=2):
        try:
            fitted = preprocessor.parse(text)
            schema = RowSchema(fitted)
            features, _ = fitted.transform(schema.check([schema.example()]))
        except (Refused, InvalidRows):
            continue
        assert features.shape == (1, len(fitted.features))
        assert not np.isnan(features).any()


def test_events(maker: Maker) -> None:
    promotion = maker.promotion()
    headers = {
        "ce_specversion": b"1.0",
        "ce_id": b"e",
        "ce_source": b"/gate",
        "ce_type": events.PROMOTED.encode(),
        "content-type": b"application/protobuf",
    }
    chance = random.Random(3)
    for value in mutated(promotion.SerializeToString(deterministic=True), seed=3):
        changed = dict(headers)
        if chance.random() < 0.3:
            changed[chance.choice(list(headers))] = chance.choice(_MEDIA)
        record = events.Record("model-promoted", 0, 0, value, list(changed.items()))
        try:
            decoded = events.decode(record)
        except Refused as err:
            assert len(str(err)) < 2000  # noqa: PT017 - most are refused, and not all
            continue
        assert decoded is None or decoded.generation > 0


@pytest.mark.anyio
async def test_bodies(maker: Maker, raw: dict[str, object]) -> None:
    holder = Holder()
    holder.model = load(maker.promotion(), maker.store.fetch)
    transport = httpx.ASGITransport(create_app(holder, Metrics(), Limits(rows=100, body=100_000)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for body in mutated(json.dumps([raw, raw]).encode(), seed=4):
            answer = await client.post("/predict", content=body)
            assert answer.status_code in (200, 400, 413, 422), body
            if answer.status_code == 200:
                assert all(math.isfinite(p["probability"]) for p in answer.json()["predictions"])
