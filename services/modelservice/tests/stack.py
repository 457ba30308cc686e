"""A Kafka broker and an S3 store, the embedded ones, and ModelService, each a process of its own on loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from minio import Minio

from modelservice.events import PROMOTED

SERVICE = Path(__file__).resolve().parents[1]
_SECONDS = 120  # before a wait is given up: generous, since the machine may be busy


def eventually(what: str, holds: Callable[[], Any]) -> Any:
    """Return what holds returns once that is true."""
    deadline = time.monotonic() + _SECONDS
    seen: object = None
    while time.monotonic() < deadline:
        try:
            if seen := holds():
                return seen
        except (OSError, httpx.HTTPError) as err:
            seen = err
        time.sleep(0.02)
    raise AssertionError(f"waited {_SECONDS} s for {what}; last: {seen!r}")


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Server:
    """One part of the local stack, which keeps its address and its state when it is stopped and started."""

    def __init__(self, churnctl: Path, part: str, folder: Path) -> None:
        self.address = f"127.0.0.1:{_free_port()}"
        self._command = [churnctl, "--env-file", "", "up", "--only", part, f"--{part}-addr", self.address]
        self._part, self._folder = part, folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / f"{self._part}.log").open("ab") as log:
            environment = _environment() | {"CHURN_STATE_DIR": str(self._folder)}
            self._process = subprocess.Popen(self._command, env=environment, stdout=log, stderr=log)
        host, port = self.address.split(":")
        eventually(f"the {self._part}", lambda: socket.create_connection((host, int(port)), 1).close() is None)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_SECONDS)
            self._process = None


class Stack:
    """Broker and store, with topics and a bucket of its own for each test."""

    def __init__(self, churnctl: Path, folder: Path) -> None:
        parts = folder / "broker", folder / "store"
        for part in parts:
            part.mkdir()
        self.broker, self.store = (Server(churnctl, part.name, part) for part in parts)
        self._credentials = folder / "store" / "store" / "credentials.json"

    def start(self) -> None:
        self.broker.start()
        self.store.start()

    def stop(self) -> None:
        self.store.stop()
        self.broker.stop()

    def environment(self, name: str) -> dict[str, str]:
        """Return the settings of a ModelService whose topics and bucket begin with the name."""
        keys = json.loads(self._credentials.read_text())
        return {
            "KAFKA_BROKERS": self.broker.address,
            "CHURN_TOPIC_PREFIX": f"{name}.",
            "MLFLOW_S3_ENDPOINT_URL": f"http://{self.store.address}",
            "AWS_ACCESS_KEY_ID": keys["access_key"],
            "AWS_SECRET_ACCESS_KEY": keys["secret_key"],
            "CHURN_BUCKET": name,
        }


class World:
    """What a producer does: makes topics and bucket, stores objects, publishes."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings
        self.bucket, self._prefix = settings["CHURN_BUCKET"], settings["CHURN_TOPIC_PREFIX"]
        self.minio = Minio(
            urlsplit(settings["MLFLOW_S3_ENDPOINT_URL"]).netloc,
            access_key=settings["AWS_ACCESS_KEY_ID"],
            secret_key=settings["AWS_SECRET_ACCESS_KEY"],
            secure=False,
        )

    def provision(self) -> None:
        self.minio.make_bucket(self.bucket)
        admin = AdminClient({"bootstrap.servers": self.settings["KAFKA_BROKERS"]})
        table = NewTopic(f"{self._prefix}model-current", 1, 1, config={"cleanup.policy": "compact"})
        for made in admin.create_topics([table, NewTopic(f"{self._prefix}model-promoted", 3, 1)]).values():
            made.result(_SECONDS)

    def publish(self, topic: str, value: bytes, headers: dict[str, str], key: str = "churn-classifier") -> None:
        """Publish a record and wait until it is acknowledged."""
        producer = Producer({"bootstrap.servers": self.settings["KAFKA_BROKERS"]})
        failures: list[object] = []
        producer.produce(
            f"{self._prefix}{topic}",
            value,
            key,
            headers=[(k, v.encode()) for k, v in headers.items()],
            on_delivery=lambda err, _: err and failures.append(err),
        )
        assert producer.flush(_SECONDS) == 0
        assert failures == []

    def promote(self, topic: str, value: bytes) -> None:
        """Publish a promotion's bytes as an event in binary mode."""
        attributes = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "/asfotec/churn/gate", "type": PROMOTED}
        headers = {f"ce_{k}": v for k, v in attributes.items()} | {"content-type": "application/protobuf"}
        self.publish(topic, value, headers)


class Service(AbstractContextManager["Service"]):
    """ModelService, as churnctl runs it."""

    def __init__(self, settings: dict[str, str], folder: Path) -> None:
        self._port_file, self._log = folder / "port", folder / "modelservice.log"
        self._port_file.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "modelservice", "--env-file", folder / "none"),
                    *("--port", "0", "--port-file", self._port_file, "--exit-with-parent"),
                ],
                cwd=SERVICE,
                env=_environment() | settings | {"PYTHONFAULTHANDLER": "1"},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        try:
            self.port = int(eventually("the port file", self._read_port))
            self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=_SECONDS)
            eventually("an answer", lambda: self.client.get("/healthz").status_code == 200)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._end()

    def _read_port(self) -> str:
        assert self.process.poll() is None, f"it ended with {self.process.returncode}"
        return self._port_file.read_text() if self._port_file.exists() else ""

    def _end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # its log then tells where every thread is
            self.process.wait(_SECONDS)
            raise
        finally:
            print(self.log())  # shown if the test fails

    def log(self) -> str:
        return self._log.read_text()

    def version(self) -> int:
        answer = self.client.get("/model")
        return answer.json()["version"] if answer.status_code == 200 else 0

    def await_version(self, version: int) -> None:
        eventually(f"version {version}", lambda: self.version() == version)

    def metric(self, line: str) -> float:
        """Return the value of a metric, named with its labels."""
        for text in self.client.get("/metrics").text.splitlines():
            if text.startswith(line + " "):
                return float(text.removeprefix(line))
        raise AssertionError(f"there is no metric {line}")

    def await_metric(self, line: str, value: float) -> None:
        eventually(f"{line} to be {value}", lambda: self.metric(line) == value)


def _environment() -> dict[str, str]:
    """Return this process's environment without the pipeline's settings."""
    ours = ("CHURN_", "KAFKA_", "MLFLOW_", "AWS_", "LOG_")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)}
