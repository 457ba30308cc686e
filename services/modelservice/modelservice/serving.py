"""The model that is served: made from a promotion, swapped in one step."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from asfotec.churn.event.v1.decision_pb2 import ModelPromoted

from modelservice import modeltext, preprocessor, probe
from modelservice.artifacts import Fetch
from modelservice.booster import Booster
from modelservice.errors import Refused
from modelservice.preprocessor import Preprocessor, Row, Unseen
from modelservice.rows import InvalidRows, RowSchema

THRESHOLD = 0.5  # of a promotion that names no operating point
_BATCH = 1 << 20  # values of features at a time: 8 MiB, however wide the model is


@dataclass(frozen=True)
class Scores:
    """What a model says to some rows."""

    probabilities: list[float]  # of the positive class
    unseen: list[Unseen]


@dataclass(frozen=True)
class Model:
    """A promoted version, ready to predict. Safe for concurrent use."""

    promotion: ModelPromoted
    preprocessor: Preprocessor
    booster: Booster = field(repr=False)
    schema: RowSchema = field(repr=False)

    @property
    def generation(self) -> int:
        """How many promotions there were, up to and including this one."""
        return self.promotion.generation

    def check(self, rows: list[Any]) -> list[Row]:
        """Return raw rows with every value read. Raises rows.InvalidRows."""
        return self.schema.check(rows)

    def score(self, rows: Sequence[Row]) -> Scores:
        """Return the scores of checked rows."""
        probabilities: list[float] = []
        unseen: list[Unseen] = []
        batch = max(1, _BATCH // self.preprocessor.width)
        for start in range(0, len(rows), batch):
            features, missed = self.preprocessor.transform(rows[start : start + batch])
            probabilities += self.booster.predict(features.ctypes.data, *features.shape)
            unseen += [replace(u, row=start + u.row) for u in missed]
        return Scores(probabilities, unseen)

    @property
    def threshold(self) -> float:
        """Where scores are cut into classes: chosen by the evaluator so that mistakes cost least."""
        p = self.promotion
        return p.operating_point.threshold if p.HasField("operating_point") else THRESHOLD

    def label(self, probability: float) -> str:
        """Return the label that a probability stands for."""
        target = self.preprocessor.target
        return target.positive if probability >= self.threshold else target.negative


def load(promotion: ModelPromoted, fetch: Fetch) -> Model:
    """Return the model of a promotion, verified and warm.

    Raises Refused if an artifact is bad, Unavailable if the store is away.
    """
    fitted = preprocessor.parse(fetch(promotion.features.preprocessor, preprocessor.MAX_SIZE))
    text = fetch(promotion.candidate.model, modeltext.MAX_SIZE)
    model = Model(promotion, fitted, Booster(probe.run(text, fitted.width)), RowSchema(fitted))
    try:
        model.score(model.check([model.schema.example()]))  # warm, and proof that a row goes all the way
    except InvalidRows as err:
        raise Refused(f"preprocessor.json takes no row, not even its own example: {err}") from err
    return model


class Holder:
    """Holds the model that is served. A request takes it once and keeps it to its end."""

    def __init__(self) -> None:
        self.model: Model | None = None
