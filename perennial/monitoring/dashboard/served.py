"""The dashboard over HTTP: the page, its figures for the next look, and nothing else; read only, for this machine."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perennial.core import digest
from perennial.core.addresses import is_loopback
from perennial.core.errors import PerennialError, ServingError
from perennial.monitoring.dashboard import page
from perennial.monitoring.dashboard.figures import DashboardFigures

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

REFRESH_SECONDS = 30
"""How often a page asks for newer figures, and how old they may be."""
MOST_CONNECTIONS = 64
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
LOCAL_NAMES = ("localhost", "localhost.localdomain")


@dataclass
class FreshFigures:
    """The newest figures, made anew when somebody asks and they are old; by one at a time."""

    make: Callable[[], DashboardFigures]
    """Raises PerennialError."""
    seconds: float = REFRESH_SECONDS
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _made: tuple[float, DashboardFigures] | None = None

    def newest(self) -> DashboardFigures:
        """The figures; others that ask meanwhile wait for the same. Raises PerennialError."""
        with self._lock:
            if self._made is None or time.monotonic() - self._made[0] >= self.seconds:
                figures = self.make()
                # From the end of the work on: else a stream that takes longer would be read without a pause.
                self._made = (time.monotonic(), figures)
            return self._made[1]


def dashboard_app(figures: FreshFigures, *, only_local: bool) -> Starlette:
    """The application. `only_local`: answer only requests that name this machine, so that no page of elsewhere whose
    name is made to point here (DNS rebinding) reads the stream."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.routing import Route

    routes = [Route("/", _page_of(figures)), Route("/figures.json", _data_of(figures))]
    handlers = {PerennialError: _refused}
    return Starlette(
        routes=routes,
        middleware=[Middleware(_Guarded, only_local=only_local)],
        exception_handlers=handlers,
    )


def _page_of(figures: FreshFigures) -> Callable[[Request], Response]:
    def answer(_: Request) -> Response:
        from starlette.responses import HTMLResponse

        content = page.dashboard_page(figures.newest(), REFRESH_SECONDS)
        policy = f"{page.policy_of_a_page(asks=True)}; frame-ancestors 'none'"
        return HTMLResponse(content, headers={"Content-Security-Policy": policy})

    return answer


def _data_of(figures: FreshFigures) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        from starlette.responses import Response

        newest = figures.newest()
        tag = f'"{digest.of_values(figures=newest.model_dump(mode="json"))}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(newest.model_dump_json(), media_type="application/json", headers={"ETag": tag})

    return answer


async def _refused(_: Request, error: Exception) -> Response:
    from starlette.responses import JSONResponse

    problem = error.problem if isinstance(error, PerennialError) else "The figures could not be made."
    remedy = error.remedy if isinstance(error, PerennialError) else ""
    return JSONResponse({"error": problem, "remedy": remedy}, 503)


class _Guarded:
    """The middleware that looks at who is asked, and tells browsers what they may do."""

    def __init__(self, app: ASGIApp, *, only_local: bool) -> None:
        self._app, self._only_local = app, only_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.datastructures import MutableHeaders
        from starlette.responses import PlainTextResponse

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", DATA_POLICY)
            await send(message)

        if scope["type"] == "http" and self._only_local and not names_this_machine(_host_of(scope)):
            refusal = PlainTextResponse("This dashboard answers only to names of this machine, as 127.0.0.1.", 421)
            await refusal(scope, receive, sending)
            return
        await self._app(scope, receive, sending)


def _host_of(scope: Scope) -> str:
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    return hosts[0] if len(hosts) == 1 else ""


def names_this_machine(host: str) -> bool:
    """Whether a Host header (with or without a port) is a loopback address, or localhost."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower() in LOCAL_NAMES or is_loopback(name)


@contextmanager
def listening(host: str, port: int, *, insecure: bool) -> Iterator[socket.socket]:
    """A socket that listens at the address; `port` 0: any free one.

    Raises ServingError when it can't be had, or, unless `insecure`, when other machines would reach it.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    except (OSError, OverflowError, UnicodeError) as error:
        raise _no_address(host, port, error) from error
    with made:
        if not insecure and not is_loopback(str(address[0])):
            raise ServingError(
                f"On {host} other machines could reach the dashboard, which shows texts and figures to whoever asks.",
                remedy="Leave --host out, and reach it through a tunnel or a proxy that asks who they are; --insecure "
                "shows it to everybody.",
            )
        try:
            made.bind(address)
            # At once, so that a browser that is quicker than the server waits, and is not refused.
            made.listen(MOST_CONNECTIONS)
        except (OSError, OverflowError) as error:
            raise _no_address(host, port, error) from error
        yield made


def _no_address(host: str, port: int, error: Exception) -> ServingError:
    reason = getattr(error, "strerror", None) or error
    return ServingError(
        f"The dashboard can't listen on {host}:{port}: {reason}.",
        remedy="End what listens there already, or name another --port or --host.",
    )


def address_of(bound: socket.socket) -> str:
    """Where a browser finds what `bound` answers."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def dashboard_server(app: Starlette) -> uvicorn.Server:
    """A server of the application; its `run(sockets=[…])` answers until this process is told to end."""
    import uvicorn

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)
