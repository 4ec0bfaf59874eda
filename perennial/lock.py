"""One run of a pipeline at a time on one home: two would write over each other's checkpoints."""

from collections.abc import Iterator
from contextlib import contextmanager

from perennial.errors import PerennialError
from perennial.home import Home


class BusyError(PerennialError):
    """Another run of the same pipeline is at work."""


@contextmanager
def one_at_a_time(pipeline: str, home: Home) -> Iterator[None]:
    """Hold the lock of `pipeline` for the block; it ends with this process, however that ends.

    Raises BusyError when another process holds it.
    """
    from filelock import FileLock, Timeout

    folder = home.state(pipeline)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "run.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(
            f"Another run of {pipeline} is at work on {home.root}.",
            remedy="Wait until it has ended; or set PERENNIAL_HOME to another folder to run beside it.",
        ) from None
    try:
        yield
    finally:
        lock.release()
