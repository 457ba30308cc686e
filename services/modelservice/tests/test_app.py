"""The HTTP API."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from modelservice.app import create_app
from modelservice.config import Limits
from modelservice.follower import Promotions
from modelservice.metrics import Metrics
from modelservice.serving import Holder, Model, load

from .conftest import RUN, Encoded, Maker, train


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


pytestmark = pytest.mark.anyio


class Service:
    """The API with a client of it."""

    def __init__(self, limits: Limits) -> None:
        self.holder, self.metrics = Holder(), Metrics()
        app = create_app(self.holder, self.metrics, limits)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")

    def serve(self, maker: Maker, generation: int = 1) -> None:
        self.holder.model = load(maker.promotion(generation), maker.store.fetch)
        self.metrics.serving(self.holder.model)

    async def predict(self, content: Any) -> httpx.Response:
        return await self.client.post("/predict", json=content)


@pytest.fixture
async def empty() -> AsyncIterator[Service]:
    service = Service(Limits(rows=100, body=100_000))
    async with service.client:
        yield service


@pytest.fixture
async def service(empty: Service, maker: Maker) -> Service:
    empty.serve(maker)
    return empty


async def test_without_a_model_it_lives_and_is_not_ready(empty: Service, raw: dict[str, Any]) -> None:
    assert (await empty.client.get("/healthz")).status_code == 200
    for path in ("/readyz", "/model"):
        assert (await empty.client.get(path)).status_code == 503
    answer = await empty.predict(raw)
    assert answer.status_code == 503
    assert "no model" in answer.json()["detail"]
    assert (await empty.client.get("/openapi.json")).status_code == 200


async def test_one_row_and_many_get_the_same_scores(service: Service, encoded: Encoded) -> None:
    rows = encoded.rows[:40]
    many = (await service.predict(rows)).json()
    wrapped = (await service.predict({"rows": rows})).json()
    assert many == wrapped
    assert len(many["predictions"]) == 40
    for i in (0, 7, 39):
        one = (await service.predict(rows[i])).json()
        assert one["predictions"] == [many["predictions"][i]]
    p = many["predictions"][0]
    assert p["label"] == ("Yes" if p["probability"] >= 0.5 else "No")


async def test_every_answer_names_the_version(service: Service, maker: Maker, raw: dict[str, Any]) -> None:
    answer = (await service.predict(raw)).json()
    sha256 = maker.promotion(1).candidate.model.sha256
    assert answer["model"] == {"name": "churn-classifier", "version": 1, "generation": 1, "run": RUN, "sha256": sha256}
    service.serve(maker, generation=2)
    assert (await service.predict(raw)).json()["model"]["version"] == 2


async def test_the_model_is_described(service: Service, maker: Maker) -> None:
    model = (await service.client.get("/model")).json()
    p = maker.promotion(1)
    assert (model["version"], model["generation"], model["run"]) == (1, 1, RUN)
    assert model["digests"]["preprocessor"] == p.features.preprocessor.sha256
    assert model["metrics"]["auc"] == 0.84
    assert model["metrics"]["f1"] == 0  # zero is a value
    assert len(model["columns"]) == 19
    assert (await service.client.get("/readyz")).text == "ready\n"


@pytest.mark.parametrize(
    ("change", "field", "say"),
    [
        ({"tenure": "long"}, "tenure", "number"),
        ({"tenure": -1}, "tenure", "greater than or equal to 0"),
        ({"tenure": ""}, "tenure", "blank"),
        ({"MonthlyCharges": None}, "MonthlyCharges", "blank"),
        ({"MonthlyCharges": [1]}, "MonthlyCharges", "number"),
        ({"Contract": " "}, "Contract", "blank"),
        ({"Contract": {"a": 1}}, "Contract", "string"),
        ({"contract": "One year"}, "Contract", "once"),
        ({"Colour": "red"}, "Colour", "no such column"),
    ],
)
async def test_a_wrong_row_gets_422_that_names_row_and_field(
    service: Service, encoded: Encoded, raw: dict[str, Any], change: dict[str, Any], field: str, say: str
) -> None:
    answer = await service.predict([encoded.rows[1], raw | change])
    assert answer.status_code == 422
    (detail,) = answer.json()["detail"]
    assert detail["loc"][:2] == ["body", 1]
    assert field in detail["msg"]
    assert say in detail["msg"]


async def test_a_missing_field_is_named(service: Service, raw: dict[str, Any]) -> None:
    del raw["Contract"]
    del raw["tenure"]
    details = (await service.predict(raw)).json()["detail"]
    assert [(d["loc"], d["type"]) for d in details] == [
        (["body", 0, "tenure"], "missing"),
        (["body", 0, "Contract"], "missing"),
    ]


async def test_what_is_told_of_wrong_rows_is_bounded(service: Service, raw: dict[str, Any]) -> None:
    unknown = {f"{i}{'x' * 900}": 1 for i in range(50)}
    (*told,) = (await service.predict(raw | unknown)).json()["detail"]
    assert len(told) == 10
    assert all(len(d["msg"]) < 200 for d in told)
    answer = await service.predict([{}] * 100)
    assert len(answer.json()["detail"]) == 100


async def test_half_a_surrogate_pair_is_a_wrong_name_and_a_strange_value(service: Service, raw: dict[str, Any]) -> None:
    answer = await service.client.post("/predict", content=json.dumps(raw | {"Colour\ud800": 1}))
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", 0, "Colour?"])
    answer = await service.client.post("/predict", content=json.dumps(raw | {"Contract": "\ud800"}))
    assert (answer.status_code, answer.json()["warnings"][0]["column"]) == (200, "Contract")


async def test_columns_are_matched_as_in_a_csv(service: Service, raw: dict[str, Any]) -> None:
    want = (await service.predict(raw)).json()["predictions"]
    del raw["customerID"]
    del raw["Churn"]
    assert (await service.predict({k.upper(): v for k, v in raw.items()})).json()["predictions"] == want


async def test_unseen_categories_are_warned_of_and_counted(service: Service, raw: dict[str, Any]) -> None:
    answer = (await service.predict(raw | {"Contract": "Weekly"})).json()
    (warning,) = answer["warnings"]
    assert (warning["row"], warning["column"]) == (0, "Contract")
    assert b'modelservice_unseen_categories_total{column="Contract"} 1.0' in service.metrics.text()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 50_000, 400),
        (b"1", 422),
        (b"null", 422),
        (b'"row"', 422),
        (b"[]", 422),
        (b"[1]", 422),
        (b"{}", 422),
        (b'{"rows": 1}', 422),
        (b"[" + b"{}," * 100 + b"{}]", 413),
        (b" " * 100_001, 413),
    ],
)
async def test_what_is_no_request_is_refused(service: Service, body: bytes, status: int) -> None:
    answer = await service.client.post("/predict", content=body)
    assert (answer.status_code, "detail" in answer.json()) == (status, True)


async def test_the_api_is_described_with_an_example_that_works(service: Service) -> None:
    document = (await service.client.get("/openapi.json")).json()
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        assert (await service.predict(example["value"])).status_code == 200
    row = document["components"]["schemas"]["Row"]
    assert len(row["properties"]) == 19
    assert "Two year" in json.dumps(row["properties"]["Contract"])
    assert "swagger" in (await service.client.get("/docs")).text.lower()


async def test_metrics(service: Service, raw: dict[str, Any]) -> None:
    await service.predict([raw] * 20)
    await service.predict({})
    await service.client.get("/nowhere")
    text = (await service.client.get("/metrics")).text
    assert 'modelservice_requests_total{path="/predict",status="200"} 1.0' in text
    assert 'modelservice_requests_total{path="/predict",status="422"} 1.0' in text
    assert 'modelservice_requests_total{path="other",status="404"} 1.0' in text
    assert "modelservice_rows_total 20.0" in text
    assert 'modelservice_model_info{model="churn-classifier",run="' + RUN in text
    assert "modelservice_model_generation 1.0" in text


async def test_a_large_batch_does_not_keep_others_waiting(
    service: Service, encoded: Encoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    score = Model.score

    def held(*args: Any) -> Any:
        begun.set()
        assert go_on.wait(30), "nobody else was answered meanwhile"
        return score(*args)

    monkeypatch.setattr(Model, "score", held)
    batch = asyncio.create_task(service.predict(encoded.rows[:100]))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    assert (await service.client.get("/readyz")).status_code == 200
    go_on.set()
    assert (await batch).status_code == 200


async def test_no_request_fails_through_twenty_promotions_and_each_answer_is_of_one_model(
    empty: Service, maker: Maker, encoded: Encoded
) -> None:
    makers = [maker.of(text=train(encoded, leaves)) for leaves in (4, 31)]
    small, large = encoded.rows[:3], encoded.rows[:100]  # one answered on the event loop, one by a thread
    want = []
    for m in makers:
        model = load(m.promotion(1), maker.store.fetch)
        want.append(model.score(model.check(large)).probabilities)
    assert want[0][:3] != want[1][:3]
    promotions = Promotions("churn-classifier", maker.store.fetch, empty.holder, empty.metrics)

    def promote(generation: int) -> None:
        promotions.add(makers[generation % 2].promotion(generation))
        promotions.serve()

    promote(1)
    seen: list[int] = []
    done = False

    async def ask(rows: list[dict[str, Any]]) -> None:
        while not done:
            answer = await empty.predict(rows)
            assert answer.status_code == 200, answer.text
            content = answer.json()
            version = content["model"]["version"]
            assert [p["probability"] for p in content["predictions"]] == want[version % 2][: len(rows)]
            seen.append(version)
            await asyncio.sleep(0)

    with ThreadPoolExecutor(1) as follower:
        asking = [asyncio.create_task(ask(rows)) for rows in (small, small, large, large)]
        for generation in range(2, 22):
            await asyncio.get_running_loop().run_in_executor(follower, promote, generation)
            while seen[-1:] != [generation] and not any(a.done() for a in asking):
                await asyncio.sleep(0)
        done = True
        await asyncio.gather(*asking)
    assert set(range(2, 22)) <= set(seen)
