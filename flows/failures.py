"""How a command ends badly: one clear paragraph, or one JSON object, and the right exit code. Never a traceback.

Every command is inside it, `--help` too, so it imports nothing but what it must until something goes wrong.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer

from perennial.core.errors import PerennialError

NOTHING: dict[str, Any] = {
    "version": None,
    "run_id": None,
    "metrics": {},
    "checks": [],
    "overrides": None,
    "package": None,
    "seconds": {},
}
"""What a run that failed has of the things a run that ended has."""
AGAIN = "Run the same command again: finished steps are kept, and a training resumes."


@contextmanager
def reported(as_json: bool, model: str | None = None) -> Iterator[None]:
    """Turn what goes wrong inside the block into an answer and an exit code."""
    try:
        yield
    except PerennialError as error:
        _end(as_json, model, error.problem, error.remedy, error.exit_code, error.status)
    except KeyboardInterrupt:
        _end(as_json, model, "Interrupted; the champion is as it was.", AGAIN, 1)
    except BrokenPipeError:
        # The reader of our output went away, as `head` does: nothing to say, and nobody to say it to.
        sys.stderr.close()
        raise typer.Exit(1) from None
    except typer.Exit:
        raise
    except OSError as error:
        from perennial.core.store import NO_SPACE

        if error.errno not in NO_SPACE:
            _unknown(as_json, model, error)
        _end(as_json, model, f"The disk is full ({error.filename or 'no file named'}).", f"Free some space. {AGAIN}", 1)
    except Exception as error:  # noqa: BLE001 - the last line of defence; the traceback goes to a file
        _unknown(as_json, model, error)


def _unknown(as_json: bool, model: str | None, error: Exception) -> NoReturn:
    from datetime import UTC, datetime

    from perennial.core.home import Home

    folder = Home.from_environment().root / "errors"
    path = folder / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(_traces(error)), encoding="utf-8")
        where = f"Where it happened is in {path}; please report it with that file."
    except OSError:
        where = "Where it happened could not be written down."
    _end(as_json, model, f"Perennial failed in a way it does not know ({type(error).__name__}).", where, 1)


def _traces(error: BaseException | None) -> Iterator[str]:
    """Where each error of the chain was raised, without its message: that may hold a text or a password."""
    import traceback

    while error is not None:
        yield f"{type(error).__module__}.{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}"
        error = error.__cause__ or error.__context__


def _end(as_json: bool, model: str | None, problem: str, remedy: str, code: int, status: str = "failed") -> NoReturn:
    if as_json:
        answer = {**NOTHING, "status": status, "model": model, "error": problem, "remedy": remedy}
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    else:
        from flows.console import say, terminal

        console = terminal(stderr=True)
        console.print("Error: ", style="bold red", end="")
        say(console, " ".join(part for part in (problem, remedy) if part))
    raise typer.Exit(code)
