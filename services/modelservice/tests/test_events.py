"""Promotions are read out of every form of CloudEvent that a producer may send."""

import base64
import json
from typing import Any

import pytest
from asfotec.churn.event.v1.decision_pb2 import ModelPromoted
from google.protobuf.json_format import MessageToDict

from modelservice import cloudevents_pb, events
from modelservice.errors import Refused
from modelservice.events import PROMOTED, Record, decode

from .conftest import RUN


@pytest.fixture
def promotion() -> ModelPromoted:
    p = ModelPromoted(model="churn-classifier", version=3, generation=3, run=RUN)
    for artifact in (p.candidate.model, p.features.preprocessor):
        artifact.uri, artifact.sha256, artifact.size = "s3://churn/x", "a" * 64, 7
    return p


def record(value: bytes | None, headers: dict[str, str]) -> Record:
    return Record("churn.model-promoted", 0, 7, value, [(k, v.encode()) for k, v in headers.items()])


ATTRIBUTES = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/gate", "ce_type": PROMOTED}


def binary(value: bytes, **headers: str) -> Record:
    return record(value, ATTRIBUTES | {"content-type": "application/protobuf"} | headers)


def structured(content: dict[str, Any], media: str = "application/cloudevents+json; charset=UTF-8") -> Record:
    event = {"specversion": "1.0", "id": "1", "source": "/gate", "type": PROMOTED} | content
    return record(json.dumps(event).encode(), {"Content-Type": media})


def test_binary(promotion: ModelPromoted) -> None:
    assert decode(binary(promotion.SerializeToString())) == promotion


def test_structured_json(promotion: ModelPromoted) -> None:
    for fields in (MessageToDict(promotion), MessageToDict(promotion, preserving_proto_field_name=True)):
        assert decode(structured({"datacontenttype": "application/json", "data": fields})) == promotion
    data = base64.b64encode(promotion.SerializeToString()).decode()
    assert decode(structured({"datacontenttype": "application/protobuf", "data_base64": data})) == promotion
    assert decode(structured({"data": MessageToDict(promotion)}, media="APPLICATION/CloudEvents+JSON")) == promotion


def test_structured_protobuf(promotion: ModelPromoted) -> None:
    event = cloudevents_pb.CloudEvent(id="1", source="/gate", spec_version="1.0", type=PROMOTED)
    event.proto_data.value = promotion.SerializeToString()
    assert decode(record(event.SerializeToString(), {"content-type": "application/cloudevents+protobuf"})) == promotion


def test_tombstones_and_other_events_are_passed_over(promotion: ModelPromoted) -> None:
    assert decode(record(None, {})) is None
    assert decode(binary(promotion.SerializeToString(), ce_type="com.example.other")) is None


def test_malformed_records_are_refused(promotion: ModelPromoted) -> None:
    value = promotion.SerializeToString()
    malformed = [
        record(b"", {}),
        record(value, {}),
        binary(b"\xff" + value),
        binary(b""),
        binary(value, ce_specversion="9"),
        binary(value, **{"content-type": "text/plain"}),
        binary(b"x" * (2 << 20)),
        record(b"{", {"content-type": "application/cloudevents+json"}),
        record(b"[" * 100_000, {"content-type": "application/cloudevents+json"}),
        record(b"\xff", {"content-type": "application/cloudevents+protobuf"}),
        record(b"<x/>", {"content-type": "application/cloudevents+xml"}),
        structured({"data": [1]}),
        structured({"data": {"version": "many"}}),
    ]
    for bad in malformed:
        with pytest.raises(Refused, match=r"churn\.model-promoted/0@7: "):
            decode(bad)


def test_a_promotion_without_what_a_server_needs_is_refused(promotion: ModelPromoted) -> None:
    changes: list[tuple[str, Any]] = [
        ("model", ""),
        ("model", "../x"),
        ("run", ""),
        ("version", 0),
        ("generation", -1),
        ("candidate.model.sha256", "A" * 64),
        ("candidate.model.uri", ""),
        ("features.preprocessor.size", 0),
        ("operating_point.threshold", 1.5),
        ("operating_point.threshold", float("nan")),
    ]
    for path, value in changes:
        changed = ModelPromoted()
        changed.CopyFrom(promotion)
        *parents, last = path.split(".")
        at: Any = changed
        for part in parents:
            at = getattr(at, part)
        setattr(at, last, value)
        with pytest.raises(Refused, match=parents[-1] if parents else last):
            decode(binary(changed.SerializeToString()))


def test_the_type_is_the_schemas() -> None:
    assert events.PROMOTED.endswith(".model-promoted.v1")
