"""Settings: the environment over a .env file over defaults."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from modelservice.errors import SettingError

DEFAULT_MODEL = "churn-classifier"
SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")  # names of models and runs
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_TOPIC_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,150}")
_LEVELS = ("debug", "info", "warn", "error")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True)
class Kafka:
    """How the log is reached."""

    brokers: str  # host:port, separated by commas
    prefix: str = "churn."
    tls: bool = False
    ca: str = ""
    cert: str = ""
    key: str = ""
    mechanism: str = ""
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Store:
    """How the artifact store is reached."""

    host: str  # host:port
    secure: bool
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    bucket: str = "churn"
    region: str = "us-east-1"
    ca: str = ""


@dataclass(frozen=True)
class Limits:
    """What one request may ask for."""

    rows: int = 10_000
    body: int = 16 << 20  # bytes


@dataclass(frozen=True)
class Config:
    """Every setting. Its repr shows no secret."""

    kafka: Kafka
    store: Store
    model: str = DEFAULT_MODEL
    limits: Limits = Limits()
    log_level: str = "info"


HELP = f"""\
settings (environment over .env over defaults):
  KAFKA_BROKERS             brokers as host:port, separated by commas (required)
  CHURN_TOPIC_PREFIX        begins every topic's name (default churn.)
  KAFKA_TLS                 true to connect by TLS; implied by the next three
  KAFKA_TLS_CA              PEM file of the authorities of the brokers' certificates
  KAFKA_TLS_CERT, KAFKA_TLS_KEY
                            PEM files of the client certificate and its key
  KAFKA_SASL_MECHANISM      {", ".join(_MECHANISMS)}; empty for none
  KAFKA_USERNAME, KAFKA_PASSWORD
                            for SASL
  MLFLOW_S3_ENDPOINT_URL    object store as http(s)://host:port (required)
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
                            its credentials (required)
  AWS_REGION                its region (default us-east-1)
  AWS_CA_BUNDLE             PEM file of the authorities of its certificate
  CHURN_BUCKET              bucket of the artifacts (default churn)
  MLFLOW_MODEL_NAME         model to serve (default {DEFAULT_MODEL})
  CHURN_MAX_ROWS            most rows of one request (default 10000)
  CHURN_MAX_BODY_BYTES      largest body of one request (default 16777216)
  LOG_LEVEL                 {", ".join(_LEVELS)} (default info)
"""


def load(env_file: Path | None = Path(".env"), environ: Mapping[str, str] | None = None) -> Config:
    """Return the configuration. A variable that is set but empty counts as not set."""
    values = {k: v for k, v in dotenv_values(env_file, interpolate=False).items() if v} if env_file else {}
    values |= {k: v for k, v in (os.environ if environ is None else environ).items() if v}
    return _Reader(values).config()


class _Reader:
    """Reads typed settings; every error names the one that is wrong and repeats no secret."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def config(self) -> Config:
        return Config(
            kafka=self._kafka(),
            store=self._store(),
            model=self._match("MLFLOW_MODEL_NAME", DEFAULT_MODEL, SEGMENT),
            limits=Limits(
                rows=self._number("CHURN_MAX_ROWS", Limits.rows),
                body=self._number("CHURN_MAX_BODY_BYTES", Limits.body),
            ),
            log_level=self._choice("LOG_LEVEL", _LEVELS, "info"),
        )

    def _kafka(self) -> Kafka:
        ca, cert, key = (self._file(f"KAFKA_TLS_{name}") for name in ("CA", "CERT", "KEY"))
        if bool(cert) != bool(key):
            raise SettingError("KAFKA_TLS_CERT and KAFKA_TLS_KEY go together")
        mechanism = self._choice("KAFKA_SASL_MECHANISM", _MECHANISMS, "")
        username, password = self._text("KAFKA_USERNAME"), self._values.get("KAFKA_PASSWORD", "")
        if mechanism and not (username and password):
            raise SettingError("KAFKA_SASL_MECHANISM needs KAFKA_USERNAME and KAFKA_PASSWORD")
        if not mechanism and (username or password):
            raise SettingError("KAFKA_USERNAME or KAFKA_PASSWORD is set without KAFKA_SASL_MECHANISM")
        return Kafka(
            brokers=self._required("KAFKA_BROKERS"),
            prefix=self._match("CHURN_TOPIC_PREFIX", Kafka.prefix, _TOPIC_PREFIX),
            tls=self._boolean("KAFKA_TLS") or bool(ca or cert),
            ca=ca,
            cert=cert,
            key=key,
            mechanism=mechanism,
            username=username,
            password=password,
        )

    def _store(self) -> Store:
        url = urlsplit(self._required("MLFLOW_S3_ENDPOINT_URL"))
        if url.scheme not in ("http", "https") or not url.netloc or "@" in url.netloc or url.path.strip("/"):
            raise SettingError("MLFLOW_S3_ENDPOINT_URL is not http(s)://host:port without credentials and path")
        return Store(
            host=url.netloc,
            secure=url.scheme == "https",
            access_key=self._required("AWS_ACCESS_KEY_ID"),
            secret_key=self._required("AWS_SECRET_ACCESS_KEY"),
            bucket=self._match("CHURN_BUCKET", Store.bucket, _BUCKET),
            region=self._text("AWS_REGION") or Store.region,
            ca=self._file("AWS_CA_BUNDLE"),
        )

    def _text(self, name: str) -> str:
        return self._values.get(name, "").strip()

    def _required(self, name: str) -> str:
        value = self._text(name)
        if not value:
            raise SettingError(f"{name} is not set; --help says what it means")
        return value

    def _match(self, name: str, default: str, pattern: re.Pattern[str]) -> str:
        value = self._text(name) or default
        if not pattern.fullmatch(value):
            raise SettingError(f"{name} is {value[:200]!r}: it must match {pattern.pattern}")
        return value

    def _choice(self, name: str, words: tuple[str, ...], default: str) -> str:
        value = self._text(name) or default
        if value not in (*words, default):
            raise SettingError(f"{name} is {value[:200]!r}: it must be one of {', '.join(words)}")
        return value

    def _boolean(self, name: str) -> bool:
        return self._choice(name, ("true", "false", "1", "0"), "false") in ("true", "1")

    def _number(self, name: str, default: int) -> int:
        value = self._text(name) or str(default)
        if not re.fullmatch(r"[1-9][0-9]{0,9}", value):
            raise SettingError(f"{name} is {value[:200]!r}: it must be a whole number above zero")
        return int(value)

    def _file(self, name: str) -> str:
        value = self._text(name)
        if value and not Path(value).is_file():
            raise SettingError(f"{name} is {value[:200]!r}: there is no such file")
        return value
