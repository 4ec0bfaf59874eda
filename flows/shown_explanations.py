"""`perennial explain`: the words of each text, coloured by how far they moved the answer."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from rich.text import Text

from flows.commands.predict import as_columns, loaded
from flows.console import terminal
from perennial.core.errors import SpecError, listing
from perennial.inference.explanations.explaining import explain
from perennial.inference.explanations.games import METHODS

ROWS = 200
"""Asked for a text: nobody else waits, as they do for a server."""
TOWARDS, AWAY = "green", "red"
STRONG, WEAK = 0.5, 0.15
"""Of the largest weight: above, a word is bold; below, it has no colour."""
MOST_NAMED = 5


def show_explanations(
    model: str,
    given: list[str],
    method: str,
    label: str | None,
    rows: int | None,
    version: str | None,
    *,
    as_json: bool,
) -> None:
    """Print which words of the texts `given` moved the answers of `version` of `model` (None: the champion)."""
    if method not in METHODS:
        raise SpecError(f"There is no method {method!r} to explain by.", remedy=f"There are {listing(METHODS)}.")
    predictor = loaded(model, version)
    columns = as_columns(predictor, given)
    inputs = predictor.decoder.inputs(columns)
    explanations = explain(predictor, inputs, method=method, rows=rows or ROWS, label=label)
    if as_json or not sys.stdout.isatty():
        for explanation in explanations:
            typer.echo(json.dumps(explanation, ensure_ascii=False))
        return
    console = terminal()
    texts = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    for row, explanation in zip(texts, explanations, strict=True):
        for each in explanation.get("spans", [explanation]):
            console.print(_heading(explanation, each))
            for column, text in row.items():
                console.print(coloured(text, [one for one in each["tokens"] if one.get("column", column) == column]))
        if not explanation.get("spans", [explanation]):
            console.print("No span was found, so there is nothing to explain.")


def _heading(explanation: Mapping[str, Any], each: Mapping[str, Any]) -> Text:
    name = each["target"] or "value"
    name += f" {each['text']!r}" if "spans" in explanation else ""
    strongest = sorted(each["tokens"], key=lambda token: -abs(token["weight"]))[:MOST_NAMED]
    named = ", ".join(f"{token['text']} {token['weight']:+.3f}" for token in strongest)
    heading = Text(f"{name}  {each['value']:.3f}", style="bold")
    return heading.append(f"  (without any word {each['base']:.3f})  {named}", style="not bold dim")


def coloured(text: str, tokens: Sequence[Mapping[str, Any]]) -> Text:
    """`text`, its `tokens` coloured by their weights beside the largest."""
    largest = max((abs(token["weight"]) for token in tokens), default=0.0) or 1.0
    shown, done = Text(), 0
    for token in tokens:
        share = token["weight"] / largest
        colour = TOWARDS if share > 0 else AWAY
        style = "" if abs(share) < WEAK else f"bold {colour}" if abs(share) >= STRONG else colour
        shown.append(text[done : token["start"]])
        shown.append(text[token["start"] : token["end"]], style=style)
        done = token["end"]
    return shown.append(text[done:])
