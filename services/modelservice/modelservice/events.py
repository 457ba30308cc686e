"""Promotions out of Kafka records: CloudEvents 1.0, binary or structured, with protobuf or JSON data."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asfotec.churn.artifact.v1.artifact_pb2 import Artifact
from asfotec.churn.event.v1.decision_pb2 import ModelPromoted
from cloudevents.core.base import BaseCloudEvent, EventFactory
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, from_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from google.protobuf import json_format

from modelservice import cloudevents_pb
from modelservice.config import SEGMENT
from modelservice.errors import Refused

PROMOTED = "com.asfotec.churn.model-promoted.v1"
_MAX_SIZE = 1 << 20  # bytes of a record's value: large things belong in artifacts
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PROTOBUF = ("application/protobuf", "application/x-protobuf")
_JSON = re.compile(r"application/([\w.-]+\+)?json")


@dataclass(frozen=True)
class Record:
    """One record of a topic."""

    topic: str
    partition: int
    offset: int
    value: bytes | None  # None: a tombstone of a compacted topic
    headers: Sequence[tuple[str, bytes]]

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


class _RawJSONFormat(JSONFormat):
    """The JSON format, which leaves the data of binary events as the bytes they are."""

    def read_data(self, body: bytes, datacontenttype: str | None) -> bytes:  # noqa: ARG002
        return body


class _ProtobufFormat(_RawJSONFormat):
    """Reads the protobuf format."""

    def read(self, event_factory: EventFactory | None, data: str | bytes) -> BaseCloudEvent:  # noqa: ARG002
        message = cloudevents_pb.CloudEvent.FromString(data)
        attributes = {name: value.ce_string for name, value in message.attributes.items() if value.ce_string}
        attributes.pop("time", None)
        attributes |= {"id": message.id, "source": message.source, "type": message.type}
        attributes["specversion"] = message.spec_version
        kind = message.WhichOneof("data")
        if kind == "proto_data":
            attributes["datacontenttype"] = _PROTOBUF[0]
            return CloudEvent(attributes, message.proto_data.value)
        return CloudEvent(attributes, getattr(message, kind) if kind else None)


_FORMATS = {
    "application/cloudevents+json": _RawJSONFormat(),
    "application/cloudevents+protobuf": _ProtobufFormat(),
}


def decode(record: Record) -> ModelPromoted | None:
    """Return the promotion in a record, or None if it is a tombstone or another type of event.

    Raises Refused, which says what is wrong, for anything that is not a valid event.
    """
    if record.value is None:
        return None
    if len(record.value) > _MAX_SIZE:
        raise Refused(f"{record}: the record has more than {_MAX_SIZE} bytes")
    try:
        event = _read(record.value, {name.lower(): value or b"" for name, value in record.headers})
        if event.get_type() != PROMOTED:
            return None
        promotion = _unpack(event)
    # The SDK's and protobuf's parsers fail on hostile bytes in many ways, none of which may end the follower.
    except Exception as err:
        raise Refused(f"{record}: not a CloudEvent with a promotion: {str(err)[:500]}") from err
    _check(record, promotion)
    return promotion


def _read(value: bytes, headers: dict[str, bytes]) -> BaseCloudEvent:
    message = KafkaMessage(headers=headers, key=None, value=value)
    media = _media(headers.get("content-type", b"").decode())
    if not media.startswith("application/cloudevents"):
        if "ce_specversion" not in headers:
            raise ValueError("there is neither a ce_specversion header nor a structured content-type")
        return from_binary(message, _RawJSONFormat(), CloudEvent)
    if media not in _FORMATS:
        raise ValueError(f"content-type is {media[:100]!r}: of structured events, JSON and protobuf are known")
    return from_structured(message, _FORMATS[media], CloudEvent)


def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _unpack(event: BaseCloudEvent) -> ModelPromoted:
    data, media = event.get_data(), _media(event.get_datacontenttype() or "application/json")
    if not data:
        raise ValueError("the event has no data")
    if media in _PROTOBUF and isinstance(data, bytes):
        return ModelPromoted.FromString(data)
    if _JSON.fullmatch(media):
        fields: Any = data if isinstance(data, dict) else json.loads(data)
        return json_format.ParseDict(fields, ModelPromoted(), ignore_unknown_fields=True)
    raise ValueError(f"the media type of the data is {media[:100]!r}: protobuf or JSON is expected")


def _check(record: Record, promotion: ModelPromoted) -> None:
    """Refuse a promotion without what a server needs."""
    for name, text in (("model", promotion.model), ("run", promotion.run)):
        if not SEGMENT.fullmatch(text):
            raise Refused(f"{record}: {name} is {text[:200]!r}: letters, digits, '.', '_' and '-' are expected")
    for name, number in (("version", promotion.version), ("generation", promotion.generation)):
        if number < 1:
            raise Refused(f"{record}: {name} is {number}: it counts from 1")
    threshold = promotion.operating_point.threshold
    if not 0 <= threshold <= 1:  # nor is NaN
        raise Refused(f"{record}: operating_point.threshold is {threshold}: it is a probability")
    _check_artifact(record, "candidate.model", promotion.candidate.model)
    _check_artifact(record, "features.preprocessor", promotion.features.preprocessor)


def _check_artifact(record: Record, name: str, artifact: Artifact) -> None:
    if not artifact.uri or not _SHA256.fullmatch(artifact.sha256) or artifact.size < 1:
        raise Refused(f"{record}: {name} lacks its URI, size or SHA-256 in lower-case hex")
