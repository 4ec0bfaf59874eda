"""The process: bind, load, answer, follow, and drain when told to end."""

import logging
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import uvicorn

from perennial.errors import ServingError
from perennial.home import Home
from perennial.serving import app
from perennial.serving.figures import Figures
from perennial.serving.following import Follower
from perennial.serving.stage import Stage
from perennial.spec_serving import ServingSpec

LOG = logging.getLogger(__name__)
BACKLOG = 2048


def run(
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
    stage, figures = Stage(), Figures(model)
    follower = Follower(home, model, version, settings, stage, figures)
    with _bound(host, port) as listening:
        if not wait:
            follower.load()
        config = uvicorn.Config(
            app.make(stage, figures, settings, names),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            backlog=BACKLOG,
            timeout_graceful_shutdown=settings.drain_seconds,
        )
        follower.start()
        LOG.info("Listening on http://%s:%d", _shown(host), listening.getsockname()[1])
        with _ending_well():
            uvicorn.Server(config).run(sockets=[listening])
        follower.end()
        LOG.info("Ended: every request that had come in was answered.")


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


@contextmanager
def _ending_well() -> Iterator[None]:
    """Being told to end is no failure: uvicorn drains, then raises the signal again, which would kill the process."""
    ends = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: None) for number in ends}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
