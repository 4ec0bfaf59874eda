"""What `perennial labels` does and answers: labels that came late, joined to what was answered.

They tell how often each version was right on live rows, and they decide a trial that is under way.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from flows.commands import serve
from perennial.core import progress
from perennial.core.errors import SourceError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.ingest.sources import file
from perennial.prediction_log.opening import logged_rows
from perennial.registry.judged.challenges import current_challenge
from perennial.registry.ledger import Ledger
from perennial.rollout import answers
from perennial.rollout.answers import UnreadableLabelError
from perennial.rollout.evidence import mean_interval
from perennial.rollout.trial_counts import JoinedLabels, TrialCounts
from perennial.settings.prediction_log import PredictionLogSpec

ALPHA = 0.05
_TABLE = """CREATE TABLE IF NOT EXISTS labelled (
    id TEXT, version TEXT, role TEXT, is_right INTEGER, distance REAL, PRIMARY KEY (id, version))"""


class LiveFigure(Record):
    """How often a version was right on live rows whose labels came."""

    version: str
    rows: int
    right: int
    low: float
    high: float
    """Of the share of rows answered rightly; both hold at 95%, however often labels come."""
    mean_distance: float | None = None
    """Of numbers, which are not right or wrong: how far they were off on average."""


class LabelsJoined(Record):
    """What came of a file of labels."""

    model: str
    labels: int
    logged: int
    """Of answers that the prediction log has."""
    unreadable: int
    """Not of the shape of the answers."""
    accuracy: tuple[LiveFigure, ...]
    """Of all labels so far, by version."""
    trial: dict[str, int] | None = None
    """Of rows of the trial that is under way: counted, again, unknown, unreadable. None: there is none."""


def join(model: str, path: Path, id_column: str, label_column: str) -> LabelsJoined:
    """Join the labels of the file at `path`. Raises PerennialError when it can't be read or nothing can be kept."""
    home, settings = Home.from_environment(), serve.settings_of(model, ())[0].log
    with progress.step("labels"):
        labels = dict(_labels(path, id_column, label_column))
        joined, unreadable = _join_log(home, model, settings, labels)
        challenge = current_challenge(Ledger.open(home).entries(model))
        trial = TrialCounts(home, model).add_labels(challenge.salt, labels) if challenge else None
        return LabelsJoined(
            model=model,
            labels=len(labels),
            logged=joined,
            unreadable=unreadable,
            accuracy=tuple(_accuracy(home, model)),
            trial=_as_numbers(trial),
        )


def joined_as_json(done: LabelsJoined) -> dict[str, Any]:
    """The same as one JSON-ready object."""
    return {"status": "done", **done.model_dump(mode="json")}


def joined_in_words(done: LabelsJoined) -> str:
    """The same in sentences."""
    words = [f"{done.model}: {done.labels:,} labels, {done.logged:,} answers in the prediction log have one of them."]
    if done.unreadable:
        words.append(f"{done.unreadable:,} are not of the shape of the answers and were left out.")
    words += [_figure_in_words(figure) for figure in done.accuracy]
    if done.trial is not None:
        words.append(
            f"The trial under way counts {done.trial['counted']:,} of them; {done.trial['again']:,} had a label "
            f"before, {done.trial['unknown']:,} are of rows that were not compared."
        )
    return " ".join(words)


def _figure_in_words(figure: LiveFigure) -> str:
    if figure.mean_distance is not None:
        return f"Version {figure.version} was off by {figure.mean_distance:.4g} on average of {figure.rows:,} rows."
    share = figure.right / figure.rows
    return (
        f"Version {figure.version} answered {share:.1%} of {figure.rows:,} rows rightly "
        f"({figure.low:.1%} to {figure.high:.1%})."
    )


def _as_numbers(joined: JoinedLabels | None) -> dict[str, int] | None:
    return dict(vars(joined)) if joined else None


def _labels(path: Path, id_column: str, label_column: str) -> Iterator[tuple[str, Any]]:
    for batch in file.read(path):
        if missing := [name for name in (id_column, label_column) if name not in batch.columns]:
            raise SourceError(
                f"{path} has no column {missing[0]!r}; a label is joined to an answer by the id of its row.",
                remedy="Name the columns with --id and --label. An id is REQUEST/ROW, such as a1b2/0, or that of the "
                "request alone, which means its first row.",
            )
        for row_id, label in zip(batch.columns[id_column], batch.columns[label_column], strict=True):
            if row_id is not None and label is not None:
                yield (str(row_id) if "/" in str(row_id) else f"{row_id}/0"), label


def _join_log(home: Home, model: str, settings: PredictionLogSpec, labels: Mapping[str, Any]) -> tuple[int, int]:
    rows, unreadable = [], 0
    for logged in logged_rows(home, model, settings, list(labels)):
        answer = answers.decisive_part(json.loads(logged["answer"]))
        try:
            truth = answers.as_answer(labels[logged["id"]], answer)
        except UnreadableLabelError:
            unreadable += 1
            continue
        distance = abs(answer["value"] - truth["value"]) if "value" in truth else None
        right = answers.is_right(answer, truth)
        rows.append((logged["id"], logged["version"], logged["role"], int(right), distance))
    with closing(_connected(home, model)) as connection, connection:
        connection.executemany("INSERT OR REPLACE INTO labelled VALUES (?, ?, ?, ?, ?)", rows)
    return len(rows), unreadable


def _accuracy(home: Home, model: str) -> Iterator[LiveFigure]:
    query = "SELECT version, count(*), sum(is_right), avg(distance) FROM labelled GROUP BY version"
    with closing(_connected(home, model)) as connection:
        for version, rows, right, distance in sorted(connection.execute(query), key=lambda row: int(row[0])):
            low, high = mean_interval(right, rows, ALPHA)
            yield LiveFigure(version=version, rows=rows, right=right, low=low, high=high, mean_distance=distance)


def _connected(home: Home, model: str) -> sqlite3.Connection:
    """What is known of labels: ids and whether the answer was right, no label and no text."""
    folder = home.root / "live_labels"
    folder.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(folder / f"{model}.db", timeout=30)
    connection.execute(_TABLE)
    return connection
