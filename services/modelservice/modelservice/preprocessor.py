"""The fitted preprocessor: raw values to model features, by the same rules and arithmetic as pkg/feature in Go.

Read from preprocessor.json, the one source of truth of both languages.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError, PydanticKnownError

from modelservice.errors import Refused

MAX_SIZE = 16 << 20  # bytes of preprocessor.json
_MAX_COLUMNS = 4096
_MAX_CATEGORIES = 65536

# What is trimmed off a value: Unicode's White_Space. Python's own strip() also takes U+001C to U+001F.
WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?"
_NUMBER = re.compile(NUMBER, re.ASCII)

Row = Mapping[str, float | str]
Matrix = NDArray[np.float64]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=256)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Numeric(_Strict):
    """A column that is standardized: (x - mean) / deviation."""

    name: Name
    kind: Literal["numeric"]
    missing: Literal["error", "zero", "mean"]
    fill: Finite | None  # put in for a blank
    min: Finite | None
    max: Finite | None
    mean: Finite
    deviation: Annotated[Finite, Field(gt=0)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.fill is None) != (self.missing == "error"):
            raise ValueError("fill must be null if missing is error, and a number otherwise")
        if self.missing == "zero" and self.fill != 0:
            raise ValueError("fill must be 0 if missing is zero")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        return self

    @property
    def optional(self) -> bool:
        """Whether a blank is allowed."""
        return self.fill is not None

    @property
    def features(self) -> list[str]:
        """Names of the features that the column becomes."""
        return [self.name]

    def read(self, value: Any) -> float:
        """Return a raw value, from JSON or CSV, as the number it stands for.

        Raises pydantic's errors, which say what is wrong with it.
        """
        if value is None or (isinstance(value, str) and not value.strip(WHITE_SPACE)):
            if self.fill is None:
                raise blank()
            return self.fill
        number = _number(value)
        if self.min is not None and number < self.min:
            raise PydanticKnownError("greater_than_equal", {"ge": self.min})
        if self.max is not None and number > self.max:
            raise PydanticKnownError("less_than_equal", {"le": self.max})
        return number

    def encode(self, values: Sequence[float | str], out: Matrix) -> list[int]:
        """Write the column's features of each row to out, rows by 1."""
        out[:, 0] = (np.asarray(values, dtype=np.float64) - self.mean) / self.deviation
        return []


class Categorical(_Strict):
    """A column that is one-hot encoded over the categories of the training rows."""

    name: Name
    kind: Literal["categorical"]
    missing: Literal["error", "category"]
    categories: Annotated[list[str], Field(min_length=1, max_length=_MAX_CATEGORIES)]

    @field_validator("categories")
    @classmethod
    def _sorted(cls, categories: list[str]) -> list[str]:
        keys = [c.encode() for c in categories]
        if any(a >= b for a, b in pairwise(keys)):
            raise ValueError("categories must be sorted bytewise, each once")
        if any(c.strip(WHITE_SPACE) != c for c in categories):
            raise ValueError("categories must be without white space around them")
        return categories

    @property
    def optional(self) -> bool:
        """Whether a blank is allowed."""
        return self.missing == "category"

    @property
    def features(self) -> list[str]:
        """Names of the features that the column becomes."""
        return [f"{self.name}={c}" for c in self.categories]

    @cached_property
    def _index(self) -> dict[str, int]:
        return {c: i for i, c in enumerate(self.categories)}

    def read(self, value: Any) -> str:
        """Return a raw value, from JSON or CSV, as the category it names: 0 and "0" are one.

        Raises pydantic's errors, which say what is wrong with it.
        """
        text = _text(value).strip(WHITE_SPACE)
        if not text and self.missing == "error":
            raise blank()
        return text

    def encode(self, values: Sequence[float | str], out: Matrix) -> list[int]:
        """Write the column's features of each row to out, rows by categories.

        Returns the rows whose category was not seen in training: all zeros.
        """
        unseen = []
        for row, value in enumerate(values):
            i = self._index.get(str(value))
            if i is None:
                unseen.append(row)
            else:
                out[row, i] = 1.0
        return unseen


Column = Annotated[Numeric | Categorical, Field(discriminator="kind")]


def blank() -> PydanticCustomError:
    """Return the error of a blank in a column that has no rule for one."""
    return PydanticCustomError("blank", "Value should not be blank")


_MAX_BITS = 1023  # of an integer that is a float


def _number(value: Any) -> float:
    if isinstance(value, str):
        text = value.strip(WHITE_SPACE)
        if not _NUMBER.fullmatch(text):
            raise PydanticKnownError("float_parsing")
        number = float(text)
    elif isinstance(value, float):
        number = value
    elif isinstance(value, int) and not isinstance(value, bool):
        number = float(value) if value.bit_length() <= _MAX_BITS else math.inf
    else:
        raise PydanticKnownError("float_type")
    if not math.isfinite(number):
        raise PydanticKnownError("finite_number")
    return number


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticKnownError("string_type")
    if (isinstance(value, int) and value.bit_length() > _MAX_BITS) or not math.isfinite(value):
        raise PydanticKnownError("finite_number")
    return str(int(value)) if value == int(value) else repr(value)


class _Target(_Strict):
    column: Name
    positive: str
    negative: str


class _Split(_Strict):
    test: Finite
    validation: Finite
    salt: str


@dataclass(frozen=True)
class Unseen:
    """A category that was not seen in training."""

    row: int
    column: str
    value: str


class Preprocessor(_Strict):
    """preprocessor.json, version 1."""

    version: Literal[1]
    dataset: Name
    key: Name
    target: _Target
    split: _Split
    columns: Annotated[list[Column], Field(min_length=1, max_length=_MAX_COLUMNS)]
    features: list[str]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [c.name.lower() for c in self.columns] + [self.key.lower(), self.target.column.lower()]
        if len(set(names)) != len(names):
            raise ValueError("two columns have one name, which is matched without regard to case")
        if self.features != [f for c in self.columns for f in c.features]:
            raise ValueError("features must be those of the columns, in the columns' order")
        return self

    @property
    def width(self) -> int:
        """Number of features."""
        return len(self.features)

    def transform(self, rows: Sequence[Row]) -> tuple[Matrix, list[Unseen]]:
        """Return the features, rows by width, and the categories that were not seen in training."""
        out = np.zeros((len(rows), self.width))
        unseen: list[Unseen] = []
        at = 0
        with np.errstate(over="ignore"):
            for column in self.columns:
                values, width = [row[column.name] for row in rows], len(column.features)
                missed = column.encode(values, out[:, at : at + width])
                unseen += [Unseen(i, column.name, str(values[i])) for i in missed]
                at += width
        return out, unseen


def parse(text: bytes) -> Preprocessor:
    """Return the preprocessor of a preprocessor.json, strictly checked."""
    if len(text) > MAX_SIZE:
        raise Refused(f"preprocessor.json has more than {MAX_SIZE} bytes")
    try:
        return Preprocessor.model_validate_json(text)
    except ValidationError as err:
        first = err.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise Refused(f"preprocessor.json: {where}: {first['msg']}") from err
