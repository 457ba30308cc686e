"""Artifacts are read from one bucket, and verified."""

import pytest
from asfotec.churn.artifact.v1.artifact_pb2 import Artifact

from modelservice.artifacts import key_of, verify
from modelservice.errors import Refused


def test_the_key_of_a_clean_uri() -> None:
    assert key_of("s3://churn/runs/1/model.txt", "churn") == "runs/1/model.txt"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "s3://",
        "s3://churn",
        "s3://churn/",
        "s3://other/x",
        "http://churn/x",
        "s3://churn/../x",
        "s3://churn//x",
        "s3://churn/a/../b",
        "s3://churn/a\\b",
        "s3://churn/a\nb",
        "s3://churn/.",
        "s3://churn/" + "x" * 2000,
        "file:///etc/passwd",
    ],
)
def test_what_is_no_clean_uri_of_the_bucket_is_refused(uri: str) -> None:
    with pytest.raises(Refused):
        key_of(uri, "churn")


def test_bytes_are_verified() -> None:
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of abc
    assert verify(Artifact(uri="x", size=3, sha256=digest), b"abc") == b"abc"
    for body in (b"abd", b"ab", b"abcd", b""):
        with pytest.raises(Refused):
            verify(Artifact(uri="x", size=3, sha256=digest), body)
