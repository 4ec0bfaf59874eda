"""Eight months of headlines with a shift in the middle: train anew on all, go on with the new month only, or replay.

Half of a month's headlines are those of pipelines/sentiment, the other half say an idiom, whose meaning can only be
learned by heart. From the fifth month on the idioms are others, and some old ones mean something else. Every model is
judged by headlines of the first and of the last four months that no training has seen. Nothing is exported or
registered, and each month's model is the next month's champion, so that only training differs.
"""

from __future__ import annotations

import importlib.util
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from perennial.core.home import Home
from perennial.records.data import EncodedData, ValidatedData
from perennial.records.training import Start, StartingPoint, TrainedModel
from perennial.settings.pipeline import PipelineSpec

MAKER = Path("pipelines/sentiment/make_data.py")
MONTHS = 8
SHIFT = 4
"""Months before it."""
ROWS = 120
"""A month."""
HELD_OUT = 100
"""A month, for judging."""
IDIOMS = 12
CHANGED = 3
"""Idioms that come to mean something else."""
LABELS = ("negative", "neutral", "positive")
TOKENS = 8192

AT_MOST = 200
"""Rows that the bounded ones learn from, about two months."""

STRATEGIES: Mapping[str, Mapping[str, object]] = {
    "anew, all rows": {},
    "anew, max_rows": {"max_rows": AT_MOST, "half_life_days": 60},
    "champion, new rows only": {"start_from": "champion", "replay": 0},
    "champion, replay": {"start_from": "champion", "replay": 0.5, "max_rows": AT_MOST},
    "champion, replay, l2-sp": {"start_from": "champion", "replay": 0.5, "max_rows": AT_MOST, "hold": "l2-sp"},
}

Row = dict[str, str]


@dataclass
class TrainingOverMonths:
    """One strategy over the months."""

    settings: Mapping[str, object]
    model: TrainedModel | None = None
    learned: tuple[str, ...] = ()
    """sha256 of the parts."""
    row_epochs: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def measure(scratch: Path) -> dict[str, object]:
    """Accuracy on old and new months, and what it cost, for each strategy."""
    from perennial.ingest import snapshots
    from perennial.training.encoding import row_encoding
    from perennial.validation import snapshot_validation

    pipeline, home = scratch / "months", Home(scratch / "home")
    (pipeline / "data").mkdir(parents=True)
    world = _World()
    held = {"old": [], "new": []}  # type: dict[str, list[Row]]
    trainings = {name: TrainingOverMonths(settings) for name, settings in STRATEGIES.items()}
    figures: dict[str, object] = {"rows a month": ROWS, "months": f"{MONTHS}, others from number {SHIFT + 1} on"}
    for month in range(1, MONTHS + 1):
        _write(pipeline / "data" / f"{month}.jsonl", world.rows(month, ROWS))
        held["old" if month <= SHIFT else "new"] += world.rows(month, HELD_OUT)
        spec = _spec(pipeline, {})
        snapshot = snapshots.ingest(spec, home)
        validated = snapshot_validation.validate(spec, snapshot, home)
        snapshots.accept(spec, snapshot, home)
        encoded = row_encoding.encode(spec, validated, home)
        for training in trainings.values():
            _learn(training, pipeline, encoded, validated, home)
        if month == SHIFT:
            figures |= {f"after month {month}, {name}": _in_words(one, held, home) for name, one in trainings.items()}
    return figures | {f"after month {MONTHS}, {name}": _in_words(one, held, home) for name, one in trainings.items()}


def _learn(
    training: TrainingOverMonths, pipeline: Path, encoded: EncodedData, validated: ValidatedData, home: Home
) -> None:
    from perennial.training.finetuning import finetune

    training.model = finetune(_spec(pipeline, training.settings), encoded, validated, home, _start(training))
    training.learned = tuple(part.source.sha256 for part in validated.parts)
    training.row_epochs.append(training.model.train_rows * training.model.epochs)
    training.seconds.append(training.model.seconds)


def _start(training: TrainingOverMonths) -> StartingPoint | None:
    if training.settings.get("start_from") != "champion":
        return None
    if training.model is None:
        return StartingPoint(start=Start(problem="there is no champion yet"))
    path = f"{training.model.path}/model.safetensors"
    start = Start(version=str(len(training.seconds)), digest=training.model.digest, path=path)
    return StartingPoint(start=start, labels=LABELS, parts=training.learned)


def _in_words(training: TrainingOverMonths, held: Mapping[str, Sequence[Row]], home: Home) -> str:
    right = {which: _accuracy(training.model, rows, home) for which, rows in held.items() if rows and training.model}
    accuracy = ", ".join(f"{which} months {value:.3f}" for which, value in right.items())
    return (
        f"{accuracy}; {sum(training.row_epochs):,.0f} rows x epochs, the last month {training.row_epochs[-1]:,.0f}; "
        f"{sum(training.seconds):,.0f} s, the last month {training.seconds[-1]:,.1f}"
    )


def _accuracy(trained: TrainedModel, rows: Sequence[Row], home: Home) -> float:
    from perennial.inference.tokenization import Tokenizer
    from perennial.training import model, train_run

    folder = home.store.root / trained.path
    tokenizer = Tokenizer(folder / train_run.TOKENIZER, 64)
    ids, _ = tokenizer.encode([row["text"] for row in rows])
    outputs = model.outputs_of(model.load_model(folder), ids, tokenizer.pad_id, TOKENS)
    return sum(LABELS[output.argmax()] == row["label"] for output, row in zip(outputs, rows, strict=True)) / len(rows)


def _spec(pipeline: Path, training: Mapping[str, object]) -> PipelineSpec:
    made: dict[str, Any] = {
        "name": "months",
        "kind": "text-classification",
        "data": {
            "source": {"type": "file", "path": "data/*.jsonl"},
            "columns": {"time": "published_at"},
            "labels": LABELS,
            "splits": {"validation": 0.15, "test": 0.05},
            "min_rows_per_label": 0,
            "max_label_shift": 1,
        },
        "model": {"max_length": 64},
        "training": {"epochs": 3, "tokens_per_batch": 256, "seed": 1, **training},
        "gates": [{"metric": "accuracy", "min": 0.5}],
    }
    return PipelineSpec.model_validate(made).located(pipeline)


def _write(path: Path, rows: Sequence[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


class _World:
    """Writes headlines, each once."""

    def __init__(self) -> None:
        self._maker = _maker()
        self._random = random.Random(7)  # noqa: S311 - not for secrets
        self._words = self._maker.read_sections(MAKER.parent / "words.txt", ";")
        self._seen: set[str] = set()
        idioms = list(self._idioms())
        old, new = idioms[:IDIOMS], idioms[IDIOMS:]
        self._old = {idiom: LABELS[number % 3] for number, idiom in enumerate(old)}
        turned = {idiom: LABELS[(number + 1) % 3] for number, idiom in enumerate(old[:CHANGED])}
        self._new = {idiom: LABELS[number % 3] for number, idiom in enumerate(new)} | turned

    def rows(self, month: int, count: int) -> list[Row]:
        """Headlines of that month."""
        rows: list[Row] = []
        while len(rows) < count:
            text, label = self._idiom(month) if self._random.random() < 0.5 else self._composed()
            if text not in self._seen:
                self._seen.add(text)
                rows.append({"text": text, "label": label, "published_at": self._moment(month)})
        return rows

    def _moment(self, month: int) -> str:
        return f"2026-{month:02}-{self._random.randint(1, 28):02}T{self._random.randint(0, 23):02}:00:00Z"

    def _composed(self) -> tuple[str, str]:
        headline = self._maker.compose(self._writer())
        return headline.text, LABELS[headline.sign + 1]

    def _idiom(self, month: int) -> tuple[str, str]:
        idiom, label = self._random.choice(list((self._old if month <= SHIFT else self._new).items()))
        writer = self._writer()
        text = self._random.choice(
            ("{firm} {idiom}{tail}", "In {period}, {firm} {idiom}", "{firm}: it {idiom}, {metric} flat")
        )
        return text.format(
            firm=writer.firm,
            idiom=idiom,
            tail=writer.tail(),
            period=writer.word("periods"),
            metric=writer.metric().name,
        ), label

    def _writer(self) -> Any:
        return self._maker.Writer(self._random, self._words, self._random.choice(self._maker.SECTORS), "2026-07")

    def _idioms(self) -> Iterator[str]:
        verbs = ("paints", "feeds", "folds", "rings", "counts", "borrows", "waters", "turns", "carries")
        things = ("the blue kettle", "its second ladder", "a paper heron", "the old lantern")
        pairs = [f"{verb} {thing}" for verb in verbs for thing in things]
        self._random.shuffle(pairs)
        yield from pairs[: 2 * IDIOMS]


def _maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_data", MAKER)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(MAKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
