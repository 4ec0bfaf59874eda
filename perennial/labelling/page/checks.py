"""What a request passes before it is answered: is it of our own page, and has it the key where one is asked for.

https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
MOST_BYTES = 1 << 20
"""Of what a page sends."""
Admits = Callable[[str | None], str | None]
"""Given the key of a request (None: it has none), why it may not come in; None: it may."""


class Checks:
    """The middleware that lets in what may be answered, and says to browsers what they may do with the answer."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None, admits: Admits | None) -> None:
        """`hosts`: the names under which the page may be asked (None: any), so that no other site can give its own name
        to this machine; `admits`: who may ask for texts (None: everybody)."""
        self._app, self._hosts, self._admits = app, hosts, admits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, sending)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts is not None and _name_of(host) not in self._hosts:
            return refused(421, "This page is not asked for under that name.")
        if scope["method"] not in ("GET", "HEAD"):
            if problem := _of_another_site(headers, host):
                return refused(403, problem)
            length = headers.get("content-length", "")
            if not length.isdigit() or int(length) > MOST_BYTES:
                return refused(413, f"A request says how long it is, and has at most {MOST_BYTES:,} bytes.")
        if self._admits and scope["path"].startswith("/api/") and (why := self._admits(_key(headers))):
            return refused(401, why)
        return None


def refused(status: int, problem: str, remedy: str = "") -> JSONResponse:
    """An answer that says what is wrong."""
    return JSONResponse({"error": problem, "remedy": remedy}, status)


def _of_another_site(headers: Headers, host: str) -> str | None:
    """Why a request that changes something is not taken for one of our own page; None: it is."""
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return "This was sent by the page of another site."
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return "This was sent by the page of another site."
    # A form of another site can't send this without asking first, which is never allowed here.
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return "JSON is expected, and said to be (Content-Type: application/json)."
    return None


def _name_of(host: str) -> str:
    return host.lower().rpartition(":")[0] if host.rpartition(":")[2].isdigit() and ":" in host else host.lower()


def _key(headers: Headers) -> str | None:
    scheme, _, value = headers.get("authorization", "").strip().partition(" ")
    return value.strip() or None if scheme.lower() == "bearer" else None
