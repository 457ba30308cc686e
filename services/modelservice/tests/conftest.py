"""What the tests are made of: the Telco file as Go encodes it, a model of LightGBM's, and promotions of both."""

import csv
import hashlib
import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from asfotec.churn.artifact.v1.artifact_pb2 import Artifact
from asfotec.churn.event.v1.decision_pb2 import ModelPromoted

from modelservice import preprocessor
from modelservice.artifacts import verify
from modelservice.errors import Refused, Unavailable
from modelservice.preprocessor import Preprocessor

ROOT = Path(__file__).resolve().parents[3]
RUN = "0d1fd1e2-9a55-5e5a-8f3b-7f4b0c6f3a10"


def telco() -> Path:
    """Return the real file where it is there, and the generated one otherwise."""
    real = ROOT.parent / "shared" / "data" / "telco_churn.csv"
    return real if real.exists() else ROOT / "data" / "telco_churn.csv"


def need_go(*args: str | Path) -> None:
    """Run the go command in the checkout."""
    try:
        subprocess.run(["go", *args], cwd=ROOT, check=True, env=os.environ | {"CGO_ENABLED": "0"})
    except FileNotFoundError:
        pytest.fail("these tests compare with the Go side: install Go 1.26 or later (https://go.dev/dl)")


@dataclass(frozen=True)
class Encoded:
    """The Telco file: raw rows, Go's preprocessor.json, and Go's features of every row."""

    rows: list[dict[str, Any]]
    text: bytes
    matrix: np.ndarray

    @property
    def preprocessor(self) -> Preprocessor:
        return preprocessor.parse(self.text)

    @property
    def labels(self) -> np.ndarray:
        return np.array([row["Churn"] == "Yes" for row in self.rows], dtype=np.float64)


def encode(file: Path, folder: Path) -> Encoded:
    """Return what Go makes of a CSV."""
    need_go("run", "./test/cmd/encode", file, folder)
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    text = (folder / "preprocessor.json").read_bytes()
    matrix = np.fromfile(folder / "matrix.f64", dtype="<f8").reshape(len(rows), -1)
    return Encoded(rows, text, matrix)


@pytest.fixture(scope="session")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Encoded:
    return encode(telco(), tmp_path_factory.mktemp("encoded"))


def train(encoded: Encoded, leaves: int) -> bytes:
    data = lightgbm.Dataset(encoded.matrix, encoded.labels)
    parameters = {"objective": "binary", "num_leaves": leaves, "verbosity": -1, "num_threads": 1, "seed": 1}
    return lightgbm.train(parameters, data, num_boost_round=20).model_to_string().encode()


@pytest.fixture(scope="session")
def model_text(encoded: Encoded) -> bytes:
    return train(encoded, leaves=15)


class Store:
    """An object store in memory. It answers as ObjectStore does."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.away = False
        self.fetched: list[str] = []

    def put(self, name: str, body: bytes) -> Artifact:
        uri = f"s3://churn/{name}"
        self.objects[uri] = body
        return Artifact(uri=uri, sha256=hashlib.sha256(body).hexdigest(), size=len(body), media_type="text/plain")

    def fetch(self, artifact: Artifact, limit: int) -> bytes:
        self.fetched.append(artifact.uri)
        if self.away:
            raise Unavailable("the store is away")
        if artifact.uri not in self.objects:
            raise Refused(f"{artifact.uri} is not there")
        assert artifact.size <= limit
        return verify(artifact, self.objects[artifact.uri])


@dataclass(frozen=True)
class Maker:
    """Makes promotions whose artifacts are in the store."""

    store: Store
    preprocessor: bytes
    text: bytes

    def promotion(
        self, generation: int = 1, model: str = "churn-classifier", stage: str = "Production"
    ) -> ModelPromoted:
        p = ModelPromoted(model=model, version=generation, generation=generation, run=RUN)
        p.plan.gate.baseline_stage = stage
        p.plan.requested_at = "2026-01-31T12:00:00Z"
        p.candidate.model.CopyFrom(self.store.put(f"runs/{generation}/model.txt", self.text))
        p.features.preprocessor.CopyFrom(self.store.put(f"runs/{generation}/preprocessor.json", self.preprocessor))
        p.metrics.auc, p.metrics.accuracy = 0.84, 0.8
        return p

    def of(self, **parts: bytes) -> "Maker":
        return replace(self, **parts)


@pytest.fixture
def maker(encoded: Encoded, model_text: bytes) -> Maker:
    return Maker(Store(), encoded.text, model_text)


@pytest.fixture
def raw(encoded: Encoded) -> dict[str, Any]:
    """A raw row, to be changed at will."""
    return dict(encoded.rows[0])
