"""Raw rows, checked against the preprocessor's columns."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails, PydanticCustomError, SchemaValidator, ValidationError, core_schema

from modelservice.preprocessor import NUMBER, WHITE_SPACE, Column, Numeric, Preprocessor, Row

_SHOWN = 50  # categories that the API docs list
_MAX_ERRORS = 100  # told of one request: rows in their thousands are mostly wrong in one way
_MAX_UNKNOWN = 10  # fields of one row that are told to be unknown
_MAX_NAME = 100  # characters of an unknown field's name that are repeated


class InvalidRows(Exception):  # noqa: N818 - as Refused
    """Rows are wrong: the first errors, whose locations begin with the row's index."""

    def __init__(self, errors: list[ErrorDetails]) -> None:
        super().__init__(f"{len(errors)} values are wrong; the first: {errors[0]['loc']}: {errors[0]['msg']}")
        self.errors = errors


class RowSchema:
    """What a raw row of one preprocessor looks like: its check, its JSON Schema, and an example.

    Columns are matched without regard to case, as in a CSV. The key and the target may be in a row; they are
    ignored.
    """

    def __init__(self, preprocessor: Preprocessor) -> None:
        self._columns = preprocessor.columns
        self._names = {c.name.lower(): c.name for c in self._columns}
        self._ignored = {preprocessor.key.lower(), preprocessor.target.column.lower()}
        self._validator = SchemaValidator(self._row_schema())

    def check(self, rows: list[Any]) -> list[Row]:
        """Return the rows with every value read. Raises InvalidRows."""
        checked: list[Row] = []
        errors: list[ErrorDetails] = []
        for i, row in enumerate(rows):
            try:
                checked.append(self._validator.validate_python(row))
            except ValidationError as err:
                found = err.errors(include_url=False, include_input=False, include_context=False)
                errors += [e | {"loc": (i, *e["loc"])} for e in found]
                if len(errors) >= _MAX_ERRORS:
                    break
        if errors:
            raise InvalidRows(errors[:_MAX_ERRORS])
        return checked

    def _row_schema(self) -> core_schema.CoreSchema:
        fields = {
            c.name: core_schema.typed_dict_field(core_schema.no_info_plain_validator_function(c.read))
            for c in self._columns
        }
        row = core_schema.typed_dict_schema(fields, extra_behavior="forbid")
        return core_schema.no_info_before_validator_function(self._canonical, row)

    def _canonical(self, row: Any) -> Any:
        """Return the row under the columns' own names, without key and target, and with the first unknown fields."""
        if not isinstance(row, Mapping):
            return row
        named: dict[str, Any] = {}
        unknown: dict[str, None] = {}
        for field, value in row.items():
            folded = field.strip(WHITE_SPACE).lower()
            if folded in self._ignored:
                continue
            name = self._names.get(folded)
            if name is None:
                if len(unknown) < _MAX_UNKNOWN:
                    unknown[_shown(field)] = None
            elif name in named:
                raise PydanticCustomError("duplicate", "Field {name} should be given once", {"name": name})
            else:
                named[name] = value
        return named | unknown

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


def _shown(field: str) -> str:
    """Return an unknown field's name as an answer may repeat it: short, and without halves of surrogate pairs."""
    return field[:_MAX_NAME].encode(errors="replace").decode()


def _json_schema(column: Column) -> dict[str, Any]:
    null = [{"type": "null"}] if column.optional else []
    if isinstance(column, Numeric):
        bounds = {"minimum": column.min, "maximum": column.max}
        number = {"type": "number"} | {k: v for k, v in bounds.items() if v is not None}
        blank = " A blank is allowed." if column.optional else ""
        return {
            "anyOf": [number, {"type": "string", "pattern": f"^{NUMBER}$"}, *null],
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
