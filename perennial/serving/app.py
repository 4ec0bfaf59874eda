"""The HTTP interface: POST /predict, and what people, orchestrators and Prometheus ask."""

import asyncio
import json
import logging
import time
import traceback
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from perennial.serving import metrics, problems, reading
from perennial.serving.batcher import Answers, Batcher
from perennial.serving.current import CurrentVersion, LoadedVersion
from perennial.serving.metrics import ServingMetrics
from perennial.serving.problems import RequestProblem
from perennial.settings.serving import ServingSpec

LOG = logging.getLogger(__name__)
OK = 200
GONE = 499
"""In the figures, of a client that did not wait for its answer."""
PLACES = "POST /predict, GET /, /healthz, /readyz and /metrics"


def make_app(
    current: CurrentVersion, figures: ServingMetrics, settings: ServingSpec, names: Mapping[str, str]
) -> Starlette:
    """The application that answers with what `current` says; `names`: the pipeline's names for canonical columns."""
    return _Interface(current, figures, settings, names).app


class _Interface:
    def __init__(
        self, current: CurrentVersion, figures: ServingMetrics, settings: ServingSpec, names: Mapping[str, str]
    ) -> None:
        self._current, self._figures, self._settings, self._names = current, figures, settings, names
        self._batcher: Batcher
        self._answering: asyncio.Task[None]
        self._under_way = 0
        """Requests to /predict."""
        routes = [
            Route("/predict", self._predict, methods=["POST"]),
            Route("/", self._describe),
            Route("/healthz", self._health),
            Route("/readyz", self._ready),
            Route("/metrics", self._metrics),
        ]
        handlers: Any = {HTTPException: _not_here}
        self.app = Starlette(routes=routes, exception_handlers=handlers, lifespan=self._living)

    @asynccontextmanager
    async def _living(self, _: Starlette) -> AsyncIterator[None]:
        self._batcher = Batcher(self._settings, self._figures)
        self._answering = asyncio.create_task(self._batcher.run())
        yield
        self._answering.cancel()
        with suppress(asyncio.CancelledError):
            await self._answering

    async def _predict(self, request: Request) -> Response:
        started = time.perf_counter()
        if self._under_way >= self._settings.connections:
            response: Response = problems.crowded(self._under_way).response()
        else:
            self._under_way += 1
            try:
                response = await self._answered(request)
            finally:
                self._under_way -= 1
        self._figures.answered(response.status_code, time.perf_counter() - started)
        return response

    async def _answered(self, request: Request) -> Response:
        try:
            return _json(await self._answer(request))
        except RequestProblem as problem:
            return problem.response()
        except ClientDisconnect:
            return Response(status_code=GONE)
        except Exception as error:  # noqa: BLE001 - the last line of defence; its message may hold a text
            where = "".join(traceback.format_tb(error.__traceback__))
            LOG.error("A request failed as the server does not know (%s):\n%s", type(error).__name__, where)  # noqa: TRY400
            return problems.failed(0).response()

    async def _answer(self, request: Request) -> dict[str, Any]:
        body = await self._body(request)
        served = self._served()
        inputs = reading.read_request(body, served.predictor.decoder, self._names, self._settings)
        answers = await self._while_waited_for(request, self._batcher.answer(served, inputs), len(inputs))
        return {"model": served.model, "version": served.version, "predictions": answers}

    async def _while_waited_for(self, request: Request, answering: Coroutine[Any, Any, Answers], rows: int) -> Answers:
        """The answers, unless the client goes or they take too long; then no more of them are computed."""
        seconds = self._settings.queue_seconds
        answers, gone = asyncio.ensure_future(answering), asyncio.ensure_future(_has_gone(request))
        try:
            done, _ = await asyncio.wait({answers, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if answers in done:
                return answers.result()
            raise ClientDisconnect if done else problems.too_late(seconds, rows)
        finally:
            answers.cancel()
            gone.cancel()
            # So that the rows are out of the queue when the next request asks how many wait.
            await asyncio.gather(answers, gone, return_exceptions=True)

    async def _body(self, request: Request) -> bytes:
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                return await self._whole_body(request)
        except TimeoutError as error:
            raise problems.too_slow(self._settings.body_seconds) from error

    async def _whole_body(self, request: Request) -> bytes:
        most = self._settings.max_body_bytes
        declared = request.headers.get("content-length", "")
        body = bytearray()
        if not (declared.isdecimal() and int(declared) > most):
            async for piece in request.stream():
                body += piece
                if len(body) > most:
                    break
            else:
                return bytes(body)
        raise problems.too_large(
            f"The body has more than {most:,} bytes, which are allowed.",
            "Ask in several requests, or raise serving.max_body_bytes.",
        )

    def _served(self) -> LoadedVersion:
        if self._current.served is None:
            raise problems.nothing_serves()
        return self._current.served

    async def _describe(self, _: Request) -> Response:
        served = self._current.served
        if served is None:
            return problems.nothing_serves().response()
        package = served.predictor.package
        return _json(
            {
                "model": served.model,
                "version": served.version,
                "kind": package.kind,
                "labels": package.labels,
                "reads": served.predictor.decoder.columns,
                "package": served.digest,
                "precision": package.precision,
                "max_length": package.max_length,
                "cpu_lacks": served.predictor.missing_cpu_features,
            }
        )

    async def _health(self, _: Request) -> Response:
        # Never seen; but a server that lets requests in and answers none would have to be started again.
        if self._answering.done():
            return problems.failed(0).response()
        return _json({"status": "alive"})

    async def _ready(self, _: Request) -> Response:
        served = self._current.served
        if served is None:
            return problems.nothing_serves().response()
        return _json({"status": "ready", "version": served.version, "problem": self._current.problem})

    async def _metrics(self, _: Request) -> Response:
        return Response(self._figures.text(), media_type=metrics.CONTENT_TYPE)


async def _has_gone(request: Request) -> None:
    """Return when the client has closed the connection; its body was read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(content: Mapping[str, Any]) -> Response:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, OK, media_type="application/json")


async def _not_here(_: Request, error: HTTPException) -> JSONResponse:
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "bad_request")
    return RequestProblem(
        error.status_code, code, f"That can't be asked here. There are: {PLACES}.", headers=error.headers
    ).response()
