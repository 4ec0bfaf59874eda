"""What several commands take and answer."""

import json
import sys
from typing import Annotated, Any

import typer

EXIT_CODES = {"promoted": 0, "skipped": 0, "observed": 0, "held": 3, "rejected": 4}
OUTCOME_CODES = {"PROMOTE": 0, "HOLD": 3, "REJECT": 4}

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines, and nothing else.")]


def watching(as_json: bool) -> Any:
    """What a person sees while a command works; nothing where a machine reads."""
    from contextlib import nullcontext

    if as_json:
        return nullcontext()
    from flows import console

    return console.watched()


def answer(value: dict[str, Any], words: str, as_json: bool) -> None:
    """Print `value` for machines, or else `words`."""
    if as_json:
        print_json(value)
    else:
        from flows.console import say, terminal

        say(terminal(), words)


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
