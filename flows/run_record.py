"""A run that is remembered however it ends, and told about: what `perennial run` and scheduled runs are wrapped in.

A run leaves a marker while it is at work. One that is killed leaves it behind, and the next run of the pipeline on this
home finds it and remembers that, too.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout
from pydantic import AwareDatetime, ValidationError

from perennial import notifications
from perennial.core import progress
from perennial.core.errors import OverlapError, PerennialError
from perennial.core.home import Home
from perennial.core.masking import mask_secrets
from perennial.core.record import Record
from perennial.core.store import write_atomically
from perennial.records.run import RunResult, Trigger
from perennial.runs import log
from perennial.runs.log import RunEntry
from perennial.settings.pipeline import PipelineSpec

OPEN = "open-runs"


class RunMarker(Record):
    """A run that is at work."""

    started: AwareDatetime
    trigger: Trigger
    host: str


def recorded(spec: PipelineSpec, home: Home, trigger: Trigger, run: Callable[[], RunResult]) -> RunResult:
    """What `run` gives; how it ended is remembered and told, also when it raises.

    A run that is remembered or told late, or not at all, is as good as any other: that is only noted.
    """
    _remember_killed(spec, home)
    started = datetime.now(UTC)
    with _marked(home.state(spec.name) / OPEN, RunMarker(started=started, trigger=trigger, host=log.here())):
        try:
            result = run()
        except BaseException as error:
            _conclude(spec, home, _failed(spec, started, trigger, error), None, quietly=_is_personal(error, trigger))
            raise
        _conclude(spec, home, _ended(started, trigger, result), notifications.link(spec, home, result))
        return result


def needless(spec: PipelineSpec, home: Home, trigger: Trigger, why: str) -> None:
    """Remember a run that was not begun, and need not be; nobody is told."""
    now = datetime.now(UTC)
    entry = RunEntry(
        pipeline=spec.name, started=now, ended=now, trigger=trigger, status="skipped", sentence=why, host=log.here()
    )
    _conclude(spec, home, entry, None, quietly=True)


def _conclude(spec: PipelineSpec, home: Home, entry: RunEntry, report: str | None, *, quietly: bool = False) -> None:
    try:
        log.note_run(home, entry)
    except PerennialError as error:
        progress.note(f"That this run was {entry.status} could not be remembered: {error.problem}")
    if not quietly:
        notifications.tell(spec, home, entry, report)


def _ended(started: datetime, trigger: Trigger, result: RunResult) -> RunEntry:
    return RunEntry(
        pipeline=result.model,
        started=started,
        ended=datetime.now(UTC),
        trigger=trigger,
        status=result.status.value,
        version=result.version,
        sentence=mask_secrets(" ".join(result.reasons)),
        host=log.here(),
    )


def _failed(spec: PipelineSpec, started: datetime, trigger: Trigger, error: BaseException) -> RunEntry:
    return RunEntry(
        pipeline=spec.name,
        started=started,
        ended=datetime.now(UTC),
        trigger=trigger,
        # Two triggers at once are one run; that the other one had nothing to do is no failure.
        status="skipped" if isinstance(error, OverlapError) else "failed",
        sentence=_sentence(error),
        host=log.here(),
    )


def _sentence(error: BaseException) -> str:
    if isinstance(error, PerennialError):
        return error.problem
    if isinstance(error, KeyboardInterrupt):
        return "It was interrupted."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full."
    if not isinstance(error, Exception):
        return f"It was stopped ({type(error).__name__})."
    # Without its message: that may hold a text or a password.
    return f"Perennial failed in a way it does not know ({type(error).__name__})."


def _is_personal(error: BaseException, trigger: Trigger) -> bool:
    """Whether whoever would be told did it, and looks at it."""
    return isinstance(error, KeyboardInterrupt) and trigger.kind == "hand"


@contextmanager
def _marked(folder: Path, marker: RunMarker) -> Iterator[None]:
    path = folder / f"{uuid4().hex}.json"
    lock = FileLock(path.with_suffix(".lock"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        write_atomically(path, marker.model_dump_json() + "\n")
    except OSError:
        progress.note("The run can't leave a marker; if it is killed, nobody will know.")
    try:
        yield
    finally:
        _remove(path)
        lock.release()


def _remember_killed(spec: PipelineSpec, home: Home) -> None:
    for path in sorted((home.state(spec.name) / OPEN).glob("*.json")):
        # Whoever left it holds its lock as long as it lives, and the system lets go of it then.
        lock = FileLock(path.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            continue
        try:
            marker = RunMarker.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            marker = None
        _remove(path)
        lock.release()
        if marker:
            _conclude(spec, home, _killed(spec, marker), None)


def _killed(spec: PipelineSpec, marker: RunMarker) -> RunEntry:
    return RunEntry(
        pipeline=spec.name,
        started=marker.started,
        ended=datetime.now(UTC),
        trigger=marker.trigger,
        status="failed",
        sentence=f"The run of {marker.started:%Y-%m-%d %H:%M:%S}Z was killed before it ended; the next one goes on "
        "where it was.",
        host=marker.host,
    )


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        path.with_suffix(".lock").unlink(missing_ok=True)
    except OSError:
        progress.note(f"{path} can't be removed; the next run will take this one for killed.")
