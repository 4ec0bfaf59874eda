"""What `perennial dashboard` does and answers: the stream as a page, served or written, or as figures."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from perennial.core import progress
from perennial.core.addresses import is_loopback
from perennial.core.errors import StoreError
from perennial.core.home import Home
from perennial.monitoring.dashboard import served
from perennial.monitoring.dashboard.figures import DashboardFigures
from perennial.monitoring.dashboard.page import dashboard_page
from perennial.monitoring.dashboard.reading import read_dashboard
from perennial.pipeline_file import loader


def look(pipeline: str) -> DashboardFigures:
    """The figures as they are now."""
    spec = loader.read_pipeline(loader.find_pipeline(pipeline))
    with progress.step("dashboard"):
        return read_dashboard(spec, Home.from_environment(), datetime.now(UTC))


def write(figures: DashboardFigures, out: Path) -> Path:
    """The page as one file; whole, or as it was before. Returns where it is."""
    part = out.with_name(f".{out.name}.part")
    try:
        part.write_text(dashboard_page(figures), encoding="utf-8")
        part.replace(out)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise StoreError(
            f"The dashboard could not be written to {out}: {error.strerror}.", remedy="Name another file with --out."
        ) from error
    return out.resolve()


def serve(pipeline: str, host: str, port: int, *, insecure: bool, begun: Callable[[str], None]) -> None:
    """Show the page, with figures that follow the stream, until told to end; `begun` is told its address."""
    with served.listening(host, port, insecure=insecure) as bound:
        figures = served.FreshFigures(lambda: look(pipeline))
        figures.newest()
        only_local = is_loopback(bound.getsockname()[0])
        begun(served.address_of(bound))
        with _ends_quietly():
            served.dashboard_server(served.dashboard_app(figures, only_local=only_local)).run(sockets=[bound])


@contextmanager
def _ends_quietly() -> Iterator[None]:
    """To be told to end is no failure: the server passes on the signal that it was ended by."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def figures_as_json(figures: DashboardFigures, path: Path | None) -> dict[str, Any]:
    """The figures as one JSON-ready object, with where the page is if it was written."""
    return {"status": "done", "path": str(path) if path else None, **figures.model_dump(mode="json")}
