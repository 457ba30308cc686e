"""The whole service against a real broker and a real object store."""

import base64
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from asfotec.churn.artifact.v1.artifact_pb2 import Artifact
from asfotec.churn.event.v1.decision_pb2 import ModelPromoted

from modelservice import config
from modelservice.artifacts import ObjectStore
from modelservice.events import PROMOTED
from modelservice.follower import Follower, Promotions
from modelservice.metrics import Metrics
from modelservice.serving import Holder

from .conftest import Encoded, Maker, Store, need_go
from .stack import SERVICE, Service, Stack, World, eventually

REFUSED = 'modelservice_promotions_total{outcome="refused"}'


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    need_go("build", "-o", folder / "churnctl", "./cmd/churnctl")
    stack = Stack(folder / "churnctl", folder)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def world(stack: Stack, request: pytest.FixtureRequest) -> World:
    name = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[:60].strip("-")
    return World(stack.environment(name))


class _BucketStore(Store):
    """Puts artifacts into the test's bucket."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def put(self, name: str, body: bytes) -> Artifact:
        artifact = super().put(name, body)
        artifact.uri = f"s3://{self._world.bucket}/{name}"
        self._world.minio.put_object(self._world.bucket, name, io.BytesIO(body), len(body))
        return artifact


@pytest.fixture
def made(world: World, encoded: Encoded, model_text: bytes) -> Maker:
    """Makes promotions whose artifacts are in the test's bucket."""
    return Maker(_BucketStore(world), encoded.text, model_text)


def promote(world: World, promotion: ModelPromoted, *topics: str) -> None:
    for topic in topics or ("model-promoted", "model-current"):
        world.promote(topic, promotion.SerializeToString())


def test_it_waits_for_topics_and_bucket_then_follows_and_starts_cold(
    world: World, made: Maker, encoded: Encoded, tmp_path: Path
) -> None:
    with Service(world.settings, tmp_path) as service:
        eventually("it to wait", lambda: "waiting for the topics" in service.log())
        assert service.client.get("/readyz").status_code == 503
        world.provision()
        promote(world, made.promotion(1), "model-current")
        service.await_version(1)
        assert service.client.get("/readyz").status_code == 200
        promote(world, made.promotion(2), "model-promoted")
        service.await_version(2)
        rows = encoded.rows[:300]
        got = [p["probability"] for p in service.client.post("/predict", json=rows).json()["predictions"]]
        want = lightgbm.Booster(model_str=made.text.decode()).predict(encoded.matrix[:300])
        assert np.max(np.abs(np.array(got) - want)) <= 1e-12
    with Service(world.settings, tmp_path) as service:
        service.await_version(2)  # newer than the table's row
        assert service.metric('modelservice_promotions_total{outcome="served"}') == 1


def test_a_structured_event_is_followed(world: World, made: Maker, tmp_path: Path) -> None:
    world.provision()
    data = base64.b64encode(made.promotion(1).SerializeToString()).decode()
    event = {"specversion": "1.0", "id": "1", "source": "/gate", "type": PROMOTED, "data_base64": data}
    event["datacontenttype"] = "application/protobuf"
    with Service(world.settings, tmp_path) as service:
        world.publish("model-promoted", json.dumps(event).encode(), {"content-type": "application/cloudevents+json"})
        service.await_version(1)


def test_what_is_bad_is_refused_and_the_old_model_goes_on(
    world: World, made: Maker, raw: dict[str, Any], tmp_path: Path
) -> None:
    world.provision()
    promote(world, made.promotion(1))
    with Service(world.settings, tmp_path) as service:
        service.await_version(1)
        world.publish("model-promoted", b"\xff no event", {})
        service.await_metric(REFUSED, 1)

        changed = made.promotion(2)  # of the same length, so that the digest alone tells
        body = made.text.replace(b"leaf_value=", b"leaf_valuE=", 1)
        world.minio.put_object(world.bucket, "runs/2/model.txt", io.BytesIO(body), len(body))
        promote(world, changed, "model-promoted")
        service.await_metric(REFUSED, 2)

        larger = made.promotion(3)
        body = made.text + b"\n" * 1000
        world.minio.put_object(world.bucket, "runs/3/model.txt", io.BytesIO(body), len(body))
        promote(world, larger, "model-promoted")
        service.await_metric(REFUSED, 3)

        missing = made.promotion(4)
        world.minio.remove_object(world.bucket, "runs/4/model.txt")
        promote(world, missing, "model-promoted")
        service.await_metric(REFUSED, 4)

        promote(world, made.of(text=b"tree\nversion=v4\n").promotion(5), "model-promoted")
        service.await_metric(REFUSED, 5)
        for generation, reason in ((2, "has SHA-256"), (3, "does not have the"), (4, "is not there"), (5, "no trees")):
            assert any(f'"generation": {generation},' in line and reason in line for line in service.log().splitlines())

        assert service.client.post("/predict", json=raw).json()["model"]["version"] == 1
        promote(world, made.promotion(6))
        service.await_version(6)


def test_a_broker_that_is_away_is_waited_for(
    stack: Stack, world: World, made: Maker, raw: dict[str, Any], tmp_path: Path
) -> None:
    world.provision()
    world.publish("model-promoted", b"\xff no event", {})
    promote(world, made.promotion(1))
    with Service(world.settings, tmp_path) as service:
        service.await_version(1)
        service.await_metric("modelservice_broker_up", 1)
        stack.broker.stop()
        service.await_metric("modelservice_broker_up", 0)
        assert service.client.post("/predict", json=raw).status_code == 200
        assert service.client.get("/readyz").status_code == 200
        stack.broker.start()
        service.await_metric("modelservice_broker_up", 1)
        promote(world, made.promotion(2))
        service.await_version(2)
        assert service.metric(REFUSED) == 1  # it went on from where it was


def test_a_store_that_is_away_is_waited_for(
    stack: Stack, world: World, made: Maker, raw: dict[str, Any], tmp_path: Path
) -> None:
    world.provision()
    promote(world, made.promotion(1))
    with Service(world.settings, tmp_path) as service:
        service.await_version(1)
        second = made.promotion(2)
        stack.store.stop()
        promote(world, second)
        eventually("it to wait", lambda: "waiting for the object store" in service.log())
        assert service.client.post("/predict", json=raw).json()["model"]["version"] == 1
        stack.store.start()
        service.await_version(2)
        assert service.metric(REFUSED) == 0


def test_what_is_not_read_yet_is_counted(world: World, made: Maker) -> None:
    world.provision()
    for generation in (1, 2, 3):
        promote(world, made.promotion(generation), "model-current")
    go_on = threading.Event()

    class Held(Promotions):
        def add(self, promotion: ModelPromoted) -> None:
            assert go_on.wait(120), "nobody looked at the metrics"
            super().add(promotion)

    settings, holder, metrics = config.load(None, world.settings), Holder(), Metrics()
    held = Held(settings.model, ObjectStore(settings.store).fetch, holder, metrics)
    follower = Follower(settings.kafka, held, metrics)
    follower.start()
    try:
        eventually("three to be counted", lambda: b"modelservice_records_behind 3.0" in metrics.text())
        go_on.set()
        eventually("the newest to be served", lambda: holder.model and holder.model.generation == 3)
        eventually("none to be counted", lambda: b"modelservice_records_behind 0.0" in metrics.text())
    finally:
        go_on.set()
        follower.stop()
    assert b"modelservice_last_record_timestamp_seconds 0.0" not in metrics.text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_requests_in_flight_end(
    world: World, made: Maker, raw: dict[str, Any], tmp_path: Path, number: signal.Signals
) -> None:
    world.provision()
    promote(world, made.promotion(1))
    body = json.dumps(raw).encode()
    with Service(world.settings, tmp_path) as service:
        service.await_version(1)
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
            connection.sendall(head.encode())
            assert b" 100 Continue" in connection.recv(4096)  # the request is in the handler
            service.process.send_signal(number)
            eventually("no more to be taken in", lambda: not _listens(service.port))
            connection.sendall(body)
            assert b" 200 OK" in connection.recv(65536)
        assert service.process.wait(120) == 0


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return False
    return True


def test_it_ends_with_its_parent(world: World, tmp_path: Path) -> None:
    with Service(world.settings, tmp_path) as service:
        assert service.process.stdin is not None
        service.process.stdin.close()
        assert service.process.wait(120) == 0


def test_a_missing_setting_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "modelservice", "--env-file", tmp_path / "none"],
        cwd=SERVICE,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "KAFKA_BROKERS" in done.stderr
    assert "Traceback" not in done.stderr
