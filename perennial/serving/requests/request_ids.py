"""An id for each request: the client's own where it is well-formed, else a new one; in the answer and in the log.

`X-Request-ID` is a convention; `traceparent` is W3C's Trace Context, whose trace id is taken where no other is given.
"""

import logging
import re
import secrets
import time
from contextvars import ContextVar

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger(__name__)
HEADER = "X-Request-ID"
WELL_FORMED = re.compile(r"[A-Za-z0-9._~+/=:-]{1,128}")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
NO_ID = ""
_CURRENT: ContextVar[str] = ContextVar("request_id", default=NO_ID)


def current_request_id() -> str:
    """The id of the request that is being answered here; empty: none is."""
    return _CURRENT.get()


def request_id_of(request: Request) -> str:
    """The id of `request`; "" where nothing gave it one."""
    return str(getattr(request.state, "request_id", NO_ID))


def id_for(headers: Headers) -> str:
    """The id that the headers of a request give it, or a new one. What is not well-formed is not repeated."""
    given = headers.get(HEADER, "")
    if WELL_FORMED.fullmatch(given):
        return given
    traced = TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    return traced[1] if traced else secrets.token_hex(16)


class WithRequestId(logging.Filter):
    """Gives each log record the id of its request, as `request_id`, unless it was logged with one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True: every record is kept."""
        if not hasattr(record, "request_id"):
            record.request_id = current_request_id()
        return True


class RequestIds:
    """Middleware: the id is known while a request is answered, and goes out with the answer."""

    def __init__(self, app: ASGIApp, *, access_log: bool) -> None:
        """`access_log`: log a line for each request: what was asked of which place, how it ended and how long it took;
        never a query or a body, which may hold a text."""
        self._app, self._access_log = app, access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = id_for(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        token = _CURRENT.set(request_id)
        started, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            if self._access_log:
                self._log(scope, status, time.perf_counter() - started)
            _CURRENT.reset(token)

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        # A path that is no place may hold anything.
        route = scope.get("route")
        path = getattr(route, "path", "an unknown place")
        LOG.info("%s %s: %d in %.1f ms", scope["method"], path, status, seconds * 1000)
