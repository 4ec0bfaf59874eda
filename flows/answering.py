"""`perennial predict`: the champion loaded, the input read in chunks, each answer written as soon as it is there."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from flows.console import Lines
from perennial import progress, spec_file
from perennial.data import texts as rows
from perennial.errors import SourceError, SpecError
from perennial.home import Home
from perennial.inference.predictor import Predictor
from perennial.registry import versions
from perennial.store import written_atomically

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".txt", ".gz")


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
    home = Home.from_environment()
    found = versions.package(home, model, version)
    predictor = Predictor(home.store.root / found.path, digest=found.package_digest)
    if given:
        _answer_arguments(predictor, given, out, as_json=as_json)
    else:
        _answer_rows(predictor, data, column, delimiter, _text_column(model), out)


def _answer_arguments(predictor: Predictor, given: list[str], out: Path | None, *, as_json: bool) -> None:
    predictions = predictor.predict(given)
    if out is None and not as_json and sys.stdout.isatty():
        _show(given, predictions)
        return
    with _output(out) as file:
        for text, prediction in zip(given, predictions, strict=True):
            _write(file, {"text": text, **prediction})


def _answer_rows(
    predictor: Predictor,
    data: Path | None,
    column: str | None,
    delimiter: str | None,
    preferred: str | None,
    out: Path | None,
) -> None:
    stdin = sys.stdin.buffer if data is None else None
    with _output(out) as file, progress.heard_by(Lines(Console(stderr=True))):
        for chunk in rows.rows_of(data, stdin=stdin, column=column, preferred=preferred, delimiter=delimiter):
            predictions = predictor.predict(chunk.texts)
            for row in rows.answered(chunk.rows, predictions):
                _write(file, row)


def _text_column(model: str) -> str | None:
    """The text column of the pipeline of the same name, if it is here."""
    try:
        return spec_file.read(spec_file.find(model)).data.columns.text
    except SpecError:
        return None


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


def _show(given: list[str], predictions: list[dict[str, Any]]) -> None:
    console = Console()
    for text, prediction in zip(given, predictions, strict=True):
        console.print(f"{prediction['label']}  {prediction['score']:.3f}  ", style="bold", end="", highlight=False)
        console.print(text, markup=False, highlight=False)
