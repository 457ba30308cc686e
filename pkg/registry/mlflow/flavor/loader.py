"""Scores raw rows with a churn model, by the rules and the arithmetic of ModelService and of pkg/feature in Go.

Loaded by mlflow.pyfunc.load_model and `mlflow models serve`. A row goes in as it stands in a CSV of the training
data's columns: numbers as numbers or as their text, a blank as an empty text, None or NaN. Out come two columns,
under the rows' own index:

    probability  of the positive class
    label        the positive label from the probability in operating_point.json on, the negative one below

All columns of the signature must be there; others, such as the key and the target, are ignored. A category that
training had not seen is scored as none of the known ones, and the log tells. A blank means what preprocessor.json
says. What cannot be scored is an MlflowException that names rows (from 0) and columns; over HTTP, status 400.

pandas guesses: pandas.read_csv(file, dtype=str, keep_default_na=False) keeps a category such as 007, None or True as
it is written. `mlflow models serve` takes rows as JSON (dataframe_split, dataframe_records, inputs, instances), not as
CSV, for which it wants one type a column.
"""

import json
import logging
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_BATCH = 1 << 20  # values of features at a time: 8 MiB, however wide the model is
_MAX_WRONG = 10  # told of one call: rows in their thousands are mostly wrong in one way
_MAX_BITS = 1023  # of an integer that is a float
# What is trimmed off a value: Unicode's White_Space. Python's own strip() also takes U+001C to U+001F.
_WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_log = logging.getLogger(__name__)


class Numeric:
    """A column that is standardized: (x - mean) / deviation."""

    width = 1

    def __init__(self, column: dict[str, Any]) -> None:
        self.name: str = column["name"]
        self._fill, self._min, self._max = column["fill"], column["min"], column["max"]
        self._mean, self._deviation = column["mean"], column["deviation"]

    def read(self, value: Any) -> float:
        """Return a raw value as the number it stands for, or raise a ValueError."""
        if value is None or (isinstance(value, str) and not value.strip(_WHITE_SPACE)):
            if self._fill is None:
                raise ValueError("a blank is not allowed")
            return float(self._fill)
        number = _number(value)
        if self._min is not None and number < self._min:
            raise ValueError(f"the number is below {self._min}")
        if self._max is not None and number > self._max:
            raise ValueError(f"the number is above {self._max}")
        return number

    def encode(self, values: list[float], out: Matrix) -> None:
        """Write the column's feature of each row to out, rows by 1."""
        with np.errstate(over="ignore"):
            out[:, 0] = (np.asarray(values, dtype=np.float64) - self._mean) / self._deviation


class Categorical:
    """A column that is one-hot encoded over the categories of the training rows."""

    def __init__(self, column: dict[str, Any]) -> None:
        self.name: str = column["name"]
        self.width = len(column["categories"])
        self._index = {category: i for i, category in enumerate(column["categories"])}
        self._blank = column["missing"] == "category"

    def read(self, value: Any) -> str:
        """Return a raw value as the category it names, or raise a ValueError: 0 and "0" are one."""
        text = _text(value).strip(_WHITE_SPACE)
        if not text and not self._blank:
            raise ValueError("a blank is not allowed")
        return text

    def encode(self, values: list[str], out: Matrix) -> None:
        """Write the column's features of each row to out, rows by categories: zeros of a category that is new."""
        unseen = 0
        for row, value in enumerate(values):
            i = self._index.get(value)
            if i is None:
                unseen += 1
            else:
                out[row, i] = 1.0
        if unseen:
            _log.warning("column %s: %d of %d rows have an unseen category", self.name, unseen, len(values))


def _number(value: Any) -> float:
    if isinstance(value, str):
        text = value.strip(_WHITE_SPACE)
        if not _NUMBER.fullmatch(text):
            raise ValueError("the text is not a number")
        return _finite(float(text))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a number or its text is wanted, not {type(value).__name__}")
    return _finite(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a text or a number is wanted, not {type(value).__name__}")
    _finite(value)
    return str(int(value)) if value == int(value) else repr(value)


def _finite(number: float) -> float:
    if (isinstance(number, int) and number.bit_length() > _MAX_BITS) or not math.isfinite(number):
        raise ValueError("the number is not finite")
    return float(number)


def _values(column: pd.Series) -> Iterator[Any]:
    """Return a column's values as JSON would have them: Python's own, and None for what is missing."""
    for item in column.tolist():
        value = item.item() if isinstance(item, np.generic) else item
        missing = value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))
        yield None if missing else value


class Model:
    """A registered version, ready to predict."""

    def __init__(self, preprocessor: dict[str, Any], booster: lightgbm.Booster, threshold: float) -> None:
        if preprocessor.get("version") != 1:
            raise ValueError(f"preprocessor.json is of version {preprocessor.get('version')!r}, not 1")
        kinds: dict[str, type[Numeric | Categorical]] = {"numeric": Numeric, "categorical": Categorical}
        self._columns = [kinds[column["kind"]](column) for column in preprocessor["columns"]]
        self._labels = preprocessor["target"]["negative"], preprocessor["target"]["positive"]
        self._width = sum(column.width for column in self._columns)
        self._booster = booster
        self._threshold = threshold
        if booster.num_feature() != self._width:
            raise ValueError(
                f"the model takes {booster.num_feature()} features and preprocessor.json makes {self._width}"
            )

    def predict(self, model_input: Any) -> pd.DataFrame:
        """Return probability and label of each raw row of a DataFrame, a list of dicts, or one dict."""
        rows = _frame(model_input)
        columns = self._read(rows)
        probabilities = np.empty(len(rows))
        batch = max(1, _BATCH // self._width)
        for start in range(0, len(rows), batch):
            end = min(start + batch, len(rows))
            probabilities[start:end] = self._booster.predict(self._encode(columns, start, end))
        negative, positive = self._labels
        labels = [positive if p >= self._threshold else negative for p in probabilities]
        return pd.DataFrame({"probability": probabilities, "label": labels}, index=rows.index)

    def _read(self, rows: pd.DataFrame) -> list[list[Any]]:
        """Return the values of each column, checked."""
        if missing := [column.name for column in self._columns if column.name not in rows.columns]:
            raise _refused(f"these columns are missing: {', '.join(map(repr, missing))}")
        wrong: list[str] = []
        read = [list(_read(column, _values(rows[column.name]), wrong)) for column in self._columns]
        if wrong:
            more = "; and perhaps more" if len(wrong) == _MAX_WRONG else ""
            raise _refused(f"the rows cannot be scored: {'; '.join(wrong)}{more}")
        return read

    def _encode(self, columns: list[list[Any]], start: int, end: int) -> Matrix:
        """Return the features of some rows, rows by width."""
        features: Matrix = np.zeros((end - start, self._width))
        at = 0
        for column, values in zip(self._columns, columns, strict=True):
            column.encode(values[start:end], features[:, at : at + column.width])
            at += column.width
        return features


def _refused(message: str) -> MlflowException:
    """Return the error whose message MLflow's server passes on to the client."""
    return MlflowException.invalid_parameter_value(message)


def _frame(model_input: Any) -> pd.DataFrame:
    if isinstance(model_input, pd.DataFrame):
        return model_input
    return pd.DataFrame([model_input] if isinstance(model_input, dict) else model_input)


def _read(column: Numeric | Categorical, values: Iterable[Any], wrong: list[str]) -> Iterator[Any]:
    """Return a column's values as the column reads them, and add to wrong the first that it cannot read."""
    for row, value in enumerate(values):
        try:
            yield column.read(value)
        except (TypeError, ValueError) as err:
            if len(wrong) == _MAX_WRONG:
                return
            wrong.append(f"row {row}, column {column.name}: {err}")


def _load_pyfunc(path: str) -> Model:
    """Return the model of a folder of preprocessor.json, model.txt and operating_point.json. MLflow calls this."""
    folder = Path(path)
    preprocessor = json.loads((folder / "preprocessor.json").read_bytes())
    threshold = json.loads((folder / "operating_point.json").read_bytes())["threshold"]
    booster = lightgbm.Booster(model_str=(folder / "model.txt").read_text(encoding="utf-8"))
    return Model(preprocessor, booster, threshold)
