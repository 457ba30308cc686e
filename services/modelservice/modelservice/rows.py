"""Raw rows, checked against the preprocessor's columns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import SchemaValidator, ValidationError, core_schema

from modelservice.preprocessor import NUMBER, WHITE_SPACE, Column, Numeric, Preprocessor, Row

_SHOWN = 50  # categories that the API docs list
_MAX_WRONG = 100  # told of one request: rows in their thousands are mostly wrong in one way
_MAX_UNKNOWN = 10  # told of one row
_MAX_NAME = 100  # characters of an unknown field's name that are repeated


@dataclass(frozen=True)
class Wrong:
    """What is wrong with one field of a row, or with the row if field is None."""

    row: int
    field: str | None
    kind: str  # pydantic's word for it
    message: str


class InvalidRows(Exception):  # noqa: N818 - as Refused
    """Rows are wrong. Holds what is found first."""

    def __init__(self, wrong: list[Wrong]) -> None:
        super().__init__(f"row {wrong[0].row}, field {wrong[0].field}: {wrong[0].message}")
        self.wrong = wrong


class RowSchema:
    """What a raw row of one preprocessor looks like: its check, its JSON Schema, and an example.

    Columns are matched without regard to case, as in a CSV. The key and the target may be in a row; they are
    ignored.
    """

    def __init__(self, preprocessor: Preprocessor) -> None:
        self._columns = preprocessor.columns
        self._names = {c.name.lower(): c.name for c in self._columns}
        self._ignored = {preprocessor.key.lower(), preprocessor.target.column.lower()}
        fields = {
            c.name: core_schema.typed_dict_field(core_schema.no_info_plain_validator_function(c.read))
            for c in self._columns
        }
        self._validator = SchemaValidator(core_schema.typed_dict_schema(fields))

    def check(self, rows: list[Any]) -> list[Row]:
        """Return the rows with every value read. Raises InvalidRows."""
        checked: list[Row] = []
        wrong: list[Wrong] = []
        for i, row in enumerate(rows):
            found = list(self._unknown(i, row))
            try:
                checked.append(self._validator.validate_python(self._canonical(row)))
            except ValidationError as err:
                found += _wrong(i, err)
            wrong += found
            if len(wrong) >= _MAX_WRONG:
                break
        if wrong:
            raise InvalidRows(wrong[:_MAX_WRONG])
        return checked

    def _canonical(self, row: Any) -> Any:
        """Return the fields of a row that are columns, under the columns' own names."""
        if not isinstance(row, Mapping):
            return row
        return {self._names[f]: value for field, value in row.items() if (f := _folded(field)) in self._names}

    def _unknown(self, index: int, row: Any) -> Iterator[Wrong]:
        """Return the first fields of a row that are no columns, or one column twice."""
        seen: set[str] = set()
        told = 0
        for field in row if isinstance(row, Mapping) else ():
            folded = _folded(field)
            if folded in self._ignored:
                continue
            if folded not in self._names:
                yield Wrong(index, _shown(field), "extra_forbidden", "There is no such column")
            elif folded in seen:
                yield Wrong(index, self._names[folded], "duplicate", "Field should be given once")
            else:
                seen.add(folded)
                continue
            told += 1
            if told == _MAX_UNKNOWN:
                return

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a row."""
        return {
            "title": "Row",
            "type": "object",
            "properties": {c.name: _json_schema(c) for c in self._columns},
            "required": list(self._names.values()),
            "example": self.example(),
        }

    def example(self) -> dict[str, Any]:
        """Return a row that could be sent."""
        return {c.name: _example(c) for c in self._columns}


def _folded(field: str) -> str:
    return field.strip(WHITE_SPACE).lower()


def _shown(field: str) -> str:
    """Return an unknown field's name as an answer may repeat it: short, and without halves of surrogate pairs."""
    return field[:_MAX_NAME].encode(errors="replace").decode()


def _wrong(index: int, err: ValidationError) -> list[Wrong]:
    """Return what a validator found in a row."""
    errors = err.errors(include_url=False, include_input=False, include_context=False)
    return [Wrong(index, str(e["loc"][0]) if e["loc"] else None, e["type"], e["msg"]) for e in errors]


def _json_schema(column: Column) -> dict[str, Any]:
    null = [{"type": "null"}] if column.optional else []
    if isinstance(column, Numeric):
        bounds = {"minimum": column.min, "maximum": column.max}
        number = {"type": "number"} | {k: v for k, v in bounds.items() if v is not None}
        blank = " A blank is allowed." if column.optional else ""
        return {
            "anyOf": [number, {"type": "string", "pattern": rf"^\s*({NUMBER}){'?' if null else ''}\s*$"}, *null],
            "description": f"A number, or its text.{blank}",
        }
    shown = ", ".join(repr(c) for c in column.categories[:_SHOWN])
    more = ", …" if len(column.categories) > _SHOWN else ""
    return {
        "anyOf": [{"type": "string"}, {"type": "number"}, *null],
        "description": f"Seen in training: {shown}{more}. Others are allowed, and the answer warns of them.",
    }


def _example(column: Column) -> float | str:
    if not isinstance(column, Numeric):
        return next((c for c in column.categories if c), "")
    value = float(round(column.mean, 2))
    low = value if column.min is None else column.min
    high = value if column.max is None else column.max
    return min(max(value, low), high)
