"""The HTTP API."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, PlainTextResponse
from google.protobuf.json_format import MessageToDict
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelservice import metrics as exposition
from modelservice.config import Limits
from modelservice.metrics import Metrics
from modelservice.rows import InvalidRows, Wrong
from modelservice.serving import Holder, Model

_INLINE = 16 << 10  # bytes of a body that is answered at once: a thread would cost more
_PATHS = ("/predict", "/model", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json")

_DESCRIPTION = """\
Serves the churn model that is in production, and follows promotions without a restart.

Send raw rows, as they stand in a CSV of the training data's columns. Every answer names the version that made
it. The columns below are those of the model that is served now.
"""


class ServedBy(BaseModel):
    """The version that made an answer."""

    name: str
    version: int
    generation: int = Field(description="Counts promotions: a later one is higher, whatever its version.")
    run: str
    sha256: str = Field(description="Digest of the model's text.")


class Prediction(BaseModel):
    """What the model says to one row."""

    probability: float = Field(description="Of the positive class.")
    label: str = Field(description="The positive label from the model's threshold on; `/model` tells it.")


class Warn(BaseModel):
    """A value that the model knows nothing about."""

    row: int
    column: str
    message: str


class Answer(BaseModel):
    """Predictions in the order of the rows."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": {
                    "name": "churn-classifier",
                    "version": 7,
                    "generation": 7,
                    "run": "0d1fd1e2-9a55-5e5a-8f3b-7f4b0c6f3a10",
                    "sha256": "7b133a2fc247d0c2bd1f94c1ba1c4b0c8c3df0a0b8f1f3a4f1f3b4a9c2d1e0f7",
                },
                "predictions": [{"probability": 0.6231, "label": "Yes"}],
                "warnings": [],
            }
        }
    )

    model: ServedBy
    predictions: list[Prediction]
    warnings: list[Warn]


def create_app(
    holder: Holder,
    metrics: Metrics,
    limits: Limits,
    on_start: Callable[[], None] = lambda: None,
    on_stop: Callable[[], None] = lambda: None,
) -> FastAPI:
    """Return the API over the holder's model."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        on_start()
        yield
        on_stop()

    app = FastAPI(title="ModelService", version="1", description=_DESCRIPTION, lifespan=lifespan, redoc_url=None)
    # Large bodies take turns on the CPUs, so that their rows are not all in memory at a time.
    turns = asyncio.Semaphore(os.cpu_count() or 1)
    app.add_middleware(_Measured, metrics=metrics)
    app.openapi = lambda: _openapi(app, holder)  # type: ignore[method-assign]

    @app.post("/predict", response_model=Answer, responses=_responses(), summary="Predict one row or many")
    async def predict(request: Request) -> Response:
        _served(holder)  # nothing is read in vain
        body = await _body(request, limits.body)

        def answer() -> Response:
            return _answer(_served(holder), _rows(body, limits.rows), metrics)

        if len(body) <= _INLINE:
            return answer()
        async with turns:
            return await run_in_threadpool(answer)

    @app.get("/model", responses=_no_model(), summary="The model that is served")
    async def model() -> dict[str, Any]:
        return _describe(_served(holder))

    @app.get("/healthz", response_class=PlainTextResponse, summary="Whether the process lives")
    async def healthz() -> str:
        return "ok\n"

    @app.get(
        "/readyz",
        response_class=PlainTextResponse,
        responses=_no_model(),
        summary="Whether a model is served",
    )
    async def readyz() -> str:
        _served(holder)
        return "ready\n"

    @app.get("/metrics", response_class=PlainTextResponse, summary="Metrics for Prometheus")
    async def expose() -> Response:
        return Response(metrics.text(), media_type=exposition.CONTENT_TYPE)

    return app


def _served(holder: Holder) -> Model:
    if holder.model is None:
        raise HTTPException(503, "no model has been promoted yet, or none could be loaded", {"Retry-After": "1"})
    return holder.model


async def _body(request: Request, limit: int) -> bytes:
    """Return the request's body. It is not read further than the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise HTTPException(413, f"the body has more than {limit} bytes (CHURN_MAX_BODY_BYTES): send fewer rows")
    return bytes(body)


def _rows(body: bytes, limit: int) -> list[Any]:
    """Return the rows of a body: one row, a list of rows, or {"rows": [...]}."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as err:
        raise HTTPException(400, f"the body is not JSON: {str(err)[:200]}") from err
    if isinstance(content, dict):
        content = content["rows"] if set(content) == {"rows"} else [content]
    if not isinstance(content, list):
        raise HTTPException(422, 'the body is neither a row, nor a list of rows, nor {"rows": [...]}')
    if not content:
        raise HTTPException(422, "there are no rows")
    if len(content) > limit:
        raise HTTPException(413, f"there are {len(content)} rows; at most {limit} are taken at once (CHURN_MAX_ROWS)")
    return content


def _answer(model: Model, rows: list[Any], metrics: Metrics) -> Response:
    try:
        scores = model.score(model.check(rows))
    except InvalidRows as err:
        return JSONResponse({"detail": [_detail(w) for w in err.wrong]}, status_code=422)
    metrics.rows.inc(len(rows))
    for unseen in scores.unseen:
        metrics.unseen.labels(unseen.column).inc()
    return JSONResponse(
        {
            "model": _identity(model),
            "predictions": [{"probability": p, "label": model.label(p)} for p in scores.probabilities],
            "warnings": [
                {"row": u.row, "column": u.column, "message": f"{u.value[:100]!r} was not seen in training"}
                for u in scores.unseen
            ],
        }
    )


def _identity(model: Model) -> dict[str, Any]:
    p = model.promotion
    return {
        "name": p.model,
        "version": p.version,
        "generation": p.generation,
        "run": p.run,
        "sha256": p.candidate.model.sha256,
    }


def _describe(model: Model) -> dict[str, Any]:
    p = model.promotion
    return _identity(model) | {
        "previous_version": p.previous_version,
        "promoted_for": p.plan.requested_at,
        "git_sha": p.plan.git_sha,
        "metrics": MessageToDict(
            p.metrics, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        ),
        "digests": {
            "model": p.candidate.model.sha256,
            "trees": p.candidate.trees_sha256,
            "preprocessor": p.features.preprocessor.sha256,
            "dataset": p.plan.dataset.sha256,
        },
        "threshold": model.threshold,
        "target": model.preprocessor.target.model_dump(),
        "trees": model.booster.trees,
        "columns": [c.model_dump(exclude={"mean", "deviation"}) for c in model.preprocessor.columns],
    }


def _detail(wrong: Wrong) -> dict[str, Any]:
    """Return what is wrong, as FastAPI words it: where, which kind, and a message for people."""
    where, loc = f"row {wrong.row}", ["body", wrong.row]
    if wrong.field is not None:
        where, loc = f"{where}, field {wrong.field}", [*loc, wrong.field]
    return {"loc": loc, "type": wrong.kind, "msg": f"{where}: {wrong.message}"}


def _no_model() -> dict[int | str, dict[str, Any]]:
    return {503: {"description": "No model is served yet."}}


def _responses() -> dict[int | str, dict[str, Any]]:
    return _no_model() | {
        400: {"description": "The body is not JSON."},
        413: {"description": "Too many rows or bytes at once."},
        422: {"description": "A row is wrong: `detail` names the row, the field, and what is wrong."},
    }


def _openapi(app: FastAPI, holder: Holder) -> dict[str, Any]:
    """Return the API's description, with the columns of the model that is served."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    row: dict[str, Any] = {"title": "Row", "type": "object", "description": "No model is served yet."}
    example: Any = {}
    if holder.model is not None:
        row, example = holder.model.schema.json_schema(), holder.model.schema.example()
    schemas = document["components"]["schemas"]
    schemas["Row"] = row
    one = {"$ref": "#/components/schemas/Row"}
    many = {"type": "array", "items": one}
    document["paths"]["/predict"]["post"]["requestBody"] = {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        one,
                        many,
                        {"type": "object", "properties": {"rows": many}, "required": ["rows"]},
                    ]
                },
                "examples": {
                    "one row": {"value": example},
                    "many rows": {"value": [example, example]},
                },
            }
        },
    }
    return document


class _Measured:
    """Counts and times every request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        started = time.perf_counter()

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        path = scope["path"] if scope["path"] in _PATHS else "other"
        try:
            await self._app(scope, receive, note)
        finally:
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - started)
