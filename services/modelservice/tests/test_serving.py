"""What is promoted is served, if it is sound; what is served goes on otherwise."""

import json
import threading

import numpy as np
import pytest

from modelservice import follower, serving
from modelservice.errors import Refused, Unavailable
from modelservice.follower import Promotions
from modelservice.metrics import Metrics
from modelservice.serving import Holder, load

from .conftest import Encoded, Maker, train


@pytest.fixture
def holder() -> Holder:
    return Holder()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def promotions(maker: Maker, holder: Holder, metrics: Metrics) -> Promotions:
    return Promotions("churn-classifier", maker.store.fetch, holder, metrics)


def _generation(holder: Holder) -> int:
    return holder.model.generation if holder.model else 0


def test_a_promotion_is_served_and_a_newer_one_replaces_it(
    promotions: Promotions, maker: Maker, holder: Holder
) -> None:
    for generation in (1, 2, 5):
        promotions.add(maker.promotion(generation))
        promotions.serve()
        assert _generation(holder) == generation


def test_scores_are_cut_where_the_promotion_says(maker: Maker) -> None:
    promotion = maker.promotion()
    model = load(promotion, maker.store.fetch)
    target = model.preprocessor.target
    assert (model.threshold, model.label(0.5), model.label(0.4999)) == (0.5, target.positive, target.negative)
    promotion.operating_point.threshold = 0.25
    model = load(promotion, maker.store.fetch)
    assert (model.threshold, model.label(0.25), model.label(0.2499)) == (0.25, target.positive, target.negative)


def test_an_older_promotion_turns_nothing_back(promotions: Promotions, maker: Maker, holder: Holder) -> None:
    for generation in (3, 2, 3, 1):
        promotions.add(maker.promotion(generation))
        promotions.serve()
    assert _generation(holder) == 3


def test_a_cold_start_loads_the_newest_alone(promotions: Promotions, maker: Maker, holder: Holder) -> None:
    for generation in range(1, 40):
        promotions.add(maker.promotion(generation))
    promotions.serve()
    assert _generation(holder) == 39
    assert {uri.split("/")[4] for uri in maker.store.fetched} == {"39"}


def test_another_model_and_another_stage_are_passed_over(promotions: Promotions, maker: Maker, holder: Holder) -> None:
    promotions.add(maker.promotion(1, model="other"))
    promotions.add(maker.promotion(1, stage="Staging"))
    promotions.serve()
    assert holder.model is None


@pytest.mark.parametrize(
    "damage", ["missing", "changed", "truncated", "no model", "crashing model", "no preprocessor", "other columns"]
)
def test_a_bad_artifact_is_refused_and_the_old_model_goes_on(
    promotions: Promotions, maker: Maker, holder: Holder, metrics: Metrics, damage: str
) -> None:
    promotions.add(maker.promotion(1))
    promotions.serve()
    bad = {
        "no model": maker.of(text=b"tree\nversion=v4\n"),
        "crashing model": maker.of(text=maker.text.replace(b"split_feature=", b"split_feature=9", 1)),
        "no preprocessor": maker.of(preprocessor=b"{}"),
        "other columns": maker.of(preprocessor=maker.preprocessor.replace(b'"Two year"', b'"Zwei Jahre"')),
    }.get(damage, maker)
    promotion = bad.promotion(2)
    uri = promotion.candidate.model.uri
    if damage == "missing":
        del maker.store.objects[uri]
    elif damage == "changed":
        maker.store.objects[uri] = maker.text.replace(b"leaf_value=", b"leaf_value=9", 1)
    elif damage == "truncated":
        maker.store.objects[uri] = maker.text[:-100]
    promotions.add(promotion)
    promotions.serve()
    assert _generation(holder) == 1
    assert b'modelservice_promotions_total{outcome="refused"} 1.0' in metrics.text()
    promotions.add(promotion)  # the same again is not tried again
    fetched = len(maker.store.fetched)
    promotions.serve()
    assert len(maker.store.fetched) == fetched
    promotions.add(maker.promotion(3))
    promotions.serve()
    assert _generation(holder) == 3


def test_a_cold_start_on_a_bad_promotion_falls_back(promotions: Promotions, maker: Maker, holder: Holder) -> None:
    promotions.add(maker.promotion(1))
    promotions.add(maker.of(text=b"no model").promotion(2))
    promotions.serve()
    assert _generation(holder) == 1


def test_a_store_that_is_away_is_waited_for(promotions: Promotions, maker: Maker, holder: Holder) -> None:
    promotions.add(maker.promotion(1))
    maker.store.away = True
    with pytest.raises(Unavailable):
        promotions.serve()
    maker.store.away = False
    promotions.serve()
    assert _generation(holder) == 1


def test_scores_and_version_are_of_one_model_through_swaps(
    promotions: Promotions, maker: Maker, holder: Holder, encoded: Encoded
) -> None:
    """Whoever takes the model once gets scores that belong to its version, however often it is swapped."""
    makers = [maker.of(text=train(encoded, leaves)) for leaves in (4, 31)]
    rows = encoded.rows[:50]
    want = []
    for m in makers:
        model = load(m.promotion(1), maker.store.fetch)
        want.append(model.score(model.check(rows)).probabilities)
    assert not np.allclose(want[0], want[1])
    promotions.add(makers[1].promotion(1))
    promotions.serve()
    stop, wrong, checked = threading.Event(), [], []

    def ask() -> None:
        while not stop.is_set():
            model = holder.model
            assert model is not None
            checked.append(model.generation)
            if model.score(model.check(rows)).probabilities != want[model.generation % 2]:
                wrong.append(model.generation)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for t in threads:
        t.start()
    for generation in range(2, 8):
        promotions.add(makers[generation % 2].promotion(generation))
        promotions.serve()
    stop.set()
    for t in threads:
        t.join()
    assert wrong == []
    assert len(set(checked)) > 1


def test_rows_are_scored_in_batches_as_they_are_at_once(
    maker: Maker, encoded: Encoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(maker.promotion(1), maker.store.fetch)
    rows = model.check([*encoded.rows[:50], encoded.rows[50] | {"Contract": "Weekly"}])
    at_once = model.score(rows)
    monkeypatch.setattr(serving, "_BATCH", 46 * 7)
    assert model.score(rows) == at_once
    assert [u.row for u in at_once.unseen] == [50]


def test_a_preprocessor_that_takes_no_row_is_refused(maker: Maker) -> None:
    document = json.loads(maker.preprocessor)
    document["columns"][0]["name"] += " "  # fields are trimmed, so that none can have this name
    changed = json.dumps(document).replace('"gender=', '"gender =').encode()
    with pytest.raises(Refused, match="gender"):
        load(maker.of(preprocessor=changed).promotion(1), maker.store.fetch)


def test_an_error_that_nobody_foresaw_is_a_refusal(
    promotions: Promotions, maker: Maker, holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotions.add(maker.promotion(1))
    promotions.serve()
    with monkeypatch.context() as patch:
        patch.setattr(serving.modeltext, "MAX_SIZE", "no number")  # so that loading raises a TypeError
        promotions.add(maker.promotion(2))
        promotions.serve()
    assert _generation(holder) == 1
    promotions.add(maker.promotion(3))
    promotions.serve()
    assert _generation(holder) == 3


def test_what_is_remembered_of_refusals_is_bounded(
    promotions: Promotions, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "_REMEMBERED", 3)
    for generation in range(1, 6):
        promotions.add(maker.of(preprocessor=b"{}").promotion(generation))
        promotions.serve()
    fetched = len(maker.store.fetched)
    for generation in (5, 4, 3, 1):
        promotions.add(maker.of(preprocessor=b"{}").promotion(generation))
        promotions.serve()
    assert len(maker.store.fetched) == fetched + 1  # of the first, which is forgotten


def test_the_model_of_a_promotion_without_its_columns_is_refused(maker: Maker) -> None:
    with pytest.raises(Refused):
        load(
            maker.of(preprocessor=maker.preprocessor.replace(b'"tenure"', b'"Tenure2"', 1)).promotion(1),
            maker.store.fetch,
        )


def test_a_forged_promotion_does_not_stand_in_the_way_of_the_true_one(
    promotions: Promotions, maker: Maker, holder: Holder
) -> None:
    promotions.add(maker.of(text=b"forged").promotion(1))
    promotions.serve()
    promotions.add(maker.promotion(1))
    promotions.serve()
    assert _generation(holder) == 1
