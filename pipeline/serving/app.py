"""The server: one route for JSON, one for files, one for whether it lives, and its own page."""

from __future__ import annotations

import asyncio
import base64
import binascii
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException as AnyHTTPException

from pipeline.core.errors import PipelineError, unknown
from pipeline.inference.samples import Sample
from pipeline.raw.media_types import inline_types
from pipeline.serving.limits import LimitedBodies, Limits

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.inference import Predictor

# Requests that are answered at once: encoders and network each answer one thread at a time.
THREADS = 2


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AskedSample(_Strict):
    """One sample: by modality words, where it is written in tables, or a file's bytes as base64."""

    sample_id: str = Field("", max_length=1000)
    contents: dict[str, str]


class Question(_Strict):
    """What is asked about some samples."""

    samples: list[AskedSample] = Field(min_length=1)
    tasks: list[str] | None = Field(None, description="of the model's; none: all")
    top: int | None = Field(None, ge=1, description="classes told, the most probable first")
    explain: bool = Field(False, description="also tell what each modality gave")


class Health(BaseModel):
    """Which model answers here, and from what."""

    model: str
    digest: str
    revision: str
    modalities: list[str]
    tasks: list[str]


class Answered(BaseModel):
    """A row a sample, as `pipeline predict` has it; and a row for each content that was refused."""

    answers: list[dict[str, Any]]
    rejects: list[dict[str, Any]]


class Reason(BaseModel):
    """Why a request was sent away."""

    reason: str


def create_app(predictor: Predictor, limits: Limits) -> FastAPI:
    """The application of a predictor. It reads no file of its machine, and keeps none."""
    lineage = predictor.lineage
    app = FastAPIOffline(
        docs_url="/docs",
        redoc_url=None,
        title=f"{lineage.model} ({', '.join(predictor.modalities)})",
        version=lineage.digest[:12],
        responses={status: {"model": Reason} for status in (400, 408, 413, 415, 422, 503)},
    )
    app.add_middleware(LimitedBodies, limits=limits)
    line = _Line(predictor, limits)

    @app.get("/health")
    async def health() -> Health:
        return Health(
            model=lineage.model,
            digest=lineage.digest,
            revision=lineage.revision,
            modalities=predictor.modalities,
            tasks=list(predictor.model.classes),
        )

    @app.post("/predict", response_model=Answered)
    async def predict(question: Question) -> JSONResponse:
        """Answer for samples whose contents stand in JSON."""
        samples = [
            Sample(asked.sample_id or str(place), _contents(predictor, asked.contents, place))
            for place, asked in enumerate(question.samples)
        ]
        return await line.answer(samples, question.tasks, question.top, question.explain)

    @app.post("/predict/files", response_model=Answered, openapi_extra=_form(predictor))
    async def predict_files(request: Request) -> JSONResponse:
        """Answer for the files of a form, which are one sample: each field names a modality."""
        kind = request.headers.get("content-type", "").partition(";")[0]
        if kind != "multipart/form-data":
            raise HTTPException(415, "send multipart/form-data, with a field for each modality")
        contents: dict[str, bytes | str] = {}
        count = len(predictor.modalities)
        most = limits.mebibytes << 20
        async with request.form(max_files=count, max_fields=count, max_part_size=most) as form:
            for name, value in form.multi_items():
                _check_modality(predictor, name, "the form")
                if name in contents:
                    raise HTTPException(422, f"the form has '{name}' twice, and a sample has one")
                if isinstance(value, UploadFile):
                    contents[name] = await value.read()
                else:
                    contents[name] = _words(name, value)
        return await line.answer([Sample("0", contents)], None, None, False)

    app.exception_handler(RequestValidationError)(_misunderstood)
    app.exception_handler(AnyHTTPException)(_http)
    return app


class _Line:
    """Answers requests in threads, as many as `limits` lets wait."""

    def __init__(self, predictor: Predictor, limits: Limits) -> None:
        self._predictor, self._limits = predictor, limits
        self._threads = ThreadPoolExecutor(THREADS, "predict")
        self._waiting = 0

    async def answer(
        self, samples: list[Sample], tasks: list[str] | None, top: int | None, explain: bool
    ) -> JSONResponse:
        if len(samples) > self._limits.samples:
            most = self._limits.samples
            raise HTTPException(
                413, f"the request has {len(samples)} samples, and {most} are the most"
            )
        if self._waiting >= self._limits.waiting:
            raise HTTPException(503, f"{self._waiting} requests are in line: ask again later")
        call = partial(self._predictor.predict, samples, tasks, top, explain)
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, call)
        # A call cannot be broken off, so that it stays in line until it ends.
        future.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(self._limits.seconds):
                answers, rejects = await asyncio.shield(future)
        except TimeoutError:
            took = f"the answer took longer than {self._limits.seconds:g} s"
            raise HTTPException(503, f"{took}: send fewer samples, or smaller ones") from None
        except PipelineError as error:
            raise HTTPException(422, str(error)) from None
        told = {"answers": _plain(answers), "rejects": _plain(rejects)}
        # Where nothing could be seen of any sample there is no answer, but why.
        if not any(row["present"] for row in told["answers"]):
            why = "; ".join(dict.fromkeys(row["message"] for row in told["rejects"]))
            return JSONResponse({"reason": why, "rejects": told["rejects"]}, 422)
        return JSONResponse(told)

    def _ended(self, future: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # seen, where nobody waits for it any more


def _contents(
    predictor: Predictor, stated: Mapping[str, str], place: int
) -> dict[str, bytes | str]:
    where = f"samples.{place}.contents"
    for name in stated:
        _check_modality(predictor, name, where)
    return {
        name: text if name in inline_types() else _bytes(text, f"{where}.{name}")
        for name, text in stated.items()
    }


def _bytes(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise HTTPException(422, f"{where}: give the file's bytes in base64") from None


def _words(name: str, value: str) -> str:
    if name not in inline_types():
        raise HTTPException(422, f"the form has words as '{name}': give a file")
    return value


def _check_modality(predictor: Predictor, name: str, where: str) -> None:
    if name not in predictor.modalities:
        raise HTTPException(422, f"{where}: {unknown('modality', name, predictor.modalities)}")


def _form(predictor: Predictor) -> dict[str, Any]:
    """How the form of `/predict/files` looks, for its page."""
    fields = {
        name: {"type": "string"}
        if name in inline_types()
        else {"type": "string", "format": "binary"}
        for name in predictor.modalities
    }
    schema = {"type": "object", "properties": fields, "minProperties": 1}
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }


def _plain(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as JSON has them, in which a number that is not finite is null."""
    return [_finite(row) for row in table.to_pylist(maps_as_pydicts="strict")]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


async def _misunderstood(request: Request, error: Exception) -> JSONResponse:
    """Every mistake of a question, by its path."""
    assert isinstance(error, RequestValidationError)
    mistakes = (
        f"{'.'.join(map(str, mistake['loc'][1:])) or 'the request'}: {mistake['msg']}"
        for mistake in error.errors()
    )
    return JSONResponse({"reason": "; ".join(mistakes)}, 422)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AnyHTTPException)
    return JSONResponse({"reason": error.detail}, error.status_code, headers=error.headers)
