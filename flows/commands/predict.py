"""`perennial predict`: the champion loaded, the input read in chunks, each answer written as soon as it is there."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, TextIO

from rich.text import Text

from flows.console import StepLines, terminal
from perennial.core import ordered_map, progress
from perennial.core.errors import SourceError, SpecError
from perennial.core.home import Home
from perennial.core.store import written_atomically
from perennial.inference.predictor import Predictor
from perennial.ingest import unlabelled
from perennial.ingest.sources import file, opening
from perennial.ingest.unlabelled import Chunk
from perennial.pipeline_file import loader
from perennial.registry import versions
from perennial.settings.data import DataSpec

COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red")
"""Of marked labels, in turn."""
SUFFIXES = (*file.FORMATS, *file.SPREADSHEETS, ".txt", *opening.PACKED)


def answer(
    model: str,
    given: list[str],
    data: Path | None,
    column: str | None,
    delimiter: str | None,
    version: str | None,
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    """Write the answers of `version` of `model` (None: the champion) to `out` (None: standard output)."""
    if data is None and len(given) == 1 and given[0].lower().endswith(SUFFIXES) and Path(given[0]).is_file():
        given, data = [], Path(given[0])
    if given and data is not None:
        raise SpecError("Both texts and a file were given.", remedy="Give texts, or --data FILE, or standard input.")
    if not given and data is None and sys.stdin.isatty():
        raise SpecError(
            "There is nothing to answer: no text, no file, and standard input is a terminal.",
            remedy=f'Example: perennial predict {model} "a text", or --data FILE, or pipe lines into it.',
        )
    predictor = loaded(model, version)
    if given:
        _answer_arguments(predictor, given, out, as_json=as_json)
    else:
        _answer_rows(predictor, data, column, delimiter, data_of(model), out)


def loaded(model: str, version: str | None) -> Predictor:
    """The package of `version` of `model` (None: the champion), loaded."""
    home = Home.from_environment()
    with progress.heard_by(StepLines(terminal(stderr=True))):
        package = versions.package(home, model, version)
        predictor = Predictor(home.store.root / package.path, digest=package.package_digest)
        if predictor.cpu_doubt:
            progress.note(predictor.cpu_doubt)
    return predictor


def _answer_arguments(predictor: Predictor, given: list[str], out: Path | None, *, as_json: bool) -> None:
    columns = as_columns(predictor, given)
    predictions = predictor.predict_columns(columns)
    if out is None and not as_json and sys.stdout.isatty():
        _show(predictor, columns, predictions)
        return
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    with _output(out) as written:
        for row in unlabelled.answered(rows, predictions):
            _write(written, row)


def as_columns(predictor: Predictor, given: list[str]) -> dict[str, list[str]]:
    """The texts that a command line gave, by canonical column."""
    roles = predictor.decoder.columns[-1]
    if len(given) % len(roles):
        raise SpecError(
            f"This model reads {len(roles)} texts together ({', '.join(roles)}), and {len(given)} were given.",
            remedy="Give them one after the other, each in quotes.",
        )
    return {role: given[index :: len(roles)] for index, role in enumerate(roles)}


def _answer_rows(
    predictor: Predictor,
    data: Path | None,
    column: str | None,
    delimiter: str | None,
    own: DataSpec | None,
    out: Path | None,
) -> None:
    stdin = sys.stdin.buffer if data is None else None
    with _output(out) as written, progress.heard_by(StepLines(terminal(stderr=True))):
        read = predictor.decoder.columns
        chunks = unlabelled.rows_of(
            data, stdin=stdin, column=column, read=read, preferred=names_of(own), delimiter=delimiter, data=own
        )
        for rows in ordered_map.map_in_order(partial(_answered, predictor), chunks):
            for row in rows:
                _write(written, row)


def _answered(predictor: Predictor, chunk: Chunk) -> Iterator[Mapping[str, Any]]:
    return unlabelled.answered(chunk.rows, predictor.predict_columns(chunk.columns))


def data_of(model: str) -> DataSpec | None:
    """The settings of the data of the pipeline of the same name, if it is here."""
    try:
        return loader.read_pipeline(loader.find_pipeline(model)).data
    except SpecError:
        return None


def names_of(data: DataSpec | None) -> dict[str, str]:
    """The source's columns by their role."""
    names = data.columns.model_dump() if data else {}
    return {role: name for role, name in names.items() if isinstance(name, str)}


@contextmanager
def _output(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    try:
        if out.exists() and not out.is_file():
            # A pipe or a device: written to, never replaced.
            with out.open("w", encoding="utf-8") as file:
                yield file
            return
        with written_atomically(out.resolve()) as file:
            yield file
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise SourceError(f"{out} can't be written: {error.strerror}.", remedy="Give another --out.") from error


def _write(file: TextIO, row: Mapping[str, Any]) -> None:
    file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _show(predictor: Predictor, columns: Mapping[str, list[str]], predictions: list[dict[str, Any]]) -> None:
    console, decoder = terminal(), predictor.decoder
    colours = dict(zip(predictor.package.labels, cycle(COLOURS)))
    for cells, prediction in zip(zip(*columns.values(), strict=True), predictions, strict=True):
        console.print(Text(decoder.in_words(prediction), style="bold"), end="  " * bool(decoder.in_words(prediction)))
        console.print(_marked(" | ".join(cells), decoder.marked(prediction), colours))


def _marked(text: str, marks: Sequence[tuple[int, int, str]], colours: Mapping[str, str]) -> Text:
    shown, done = Text(), 0
    for start, end, label in marks:
        shown.append(text[done:start])
        shown.append(text[start:end], style=f"bold {colours[label]}")
        shown.append(f" {label}", style=f"dim {colours[label]}")
        done = end
    return shown.append(text[done:])
