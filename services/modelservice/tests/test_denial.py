"""What a part that is there and refuses is told from one that is away by, and which setting is named."""

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import KafkaError
from minio.error import InvalidResponseError, S3Error

from modelservice import denial
from modelservice.config import Kafka, Store

STORE = Store(host="s3:9000", secure=True, access_key="a", secret_key="hunter2")
KAFKA = Kafka(brokers="127.0.0.1:1", prefix="x.", password="hunter2")


class Failure:
    """An error as librdkafka reports it."""

    def __init__(self, code: int, text: str = "") -> None:
        self._code, self._text = code, text

    def code(self) -> int:
        return self._code

    def str(self) -> str:
        return self._text


@contextmanager
def broker(mechanisms: int | None) -> Iterator[Kafka]:
    """Answer one request after the other as a broker that offers ways of letting users in; None hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    size = int.from_bytes(connection.recv(4))
                    if mechanisms is None or size > 1000:  # as of TLS
                        continue
                    api, version, number = struct.unpack_from(">hhi", connection.recv(size))
                    assert (api, version) == (17, 0)
                    connection.sendall(struct.pack(">iihi", 10, number, 33, mechanisms))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield replace(KAFKA, brokers=f"127.0.0.1:{server.getsockname()[1]}")
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@pytest.mark.parametrize(
    ("code", "text", "setting"),
    [
        (KafkaError._AUTHENTICATION, "SASL authentication error", "KAFKA_PASSWORD"),
        (KafkaError._SSL, "error:0A000086:SSL routines::certificate verify failed", "KAFKA_TLS_CA"),
    ],
)
def test_what_librdkafka_says_names_the_setting(code: int, text: str, setting: str) -> None:
    why = denial.of_broker(KAFKA, [Failure(KafkaError._ALL_BROKERS_DOWN), Failure(code, text)])
    assert setting in why
    assert "hunter2" not in why


@pytest.mark.parametrize(
    ("mechanisms", "change", "setting"),
    [
        (0, {}, ""),
        (1, {}, "KAFKA_SASL_MECHANISM"),
        (1, {"mechanism": "PLAIN"}, ""),
        (0, {"tls": True}, "unset KAFKA_TLS"),
        (None, {}, ""),
        (None, {"tls": True}, ""),
    ],
)
def test_a_broker_that_hangs_up_is_asked_in_other_ways(
    mechanisms: int | None, change: dict[str, Any], setting: str
) -> None:
    with broker(mechanisms) as kafka:
        why = denial.of_broker(replace(kafka, **change), [Failure(KafkaError._ALL_BROKERS_DOWN)])
    assert (setting in why) if setting else why == ""


def test_a_broker_that_is_away_refuses_nobody() -> None:
    assert denial.of_broker(KAFKA, [Failure(KafkaError._TRANSPORT)]) == ""
    assert denial.of_broker(replace(KAFKA, brokers="no.such.invalid:9092,[::1]:1"), []) == ""


def test_a_topic_is_named_with_what_makes_it() -> None:
    why = denial.of_topic(KAFKA, "x.model-current")
    for words in ("x.model-current", "KAFKA_USERNAME", "CHURN_TOPIC_PREFIX", "churnctl topics apply"):
        assert words in why


def _answer(code: str) -> S3Error:
    return S3Error(None, code, "no", "/churn", "1", "2")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("err", "secure", "setting"),
    [
        (_answer("InvalidAccessKeyId"), True, "AWS_ACCESS_KEY_ID"),
        (_answer("SignatureDoesNotMatch"), True, "AWS_SECRET_ACCESS_KEY"),
        (_answer("AuthorizationHeaderMalformed"), True, "AWS_REGION"),
        (_answer("RequestTimeTooSkewed"), True, "clock"),
        (_answer("AccessDenied"), True, ""),
        (_answer("NoSuchBucket"), True, ""),
        (_answer("SlowDown"), True, ""),
        (InvalidResponseError(400, "text/plain", "Client sent HTTP to HTTPS"), False, "https://"),
        (InvalidResponseError(502, "text/html", "proxy"), False, ""),
        (ssl.SSLCertVerificationError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), True, "AWS_CA_BUNDLE"),
        (ssl.SSLError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), True, "http://"),
        (ConnectionRefusedError("refused"), True, ""),
    ],
)
def test_what_the_store_says_names_the_setting(err: Exception, secure: bool, setting: str) -> None:
    why = denial.of_store(replace(STORE, secure=secure), err)
    assert (setting in why) if setting else why == ""
    assert "hunter2" not in why
