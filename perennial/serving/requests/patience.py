"""How long a request may take: by the server's limits, by the client's own deadline, and when the server is ending.

A client says how long it waits for an answer by the header X-Request-Timeout-Ms, in milliseconds since its request
came; work for an answer that nobody waits for any more is dropped.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perennial.serving import problems
from perennial.serving.problems import RequestProblem

HEADER = "X-Request-Timeout-Ms"
LONGEST_MS = 86_400_000
"""A day."""
BODY_SECONDS_WHEN_ENDING = 5.0
"""That a body may still take to come in once the server was told to end; who has stalled must not hold it up."""
_DEADLINE = "perennial.deadline"


class Draining:
    """Whether the server is ending, and which waits that cuts short. To be used in one event loop."""

    def __init__(self) -> None:
        self.begun = False
        self._waits: dict[asyncio.Timeout, float] = {}

    def begin(self) -> None:
        """The server was told to end."""
        self.begun = True
        for wait, seconds in self._waits.items():
            _shorten(wait, seconds)

    @asynccontextmanager
    async def cutting(self, wait: asyncio.Timeout, seconds: float) -> AsyncIterator[None]:
        """For the block, `wait` ends at most so many seconds after the server was told to end."""
        self._waits[wait] = seconds
        if self.begun:
            _shorten(wait, seconds)
        try:
            yield
        finally:
            del self._waits[wait]


def _shorten(wait: asyncio.Timeout, seconds: float) -> None:
    until = asyncio.get_running_loop().time() + seconds
    before = wait.when()
    if not wait.expired() and (before is None or until < before):
        wait.reschedule(until)


@asynccontextmanager
async def within(request: Request, seconds: float, when_ending: float, problem: RequestProblem) -> AsyncIterator[None]:
    """The block, no longer than `seconds`, than the request's own deadline, or, once the server is ending, than
    `when_ending`. Raises `problem` when it takes longer, or what says which of the others it was.
    """
    now = asyncio.get_running_loop().time
    draining: Draining = request.app.state.draining
    deadline = deadline_of(request)
    try:
        async with asyncio.timeout_at(min(now() + seconds, deadline)) as wait, draining.cutting(wait, when_ending):
            yield
    except TimeoutError as error:
        if now() >= deadline:
            raise problems.deadline_passed(HEADER) from error
        raise (problems.ending() if draining.begun else problem) from error


def deadline_of(request: Request) -> float:
    """By the loop's clock, until when the client waits; infinite: it does not say. Raises RequestProblem."""
    if _DEADLINE not in request.scope:
        given = request.headers.get(HEADER)
        seconds = inf if given is None else _milliseconds(given) / 1000
        request.scope[_DEADLINE] = asyncio.get_running_loop().time() + seconds
    deadline: float = request.scope[_DEADLINE]
    return deadline


def _milliseconds(given: str) -> int:
    if given.isascii() and given.isdecimal() and len(given) <= len(str(LONGEST_MS)) and 1 <= int(given) <= LONGEST_MS:
        return int(given)
    raise problems.bad(
        f"{HEADER} must be a whole number of milliseconds, from 1 to {LONGEST_MS:,}.", "Or leave it out."
    )


class ClosesWhenEnding:
    """Tells each client that is answered while the server ends that its connection closes, so that its next request
    goes to another server and is not lost.
    """

    def __init__(self, app: ASGIApp, draining: Draining) -> None:
        self._app, self._draining = app, draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start" and self._draining.begun:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, closing)
