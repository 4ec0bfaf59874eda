"""The process: bind, load, answer, follow, and drain when told to end."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn

from perennial.core.addresses import is_loopback
from perennial.core.errors import ServingError
from perennial.core.home import Home
from perennial.inference import cpu
from perennial.inference.sharing.pool import GraphPool
from perennial.serving import app, connections, memory
from perennial.serving.access.guard import Access
from perennial.serving.access.tls import TlsFiles, tls_files
from perennial.serving.companions import Companions
from perennial.serving.current import CurrentVersion
from perennial.serving.host import Host, HostedModel
from perennial.serving.metrics import ServingMetrics
from perennial.serving.tracing import tracing_from_environment
from perennial.serving.versions.following import Follower
from perennial.serving.workers import become_worker
from perennial.settings.serving import ServingSpec
from perennial.signing import keys
from perennial.signing.keys import TrustedKey

LOG = logging.getLogger(__name__)
BACKLOG = 2048
TICK = 0.05
"""Seconds between two looks at whether the notice is over."""


@dataclass(frozen=True)
class AccessOptions:
    """Who may ask, as the command line says."""

    keys: Path | None = None
    """The file of API keys; None: the home's."""
    insecure: bool = False
    """Whether everybody may ask, from anywhere, where there are no keys."""
    certificate: Path | None = None
    key: Path | None = None
    """Of TLS."""
    trusted: tuple[Path, ...] = ()
    """Files of public keys, one of which has to have signed what serves; none: signatures are not looked at."""


@dataclass(frozen=True)
class ModelToServe:
    """A model, and what of it is served."""

    name: str
    version: str | None
    """Always this one; None: its champion, whoever that is."""
    names: Mapping[str, str]
    """The pipeline's names for canonical columns."""


def run_server(
    home: Home,
    models: Sequence[ModelToServe],
    settings: ServingSpec,
    *,
    host: str,
    port: int,
    wait: bool,
    options: AccessOptions,
    workers: int = 1,
) -> None:
    """Serve `models`, each with a name of its own, until told to end.

    `port` 0: any free one; `wait`: start before there is anything to serve. `workers`: processes that answer, each with
    its own share of the cores. Raises PerennialError when the address can't be had, would be open to everybody without
    anybody having said so, or, unless `wait`, one of them can't serve.
    """
    memory.use_few_arenas()
    tls = tls_files(options.certificate, options.key)
    access = Access.by_file(settings, options.keys or home.api_keys)
    trusted = keys.trusted_keys(options.trusted)
    if not options.insecure:
        _check_keys(access, options)
    with _bound(host, port) as bound_socket:
        if not options.insecure:
            _check_open(bound_socket, access, options.keys or home.api_keys)
        _say_how_open(access, tls)
        ready: Callable[[], None] = partial(_say_where, bound_socket, "https" if tls else "http")
        if workers > 1:
            ready = become_worker(workers, ready)
            settings = settings.model_copy(update={"threads": settings.threads or max(1, cpu.cores() // workers)})
        tracing = tracing_from_environment()
        hosted, followers = _hosted(home, models, settings, trusted)
        # A version that was asked for by its number is beside no champion.
        companions = [
            Companions(home, one, settings, trusted, tries=model.version is None)
            for one, model in zip(hosted, models, strict=True)
        ]
        if not wait:
            with _told_to_end(_leave):
                for follower in followers:
                    follower.load()
        hosting = Host(hosted, settings, access, tracing)
        config = uvicorn.Config(
            app.make_app(hosting),
            http=connections.bounded_protocol(settings, hosted[0].figures),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            ws="none",
            backlog=BACKLOG,
            timeout_graceful_shutdown=settings.drain_seconds,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
        )
        background: list[Follower | Companions] = [*followers, *companions]
        for one in background:
            one.start()
        # Of what is loaded by now nearly nothing will ever be garbage; to look through all of it for some is a
        # pause in which nobody is answered.
        memory.give_back()  # what loading took for a while, of ten models 100 MB
        gc.freeze()
        # uvicorn drains when it is told to end, and tells again when it has: that is the end, and no failure.
        with _told_to_end(lambda *_: None):
            _Server(config, hosting, ready).run(sockets=[bound_socket])
        for one in background:
            one.end()
        if tracing:
            tracing.flush()
        LOG.info("Ended: every request that had come in was answered.")


def _hosted(
    home: Home, models: Sequence[ModelToServe], settings: ServingSpec, trusted: Sequence[TrustedKey]
) -> tuple[list[HostedModel], list[Follower]]:
    """The models without a version yet, and who brings each its own."""
    # One model has nobody to share with.
    pool = GraphPool() if len(models) > 1 else None
    hosted: list[HostedModel] = []
    followers = []
    for model in models:
        figures = ServingMetrics(model.name, hosted[0].figures if hosted else None)
        hosted.append(HostedModel(model.name, CurrentVersion(), figures, model.names))
        current = hosted[-1].current
        followers.append(Follower(home, model.name, model.version, settings, current, figures, trusted, pool))
    return hosted, followers


class _Server(uvicorn.Server):
    """Says that it answers, as soon as it does, and tells its clients when it ends."""

    def __init__(self, config: uvicorn.Config, hosting: Host, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._hosting, self._ready = hosting, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on `sockets`."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody else in after the notice, and answer what is under way."""
        loop, settings = asyncio.get_running_loop(), self._hosting.settings
        self._hosting.draining.begin()
        over = loop.time() + (settings.notice_seconds if self._is_told_by_a_manager() else 0)
        while loop.time() < over and not self.force_exit:
            await asyncio.sleep(TICK)
        # Just before uvicorn would cancel what is under way, with a line in the log for each.
        cut = loop.call_later(settings.drain_seconds * 0.95, self._cut_off)
        try:
            await super().shutdown(sockets)
        finally:
            cut.cancel()

    def _is_told_by_a_manager(self) -> bool:
        """By SIGTERM, and not by a person with Ctrl-C, who waits."""
        return signal.SIGINT not in self._captured_signals

    def _cut_off(self) -> None:
        connections = list(self.server_state.connections)
        if connections:
            LOG.warning("Closed %d connections whose clients had not sent or read all in time.", len(connections))
        for connection in connections:
            connection.transport.abort()


def _say_where(bound_socket: socket.socket, scheme: str) -> None:
    host, port = bound_socket.getsockname()[:2]
    LOG.info("Listening on %s://%s:%d", scheme, f"[{host}]" if ":" in host else host, port)


def _check_keys(access: Access, options: AccessOptions) -> None:
    """Raises ServingError when a file of keys is named and is not there: a wrong name must not open the server."""
    if options.keys and not access.ring.asks:
        raise ServingError(
            f"There is no file of API keys at {options.keys}, so the server would ask for none.",
            remedy=f"`perennial keys add NAME --keys {options.keys}` makes one; --insecure lets everybody ask until "
            "then.",
        )


def _check_open(bound_socket: socket.socket, access: Access, path: Path) -> None:
    """Raises ServingError when other machines can reach the address and no key is asked for."""
    host, port = bound_socket.getsockname()[:2]
    if access.ring.asks or is_loopback(host):
        return
    raise ServingError(
        f"On {host}:{port} other machines can reach the server, and it would answer anybody: there are no API keys in "
        f"{path}.",
        remedy="`perennial keys add NAME` makes one. --insecure lets everybody ask, such as behind a proxy that asks "
        "who they are.",
    )


def _say_how_open(access: Access, tls: TlsFiles | None) -> None:
    if not access.ring.asks:
        LOG.warning("No API keys are asked for: whoever reaches this server may ask. `perennial keys add` makes one.")
    elif not access.ring.valid():
        LOG.warning("No API key is good: nobody is let in. `perennial keys add` makes one, which counts at once.")
    if tls and tls.doubt:
        LOG.warning("%s", tls.doubt)


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
