"""The preprocessing is Go's, to the last bit."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic_core import PydanticCustomError, PydanticKnownError

from modelservice import preprocessor
from modelservice.errors import Refused
from modelservice.preprocessor import Categorical, Numeric
from modelservice.rows import RowSchema

from .conftest import Encoded, encode, telco


def test_every_row_of_the_data_becomes_what_it_becomes_in_go(encoded: Encoded) -> None:
    p = encoded.preprocessor
    features, unseen = p.transform(RowSchema(p).check(encoded.rows))
    assert features.shape == encoded.matrix.shape == (7043, 46)
    assert np.max(np.abs(features - encoded.matrix)) <= 1e-12
    assert unseen == []


def test_odd_spellings_become_what_they_become_in_go(tmp_path: Path) -> None:
    """Numbers, blanks and white space as only other programs write them."""
    with telco().open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    spellings = (
        "+1",
        "1.",
        ".5e1",
        "1E+1",
        " 7\u00a0",
        "00012",
        "1e-300",
        "72.0000000000000001",
        "4.9406564584124654e-324",
    )
    for row, spelling in zip(rows, spellings, strict=False):
        row["tenure"] = row["TotalCharges"] = spelling
    blanks = ("", " ", "\u3000", "\t\u2003 ", "\u0085")
    for row, blank in zip(rows[100:], blanks, strict=False):
        row["TotalCharges"] = blank
    for row, category in zip(
        rows[200:], ("One year ", "\u00a0Two year", "\x1fOne year", "Été", "one year"), strict=False
    ):
        row["Contract"] = category
    with (tmp_path / "odd.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    encoded = encode(tmp_path / "odd.csv", tmp_path)
    features, _ = encoded.preprocessor.transform(RowSchema(encoded.preprocessor).check(rows))
    assert np.max(np.abs(features - encoded.matrix)) <= 1e-12


def test_json_numbers_are_what_their_text_is(encoded: Encoded, raw: dict[str, Any]) -> None:
    schema, p = RowSchema(encoded.preprocessor), encoded.preprocessor
    typed = raw | {name: json.loads(raw[name]) for name in ("SeniorCitizen", "tenure", "MonthlyCharges")}
    a, _ = p.transform(schema.check([raw]))
    b, _ = p.transform(schema.check([typed]))
    assert np.array_equal(a, b)


def test_a_blank_means_what_the_spec_says(encoded: Encoded, raw: dict[str, Any]) -> None:
    schema, p = RowSchema(encoded.preprocessor), encoded.preprocessor
    features = [p.transform(schema.check([raw | {"TotalCharges": blank}]))[0] for blank in (" ", "", None, 0, "0")]
    for other in features[1:]:
        assert np.array_equal(features[0], other)


def test_an_unseen_category_is_all_zeros_and_told(encoded: Encoded, raw: dict[str, Any]) -> None:
    p = encoded.preprocessor
    features, unseen = p.transform(RowSchema(p).check([raw | {"Contract": "Weekly"}]))
    of_contract = [i for i, name in enumerate(p.features) if name.startswith("Contract=")]
    assert features[0, of_contract].tolist() == [0, 0, 0]
    assert [(u.row, u.column, u.value) for u in unseen] == [(0, "Contract", "Weekly")]


NUMBER = Numeric(name="n", kind="numeric", missing="error", fill=None, min=0, max=100, mean=0, deviation=1)


@pytest.mark.parametrize(
    ("value", "number"),
    [("1", 1), (" 1.5 ", 1.5), ("+2", 2), (".5", 0.5), ("5.", 5), ("1e2", 100), (7, 7), (7.25, 7.25), ("0", 0)],
)
def test_numbers(value: object, number: float) -> None:
    assert NUMBER.read(value) == number


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        None,
        "x",
        "1,5",
        "0x10",
        "1_0",
        "inf",
        "nan",
        "1e9999",
        "--1",
        "1e",
        True,
        [],
        {},
        "-1",
        101,
        "\uff11",
        10**400,
        float("nan"),
    ],
)
def test_what_is_no_number_in_range_is_refused(value: object) -> None:
    with pytest.raises((PydanticKnownError, PydanticCustomError)):
        NUMBER.read(value)


@pytest.mark.parametrize(
    ("value", "category"), [("a", "a"), (" a\t", "a"), (1, "1"), (1.0, "1"), (1.5, "1.5"), ("\x1fa", "\x1fa")]
)
def test_categories(value: object, category: str) -> None:
    column = Categorical(name="c", kind="categorical", missing="error", categories=["a"])
    assert column.read(value) == category


@pytest.mark.parametrize("value", [True, [], {}, None, " ", float("inf"), 10**400])
def test_what_is_no_category_is_refused(value: object) -> None:
    column = Categorical(name="c", kind="categorical", missing="error", categories=["a"])
    with pytest.raises((PydanticKnownError, PydanticCustomError)):
        column.read(value)


def _change(document: dict[str, Any], path: str, value: object) -> bytes:
    at: Any = document
    *parents, last = path.split(".")
    for part in parents:
        at = at[int(part)] if part.isdigit() else at[part]
    at[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 2),
        ("unknown", 1),
        ("features", ["x"]),
        ("columns", []),
        ("columns.0.name", "tenure"),
        ("columns.0.categories", ["b", "a"]),
        ("columns.0.categories", []),
        ("columns.4.deviation", 0),
        ("columns.4.mean", "0"),
        ("columns.4.fill", 1),
        ("target", {}),
    ],
)
def test_a_preprocessor_that_does_not_hold_together_is_refused(encoded: Encoded, path: str, value: object) -> None:
    with pytest.raises(Refused, match=r"preprocessor\.json"):
        preprocessor.parse(_change(json.loads(encoded.text), path, value))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 100_000])
def test_what_is_no_preprocessor_is_refused(text: bytes) -> None:
    with pytest.raises(Refused):
        preprocessor.parse(text)
