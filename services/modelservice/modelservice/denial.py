"""Why a part that is there does not let this service in, with the setting to change.

A broker closes connections that it does not understand without a word: what it would have understood is
found out by asking it in another way.
"""

import socket
import ssl
import struct
from collections.abc import Iterable
from typing import Any

from modelservice.config import Kafka, Store

_SECONDS = 1.0  # for each step of a probe
_MAX_ANSWER = 4096  # bytes


def of_broker(kafka: Kafka, errors: Iterable[Any]) -> str:
    """Return why the broker refuses this client, given librdkafka's errors; empty if it is merely away."""
    from confluent_kafka import KafkaError

    for error in errors:
        if error.code() == KafkaError._AUTHENTICATION:
            return (
                f"broker at {kafka.brokers} does not let the user in: check KAFKA_USERNAME, KAFKA_PASSWORD and "
                f"KAFKA_SASL_MECHANISM ({error.str()})"
            )
        if error.code() == KafkaError._SSL and "certificate verify failed" in error.str():
            return (
                f"broker at {kafka.brokers} shows a certificate that is not trusted: check KAFKA_TLS_CA, "
                "and that KAFKA_BROKERS has the names in it"
            )
    return next((why for address in kafka.brokers.split(",") if (why := _probe(kafka, address.strip()))), "")


def of_topic(kafka: Kafka, topic: str) -> str:
    """Return what to say of a topic that the broker hides."""
    return (
        f"topic {topic} is missing, or hidden from the user of KAFKA_USERNAME: make it with `churnctl topics apply`, "
        f"let the user read it, or correct CHURN_TOPIC_PREFIX ({kafka.prefix})"
    )


def of_store(store: Store, err: Exception) -> str:
    """Return why the store refuses this client; empty if it is merely away, or refuses one object."""
    from minio.error import InvalidResponseError, S3Error

    at = f"object store at {store.host}"
    if isinstance(err, S3Error):
        settings = {
            "InvalidAccessKeyId": "AWS_ACCESS_KEY_ID",
            "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY",
            "AuthorizationHeaderMalformed": "AWS_REGION",
            "RequestTimeTooSkewed": "this machine's clock",
        }
        return f"{at} answered {err.code}: check {settings[err.code]}" if err.code in settings else ""
    if isinstance(err, InvalidResponseError) and not store.secure and "Response code: 400" in str(err):
        return f"{at} does not answer as S3: MLFLOW_S3_ENDPOINT_URL must begin with https:// if it speaks TLS"
    text = str(err)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            f"{at} shows a certificate that is not trusted: check AWS_CA_BUNDLE, "
            "and that MLFLOW_S3_ENDPOINT_URL has a name in it"
        )
    if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text:
        return f"{at} does not speak TLS: MLFLOW_S3_ENDPOINT_URL must begin with http://"
    return ""


def _probe(kafka: Kafka, address: str) -> str:
    """Ask one broker as configured and, if it does not answer, with TLS instead of without, or the other way."""
    mechanisms = _ask(address, kafka.tls)
    if mechanisms is None:
        if _ask(address, not kafka.tls) is None:
            return ""
        if kafka.tls:
            return (
                f"broker at {address} does not speak TLS: unset KAFKA_TLS, KAFKA_TLS_CA and KAFKA_TLS_CERT, "
                "or take its TLS port in KAFKA_BROKERS"
            )
        return (
            f"broker at {address} speaks TLS: set KAFKA_TLS=true, "
            "and KAFKA_TLS_CA if its certificate is by an authority of your own"
        )
    if mechanisms and not kafka.mechanism:
        return f"broker at {address} asks for a user: set KAFKA_SASL_MECHANISM, KAFKA_USERNAME and KAFKA_PASSWORD"
    return ""


def _ask(address: str, tls: bool) -> int | None:
    """Return how many ways of letting users in the broker offers; None if it does not answer so."""
    host, _, port = address.rpartition(":")
    # SaslHandshake (17) in version 0, request 1, no client id, an empty mechanism.
    request = struct.pack(">hhihh", 17, 0, 1, -1, 0)
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), _SECONDS) as plain,
            _unverified().wrap_socket(plain) if tls else plain as connection,
        ):
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(_MAX_ANSWER)
        size, number, _, mechanisms = struct.unpack_from(">iihi", answer)
    except (OSError, ValueError, struct.error):
        return None
    return mechanisms if number == 1 and 0 < size <= _MAX_ANSWER else None


def _unverified() -> ssl.SSLContext:
    """Return TLS without a look at the certificate: no secret goes by it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
