"""The HTTP interface: the routes of all places, and what surrounds them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from perennial.core.errors import listing
from perennial.serving.access.guard import Guard
from perennial.serving.access.headers import SecurityHeaders
from perennial.serving.host import Host
from perennial.serving.packed_answers import PackedAnswers
from perennial.serving.places import explain, invocations, pages, predict, state
from perennial.serving.problems import RequestProblem
from perennial.serving.requests.patience import ClosesWhenEnding
from perennial.serving.requests.request_ids import RequestIds
from perennial.serving.tracing import Traces

PLACES = (predict, explain, invocations, state, pages)
OF_THE_SERVER = frozenset({"/healthz", "/metrics", "/docs", "/openapi.json", "/pages/{name}"})
"""Paths that have nothing to do with any model."""
OF_ALL_MODELS = frozenset({"/", "/readyz", "/ping", "/health", "/version"})
"""Paths that, where there are several models, tell of all of them."""


def make_app(host: Host) -> Starlette:
    """The application that answers for the models of `host`."""

    @asynccontextmanager
    async def living(_: Starlette) -> AsyncIterator[None]:
        answering = asyncio.create_task(host.batcher.run())
        host.batcher_ended = answering.done
        yield
        answering.cancel()
        with suppress(asyncio.CancelledError):
            await answering

    handlers: Any = {HTTPException: _not_here}
    application = Starlette(
        routes=list(_routes(host)), middleware=_middleware(host), exception_handlers=handlers, lifespan=living
    )
    # A redirect to the same path without its slash would go to whatever host the request names.
    application.router.redirect_slashes = False
    application.state.draining = host.draining
    return application


def _routes(host: Host) -> Iterator[Route]:
    """Each place, and below /models/NAME once more what asks a model. Where there are several, only there: which one is
    asked must be said."""
    several = len(host.models) > 1
    for route in (route for module in PLACES for route in module.routes(host)):
        if route.path in OF_THE_SERVER | OF_ALL_MODELS or not several:
            yield route
        if route.path not in OF_THE_SERVER:
            yield Route(f"/models/{{model}}{route.path.rstrip('/')}", route.endpoint, methods=route.methods)


def _middleware(host: Host) -> list[Middleware]:
    """What each request passes before it comes to its place, outermost first."""
    passed = [
        Middleware(ClosesWhenEnding, draining=host.draining),
        Middleware(RequestIds, access_log=host.settings.access_log),
    ]
    if host.tracing:
        passed.append(Middleware(Traces, tracing=host.tracing))
    passed += [Middleware(SecurityHeaders), Middleware(PackedAnswers)]
    if origins := host.settings.cors_origins:
        # Before the keys: a browser asks first whether it may send one.
        asked = ["Authorization", "X-API-Key", "Content-Type", "X-Request-ID", "traceparent"]
        shown = ["Retry-After", "X-Request-ID"]
        passed.append(
            Middleware(
                CORSMiddleware,
                allow_origins=origins,
                allow_methods=["GET", "POST"],
                allow_headers=asked,
                expose_headers=shown,
            )
        )
    if host.access:
        passed.append(Middleware(Guard, access=host.access, figures=host.first.figures))
    return passed


async def _not_here(request: Request, error: HTTPException) -> JSONResponse:
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "bad_request")
    there_are = listing(_names(request.app.routes), limit=99)
    return RequestProblem(
        error.status_code, code, f"That can't be asked here. There are: {there_are}.", headers=error.headers
    ).response()


def _names(routes: list[Any]) -> list[str]:
    """Of all places, the first with its method; what is below /models only where it is nowhere else."""
    names = {route.path: f"{min(route.methods - {'HEAD'})} {route.path}" for route in routes}
    return [name for path, name in names.items() if path.removeprefix("/models/{model}") not in set(names) - {path}]
