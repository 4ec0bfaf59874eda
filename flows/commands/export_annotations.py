"""`perennial export-annotations`: texts with a model's answers, for people to check, the least certain first."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from flows.commands import predict
from perennial.core import progress
from perennial.core.errors import SourceError, SpecError, listing
from perennial.core.home import Home
from perennial.core.store import written_atomically
from perennial.inference.predictor import Predictor
from perennial.ingest import preannotations, unlabelled
from perennial.ingest.preannotations import DOCCANO, LABEL_STUDIO, PAIR, TEXT, TOOLS, Answered, Losses
from perennial.registry import versions
from perennial.rows.text_views import GRAPHEMES, UTF16

MOST_SHOWN = 10


class Exported(NamedTuple):
    """What was written."""

    out: Path
    config: Path | None
    """Label Studio's labelling configuration."""
    rows: int
    tool: str
    losses: Losses
    is_ordered: bool


def export(
    model: str,
    rows: Path | None,
    tool: str,
    out: Path | None,
    version: str | None,
    column: str | None,
    delimiter: str | None,
    limit: int | None,
    *,
    graphemes: bool,
) -> Exported:
    """Write the rows of a file (None: standard input) with the answers of `version` (None: the champion)."""
    if tool not in TOOLS:
        raise SpecError(f"There is no tool {tool!r} to export for.", remedy=f"There are: {', '.join(TOOLS)}.")
    if rows is None and sys.stdin.isatty():
        raise SpecError(
            "There is nothing to answer: no file was given, and standard input is a terminal.",
            remedy=f"Example: perennial export-annotations {model} unlabelled.csv --to {tool}",
        )
    home = Home.from_environment()
    package = versions.package(home, model, version)
    predictor = Predictor(home.store.root / package.path, digest=package.package_digest)
    with progress.step("predict"):
        answered = preannotations.least_certain_first(list(_answered(predictor, model, rows, column, delimiter)))
    if not answered:
        raise SourceError("There are no rows to export.", remedy="Give a file with texts.")
    _check(tool, answered[0])
    path = out or Path(f"{model}-{tool}.{'json' if tool == LABEL_STUDIO else 'jsonl'}")
    return _write(
        path, tool, answered[:limit], predictor, f"{model} {package.package_digest[:12]}", graphemes=graphemes
    )


def as_json(done: Exported) -> dict[str, Any]:
    """What was written, as one JSON-ready object."""
    losses = [{"row": number, "lost": what} for number, what in done.losses.rows]
    config = None if done.config is None else str(done.config)
    return {"status": "done", "path": str(done.out), "config": config, "rows": done.rows, "lost": losses}


def in_words(done: Exported) -> str:
    """What was written, what of it the format can't hold, and what to do with it."""
    order = (
        "the least certain first" if done.is_ordered else "in their own order, as the model does not say how sure it is"
    )
    words = [f"Wrote {done.rows:,} rows with the model's answers to {done.out}, {order}."]
    if done.losses.rows:
        shown = listing((f"row {number:,}: {what}" for number, what in done.losses.rows), MOST_SHOWN)
        words.append(f"Not in the file, as {done.tool} can't hold it: {shown}.")
    if done.config:
        words.append(
            f"Label Studio: a project with the labelling configuration in {done.config}; then import the file."
        )
    else:
        words.append("doccano: import it as JSONL, with the column `label` as labels; it does not keep scores.")
    return " ".join(words)


def _answered(
    predictor: Predictor, model: str, path: Path | None, column: str | None, delimiter: str | None
) -> Iterator[Answered]:
    number, decoder = 0, predictor.decoder
    stdin = sys.stdin.buffer if path is None else None
    own = predict.data_of(model)
    names = predict.names_of(own)
    for chunk in unlabelled.rows_of(
        path, stdin=stdin, column=column, read=decoder.columns, preferred=names, delimiter=delimiter, data=own
    ):
        answers = predictor.predict_with_details(decoder.inputs(chunk.columns))
        for index, (row, answer) in enumerate(zip(chunk.rows, answers, strict=True)):
            number += 1
            cells = {role: values[index] for role, values in chunk.columns.items()}
            texts = {
                (TEXT if role == "tokens" else role): " ".join(cell) if isinstance(cell, list) else cell or ""
                for role, cell in cells.items()
            }
            yield Answered(number, row, texts, answer, preannotations.certainty(answer))


def _check(tool: str, first: Answered) -> None:
    problem = preannotations.NO_NUMBERS if "value" in first.answer else preannotations.NO_PAIRS
    if tool == DOCCANO and ("value" in first.answer or PAIR in first.texts):
        raise SpecError(f"{problem}, so it can't take these answers.", remedy=f"Export for {LABEL_STUDIO}.")


def _write(
    path: Path, tool: str, rows: list[Answered], predictor: Predictor, model: str, *, graphemes: bool
) -> Exported:
    losses, config = Losses(), path.with_suffix(".xml") if tool == LABEL_STUDIO else None
    try:
        with written_atomically(path.resolve()) as file:
            if tool == LABEL_STUDIO:
                tasks = list(preannotations.label_studio_tasks(rows, model, losses))
                json.dump(tasks, file, ensure_ascii=False, indent=1)
                written = len(tasks)
            else:
                unit = GRAPHEMES if graphemes else UTF16
                written = 0
                for row in preannotations.doccano_rows(rows, unit, losses):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                    written += 1
        if config:
            words = preannotations.labelling_config(rows[0].answer, list(rows[0].texts), predictor.package.labels)
            with written_atomically(config.resolve()) as file:
                file.write(words)
    except (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError) as error:
        raise SourceError(f"{path} can't be written: {error.strerror}.", remedy="Give another --out.") from error
    return Exported(path, config, written, tool, losses, rows[0].certainty is not None)
