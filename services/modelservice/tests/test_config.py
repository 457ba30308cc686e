"""Settings: the environment over .env over defaults; errors name the setting and no secret."""

from pathlib import Path

import pytest
from confluent_kafka import Consumer

from modelservice import config
from modelservice.errors import SettingError
from modelservice.follower import consumer_settings

NEEDED = {
    "KAFKA_BROKERS": "broker:9092",
    "MLFLOW_S3_ENDPOINT_URL": "https://store:9000",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "s3cr3t-s3cr3t",
}


def test_precedence(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("MLFLOW_MODEL_NAME=of-the-file\nCHURN_BUCKET=bucket-of-the-file\nKAFKA_BROKERS=x:1\n")
    c = config.load(file, NEEDED | {"CHURN_BUCKET": "bucket-of-the-environment", "MLFLOW_MODEL_NAME": ""})
    assert (c.model, c.store.bucket, c.kafka.brokers) == ("of-the-file", "bucket-of-the-environment", "broker:9092")
    assert (c.store.host, c.store.secure, c.kafka.prefix) == ("store:9000", True, "churn.")


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(SettingError, match=name):
        config.load(None, {k: v for k, v in NEEDED.items() if k != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MLFLOW_S3_ENDPOINT_URL", "store:9000"),
        ("MLFLOW_S3_ENDPOINT_URL", "http://user:password@store"),
        ("KAFKA_SASL_MECHANISM", "GSSAPI"),
        ("KAFKA_SASL_MECHANISM", "PLAIN"),
        ("KAFKA_USERNAME", "anna"),
        ("KAFKA_TLS", "maybe"),
        ("KAFKA_TLS_CA", "/nowhere"),
        ("CHURN_MAX_ROWS", "0"),
        ("CHURN_BUCKET", "../x"),
        ("CHURN_TOPIC_PREFIX", "a b"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=name):
        config.load(None, NEEDED | {name: value})


def test_no_secret_shows() -> None:
    c = config.load(
        None, NEEDED | {"KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_USERNAME": "u", "KAFKA_PASSWORD": "p4ssw0rd"}
    )
    assert "s3cr3t" not in repr(c)
    assert "p4ssw0rd" not in repr(c)
    assert c.kafka.password == "p4ssw0rd"


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_librdkafka_takes_the_settings(mechanism: str) -> None:
    secure = {"KAFKA_TLS": "true", "KAFKA_SASL_MECHANISM": mechanism, "KAFKA_USERNAME": "u", "KAFKA_PASSWORD": "p"}
    settings = consumer_settings(config.load(None, NEEDED | secure).kafka)
    assert settings["security.protocol"] == "SASL_SSL"
    Consumer(settings).close()
