"""What each request passes before it comes to its place: is there a key, may it ask this, and so much of it."""

import base64
import binascii
from dataclasses import dataclass, field
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from perennial.serving.access import api_keys
from perennial.serving.access.api_keys import ApiKey
from perennial.serving.access.key_ring import KeyRing
from perennial.serving.access.rate_limits import RateLimiter
from perennial.serving.metrics import ServingMetrics
from perennial.serving.problems import RequestProblem
from perennial.settings.serving import ServingSpec

OPEN = frozenset({"/healthz", "/readyz", "/ping", "/health"})
"""What an orchestrator asks, which has no key: only whether the server is well."""
CALLER = "perennial.caller"
"""In a request's scope: a Caller."""


@dataclass(frozen=True)
class Caller:
    """Who asks: a key, or where none is asked for an address."""

    name: str
    """For the limits; no text of a key."""
    key: ApiKey | None

    def per_minute(self, unit: str, settings: ServingSpec) -> int | None:
        """How many of `unit` (requests, rows) it may ask in a minute; None: any number."""
        own: int | None = getattr(self.key, f"{unit}_per_minute", None)
        usual: int | None = getattr(settings, f"{unit}_per_minute")
        return own or usual


@dataclass
class Access:
    """Who may ask a server. Used by the event loop's thread alone."""

    settings: ServingSpec
    ring: KeyRing
    requests: RateLimiter = field(default_factory=lambda: RateLimiter("requests"))
    rows: RateLimiter = field(default_factory=lambda: RateLimiter("rows"))

    @classmethod
    def by_file(cls, settings: ServingSpec, path: Path) -> "Access":
        """By the keys in the file at `path`, if there is one. Raises KeyFileError when it can't be read."""
        api_keys.read_keys(path)
        return cls(settings, KeyRing(path))

    def admit(self, scope: Scope) -> None:
        """Let the request of `scope` in. Raises RequestProblem when it may not come in."""
        needed = self._needed(scope["path"])
        if needed is None:
            return
        key = self.ring.admit(_presented(scope), needed) if self.ring.asks else None
        client = scope.get("client")
        caller = Caller(f"key {key.id}" if key else f"address {client[0] if client else ''}", key)
        scope[CALLER] = caller
        self.requests.take(caller.name, 1, caller.per_minute("requests", self.settings))

    def count_rows(self, request: Request, rows: int) -> None:
        """Count the rows of a request against its caller's limit. Raises RequestProblem when they are too many now."""
        caller = request.scope.get(CALLER)
        if isinstance(caller, Caller):
            self.rows.take(caller.name, rows, caller.per_minute("rows", self.settings))

    def _needed(self, path: str) -> api_keys.Scope | None:
        """What a key has to be good for to ask `path`; None: nobody needs a key."""
        if path in OPEN:
            return None
        if path == "/metrics":
            return None if self.settings.open_metrics else "admin"
        return "explain" if path.endswith("/explain") else "predict"


class Guard:
    """The middleware that asks `access` about each request."""

    def __init__(self, app: ASGIApp, access: Access, figures: ServingMetrics) -> None:
        self._app, self._access, self._figures = app, access, figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or refuse it."""
        try:
            if scope["type"] == "http":
                self._access.admit(scope)
        except RequestProblem as problem:
            self._figures.refused(problem.code)
            await problem.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _presented(scope: Scope) -> str | None:
    """The key in a request's headers; None: there is none. Browsers can only ask a person for a user and a password:
    the password is the key then."""
    headers = Headers(scope=scope)
    if given := headers.get("x-api-key"):
        return given.strip()
    scheme, _, value = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None
