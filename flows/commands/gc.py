"""What `perennial gc` does and answers."""

from collections.abc import Sequence
from typing import Any

from perennial.core import progress
from perennial.core.home import Home
from perennial.promotion import retention
from perennial.promotion.retention import Cleared
from perennial.promotion.retention_versions import Policy

SHOWN = 50


def clear_out(models: Sequence[str], keep: int, keep_days: float, *, dry_run: bool) -> Cleared:
    """Remove what nobody needs any more, or only look."""
    with progress.step("gc"):
        policy = Policy(keep=keep, keep_days=keep_days)
        return retention.clear_out(Home.from_environment(), models, policy, dry_run=dry_run)


def cleared_as_json(cleared: Cleared) -> dict[str, Any]:
    """What went, as one JSON-ready object."""
    return {"status": "done", **cleared.model_dump(mode="json"), "bytes": cleared.bytes}


def show_cleared(cleared: Cleared) -> None:
    """What went, a line each; what is named last may be a long path."""
    from flows.console import say_line, terminal

    console = terminal()
    rows = [(f"version {one.version} of {one.model}", one.bytes, one.why) for one in cleared.versions]
    rows += [(f"{one.what} {one.path}", one.bytes, one.why) for one in cleared.places]
    shown = sorted(rows, key=lambda row: row[1], reverse=True)[:SHOWN]
    wide = max((len(why) for _, _, why in shown), default=0)
    for what, size, why in shown:
        say_line(console, f"{_size(size):>10}  {why:<{wide}}  {what}")
    if len(rows) > SHOWN:
        console.print(f"{len(rows) - SHOWN:,} smaller ones are left out; --json shows all.", highlight=False)
    console.print(_in_words(cleared, len(rows)), highlight=False)


def _in_words(cleared: Cleared, count: int) -> str:
    live = (
        f"{cleared.live_texts:,} live texts {'would be' if cleared.dry_run else 'were'} emptied (triggers.keep_days)."
    )
    emptied = f" {live}" if cleared.live_texts else ""
    if not count:
        return f"There is nothing to remove.{emptied}"
    done = "Would remove" if cleared.dry_run else "Removed"
    many = "1 thing" if count == 1 else f"{count:,} things"
    return f"{done} {many}, {_size(cleared.bytes)} in all; {cleared.kept_versions:,} versions are kept.{emptied}"


def _size(size: float) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
