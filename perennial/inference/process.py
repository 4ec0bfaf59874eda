"""A package in a process of its own, which imports what serving takes and nothing else: as it will be served.

The programs that run there (`answer`, `cost`) read one JSON request a line and write one JSON reply a line; before it
may come lines that say how far they are.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from perennial.core.errors import PackageError

STARTING_SECONDS = 120.0
"""For loading the package and the first reply."""
PROGRESS = "done"
"""What a line that is no reply yet holds: [done, in all]."""

Heard = Callable[[int, int], None]
"""Hears (done, in all)."""


class TooSlowError(PackageError):
    """There was no reply in time."""


class Process:
    """A running program that has a package loaded; made by `running_program`."""

    def __init__(self, running: subprocess.Popen[str], errors: IO[bytes]) -> None:
        """`errors`: what it writes to standard error."""
        self._running, self._errors = running, errors

    def ask(self, request: Any, *, seconds: float = STARTING_SECONDS, heard: Heard | None = None) -> Any:
        """The reply to `request`; `heard` is told how far it is.

        Raises PackageError when there is none within `seconds` (the process is killed then), or the process has ended.
        """
        late = threading.Event()

        def stop() -> None:
            late.set()
            self._running.kill()

        timer = threading.Timer(seconds, stop)
        timer.start()
        try:
            reply = self._exchange(json.dumps(request), heard)
        finally:
            timer.cancel()
        if late.is_set():
            raise TooSlowError(f"It gave no answer within {seconds:,.3g} s in a process of its own.")
        if not reply.endswith("\n"):
            raise PackageError(f"Its process ended without an answer {self._end()}.")
        return json.loads(reply)

    def _exchange(self, line: str, heard: Heard | None) -> str:
        sent, received = self._running.stdin, self._running.stdout
        if sent is None or received is None:  # both are pipes
            return ""
        try:
            sent.write(line + "\n")
            sent.flush()
            while (reply := received.readline()).startswith(f'{{"{PROGRESS}": ') and reply.endswith("\n"):
                if heard:
                    heard(*json.loads(reply)[PROGRESS])
        except OSError:
            return ""
        return reply

    def _end(self) -> str:
        code = self._running.wait()
        how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"({how}: {lines[-1][:300]})" if lines else f"({how})"


@contextmanager
def running_program(program: str, package: Path) -> Iterator[Process]:
    """The program `perennial.inference.PROGRAM` on the package in a folder, for the block; then it is gone.

    Raises PackageError if it can't be started.
    """
    with TemporaryFile() as errors, _started(program, package, errors) as started:
        try:
            yield Process(started, errors)
        finally:
            started.kill()
            with suppress(OSError):  # what it had no time to read
                started.stdin.close()  # type: ignore[union-attr]  # it is a pipe


def _started(program: str, package: Path, errors: IO[bytes]) -> subprocess.Popen[str]:
    # -P: no file of the working folder is imported in place of a library.
    command = [sys.executable, "-P", "-m", f"perennial.inference.{program}", str(package)]
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True, encoding="utf-8")
    except OSError as error:
        raise PackageError(f"A process of its own could not be started ({error.strerror or error}).") from error


def answer_requests(make: Callable[[Path], Callable[[Any], Any]]) -> None:
    """Run in the process: load the package named on the command line with `make`, and reply to each request on
    standard input with what the function made replies.
    """
    try:
        replies = make(Path(sys.argv[1]))
        for line in sys.stdin:
            _say(replies(json.loads(line)))
    except PackageError as error:
        sys.exit(error.problem)


def tell_progress(done: int, total: int) -> None:
    """Run in the process: say how far the reply is."""
    _say({PROGRESS: [done, total]})


def _say(what: Any) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201 - it is what these programs are for
