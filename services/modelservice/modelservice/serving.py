"""The model that is served: made from a promotion, swapped in one step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from asfotec.churn.event.v1.decision_pb2 import ModelPromoted

from modelservice import modeltext, preprocessor, probe
from modelservice.artifacts import Fetch
from modelservice.booster import Booster
from modelservice.preprocessor import Preprocessor, Row, Unseen
from modelservice.rows import RowSchema

THRESHOLD = 0.5  # as the evaluation cuts the classes


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
        """Return raw rows with every value read.

        Raises pydantic_core.ValidationError, whose locations begin with the row's index.
        """
        return self.schema.check(rows)

    def score(self, rows: Sequence[Row]) -> Scores:
        """Return the scores of checked rows."""
        features, unseen = self.preprocessor.transform(rows)
        return Scores(self.booster.predict(features.ctypes.data, *features.shape), unseen)

    def label(self, probability: float) -> str:
        """Return the label that a probability stands for."""
        target = self.preprocessor.target
        return target.positive if probability >= THRESHOLD else target.negative


def load(promotion: ModelPromoted, fetch: Fetch) -> Model:
    """Return the model of a promotion, verified and warm.

    Raises Refused if an artifact is bad, Unavailable if the store is away.
    """
    fitted = preprocessor.parse(fetch(promotion.features.preprocessor, preprocessor.MAX_SIZE))
    text = fetch(promotion.candidate.model, modeltext.MAX_SIZE)
    model = Model(promotion, fitted, Booster(probe.run(text, fitted.width)), RowSchema(fitted))
    model.score(model.check([model.schema.example()]))  # warm, and proof that a row goes all the way
    return model


class Holder:
    """Holds the model that is served. A request takes it once and keeps it to its end."""

    def __init__(self) -> None:
        self.model: Model | None = None
