"""The process: bind, load, answer, follow, and drain when told to end."""

import logging
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import uvicorn

from perennial.core.errors import ServingError
from perennial.core.home import Home
from perennial.serving import app, connections
from perennial.serving.current import CurrentVersion
from perennial.serving.following import Follower
from perennial.serving.metrics import ServingMetrics
from perennial.settings.serving import ServingSpec

LOG = logging.getLogger(__name__)
BACKLOG = 2048


def run_server(
    home: Home,
    model: str,
    version: str | None,
    settings: ServingSpec,
    *,
    host: str,
    port: int,
    wait: bool,
    names: Mapping[str, str],
) -> None:
    """Serve `version` of `model` (None: its champion, whoever that is) until told to end.

    `port` 0: any free one; `wait`: start before there is anything to serve. `names`: the pipeline's names for canonical
    columns. Raises PerennialError when the address can't be had, or, unless `wait`, the version can't serve.
    """
    current, figures = CurrentVersion(), ServingMetrics(model)
    follower = Follower(home, model, version, settings, current, figures)
    with _bound(host, port) as bound_socket:
        if not wait:
            with _told_to_end(_leave):
                follower.load()
        config = uvicorn.Config(
            app.make_app(current, figures, settings, names),
            http=connections.bounded_protocol(settings, figures),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            backlog=BACKLOG,
            timeout_graceful_shutdown=settings.drain_seconds,
        )
        follower.start()
        # uvicorn drains when it is told to end, and tells again when it has: that is the end, and no failure.
        with _told_to_end(lambda *_: None):
            _Server(config).run(sockets=[bound_socket])
        follower.end()
        LOG.info("Ended: every request that had come in was answered.")


class _Server(uvicorn.Server):
    """Says where it listens, as soon as it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on `sockets`."""
        await super().startup(sockets)
        for bound_socket in sockets or ():
            host, port = bound_socket.getsockname()[:2]
            LOG.info("Listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that has the address and does not listen yet, so that nobody is let in before there are answers."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ServingError(
            f"The server can't listen on {host}:{port}: {reason}.",
            remedy="End what listens there already, or name another --port or --host.",
        ) from error
    with made:
        yield made


def _leave(*_: object) -> None:
    """Nothing is under way yet. (A container's first process is not ended by signals that it does not handle.)"""
    raise SystemExit(0)


@contextmanager
def _told_to_end(then: Callable[..., None]) -> Iterator[None]:
    """For the block, do `then` on Ctrl-C and SIGTERM."""
    before = {number: signal.signal(number, then) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
