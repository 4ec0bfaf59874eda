"""One run of a pipeline at a time on one home, and none while its store is cleared out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perennial.core.errors import BusyError, OverlapError
from perennial.core.home import Home

LOCK = "run.lock"
REMOVAL_LOCK = "gc.lock"
REMOVAL_SECONDS = 600
"""How long a run waits for `perennial gc`, which takes seconds to minutes."""

LOOK_SECONDS = 0.5
"""How long a run waits for its own lock: `perennial gc` holds it for an instant, to see whether one is at work."""


@contextmanager
def one_at_a_time(pipeline: str, home: Home) -> Iterator[None]:
    """Hold the lock of `pipeline` for the block; it ends with this process, however that ends.

    Raises OverlapError when another process holds it.
    """
    folder = home.state(pipeline)
    folder.mkdir(parents=True, exist_ok=True)
    busy = OverlapError(
        f"Another run of {pipeline} is at work on {home.root}.",
        remedy="Wait until it (or `perennial tune`, which counts as one) has ended; or set PERENNIAL_HOME to another "
        "folder to run beside it.",
    )
    with _held(folder / LOCK, busy, LOOK_SECONDS):
        # In this order: gc takes its own lock first and then finds ours, or we find its.
        with nothing_removed(home):
            pass
        yield


@contextmanager
def one_tuning(pipeline: str, home: Home) -> Iterator[None]:
    """Hold the lock of `pipeline`'s tuning for the block, and that of its runs: both would learn on the same cores.

    Raises BusyError when another process holds one of them.
    """
    home.tuning.mkdir(parents=True, exist_ok=True)
    busy = BusyError(
        f"Another `perennial tune` of {pipeline} is at work on {home.root}.",
        remedy="Wait until it has ended, or end it with Ctrl-C: what it found out is kept.",
    )
    with _held(home.tuning / f"{pipeline}.lock", busy), one_at_a_time(pipeline, home):
        yield


@contextmanager
def nothing_removed(home: Home) -> Iterator[None]:
    """A block in which nothing is removed from the store. Raises BusyError when `perennial gc` takes too long."""
    home.root.mkdir(parents=True, exist_ok=True)
    busy = BusyError(
        f"`perennial gc` is clearing out {home.root}, and has not ended in {REMOVAL_SECONDS} s.",
        remedy="Wait until it has ended, and run the same command again.",
    )
    with _held(home.root / REMOVAL_LOCK, busy, REMOVAL_SECONDS):
        yield


@contextmanager
def nothing_running(home: Home, standing: str = "Nothing was removed.") -> Iterator[None]:
    """A block in which no pipeline runs on `home`; a run that starts waits. Raises BusyError when one is at work.

    `standing`: one sentence on how things stand then.
    """
    other = BusyError(
        f"Another `perennial gc`, or a run that is just starting, is at work on {home.root}. {standing}",
        remedy="Run the same command again when it has ended.",
    )
    home.root.mkdir(parents=True, exist_ok=True)
    with _held(home.root / REMOVAL_LOCK, other):
        for folder in sorted(home.state("").glob("*/")):
            busy = BusyError(
                f"A run of {folder.name} is at work on {home.root}, and what it needs is not known yet. {standing}",
                remedy="Run the same command again when it has ended.",
            )
            # Only a look: a run that starts from now on has its own lock, and waits for ours.
            with _held(folder / LOCK, busy):
                pass
        yield


@contextmanager
def _held(path: Path, busy: BusyError, wait: float = 0) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=wait)
    try:
        lock.acquire()
    except Timeout:
        raise busy from None
    try:
        yield
    finally:
        lock.release()
