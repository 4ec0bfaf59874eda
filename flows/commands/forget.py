"""What `perennial forget` does and shows. Neither an id nor a text is in it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perennial.core import progress
from perennial.core.home import Home
from perennial.erasure import forgetting, receipt, request, standing
from perennial.erasure.receipt import ForgetStatus, Receipt
from perennial.pipeline_file import loader


def forget(
    pipeline: str, ids: Sequence[str], text_file: Path | None, reason: str, *, dry_run: bool
) -> tuple[Receipt, Path | None]:
    """Erase the rows; the receipt, and where it is kept (None: nothing was erased)."""
    spec, home = loader.read_pipeline(loader.find_pipeline(pipeline)), Home.from_environment()
    with progress.step("forget"):
        given = request.read_given(spec, ids, text_file)
        made = forgetting.forget(spec, home, given, reason, dry_run=dry_run)
    return made, None if dry_run else receipt.page_path(home, made)


def status(pipeline: str, ids: Sequence[str], text_file: Path | None) -> ForgetStatus:
    """What still holds something."""
    spec, home = loader.read_pipeline(loader.find_pipeline(pipeline)), Home.from_environment()
    with progress.step("forget"):
        given = request.read_given(spec, ids, text_file) if ids or text_file else None
        return standing.forget_status(spec, home, given)


def receipt_as_json(made: Receipt, page: Path | None) -> dict[str, Any]:
    """The receipt as one JSON-ready object."""
    return {"status": "done", **made.model_dump(mode="json"), "receipt": str(page) if page else None}


def status_as_json(done: ForgetStatus) -> dict[str, Any]:
    """What still holds something, as one JSON-ready object."""
    return {"status": "done", **done.model_dump(mode="json"), "clear": done.is_clear}


def show_receipt(made: Receipt, page: Path | None) -> None:
    """The receipt, a line each."""
    _say(*receipt.receipt_in_words(made))
    if page:
        _say_path(page)


def show_status(done: ForgetStatus) -> None:
    """What still holds something, a line each."""
    _say(*receipt.status_in_words(done))


def _say(*lines: str) -> None:
    from flows.console import say, terminal

    for line in lines:
        say(terminal(), line)


def _say_path(page: Path) -> None:
    from flows.console import say_line, terminal

    say_line(terminal(), f"Receipt: {page}")
