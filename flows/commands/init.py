"""What `perennial init` shows a person: what it took for what, why, and what to run next."""

from pathlib import Path

from rich.table import Table
from rich.text import Text

from flows.console import say, say_line, shown_path, terminal
from perennial.init import ColumnChoice, Guess
from perennial.kinds.recognition.column_choice import option


def show_guess(guess: Guess, path: Path) -> None:
    """The guess and its reasons, warnings, and the next command."""
    console = terminal()
    table = Table(box=None, pad_edge=False)
    for heading in ("what", "is", "why", "or"):
        table.add_column(heading)
    table.add_row("kind", *map(Text, (guess.kind, guess.kind_reason, ", ".join(guess.kind_alternatives))))
    named = [*guess.read.items(), ("time", guess.time), ("id", guess.id)]
    for what, choice in [*named, *(("slice", choice) for choice in guess.slices)]:
        table.add_row(what, *map(Text, _cells(choice)))
    say(console, f"{guess.data}: {guess.rows:,} rows, {_learned(guess)}\n")
    console.print(table)
    console.print()
    for warning in guess.warnings:
        say(console, f"! {warning}", "yellow")
    say_line(console, f"Wrote {shown_path(path)}")
    options = f"--kind, {', '.join(option(role) for role in guess.read if role != 'one_hot')}, --time, --id, --slice"
    console.print(f"Not as it should be? {options} and --force say otherwise; or edit the file.", highlight=False)
    console.print(f"Next: perennial run {guess.name}", style="bold", highlight=False)


def _learned(guess: Guess) -> str:
    if guess.numbers:
        return "numbers from {:g} to {:g}".format(*guess.numbers)
    return f"{len(guess.labels)} label{'s' * (len(guess.labels) != 1)}"


def _cells(choice: ColumnChoice) -> tuple[str, str, str]:
    return ", ".join(choice.names) or "—", choice.reason, ", ".join(choice.alternatives)
