"""A pipeline whose live texts are labelled, and tables of made-up live texts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from perennial.core.home import Home
from perennial.labelling.choosing.choice import choose_texts
from perennial.labelling.desk import Desk
from perennial.settings.pipeline import PipelineSpec
from perennial.stream.live_text import stored_schema

START = datetime(2026, 3, 1, tzinfo=UTC)
LABELS = ["negative", "neutral", "positive"]


def live_rows(count: int, first: int = 0, **changes: Any) -> list[dict[str, Any]]:
    """Stored texts, each of its own story; `changes`: of all of them."""
    return [_row(number) | changes for number in range(first, first + count)]


def _row(number: int) -> dict[str, Any]:
    sure = (number * 37 % 100) / 100
    return {
        "id": f"t{number}",
        "text": f"text {number} of word{number % 17} and word{number % 23}",
        "time": START + timedelta(minutes=number),
        "read": START + timedelta(minutes=number, seconds=10),
        "source": ("wire", "paper")[number % 2],
        "story": f"t{number}",
        "telling": "first",
        "model": "1",
        "label": "positive",
        "score": 0.34 + 0.6 * sure,
        "scores": [0.33 * (1 - sure), 0.33 * (1 - sure), 0.34 + 0.66 * sure],
        "topic": [],
        "entities": [],
        "kept": [("sector", ("banks", "energy")[number % 2])],
    }


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=stored_schema())


class Labelled:
    """A pipeline in a folder, with its home."""

    def __init__(self, folder: Path, kind: str = "text-classification", **settings: Any) -> None:
        self.folder, self.home = folder, Home(folder / "home")
        labelling = {"texts": 20, **settings.pop("labelling", {})}
        metric = {"text-classification": "accuracy", "regression": "mae"}.get(kind, "micro_f1")
        made = {
            "name": "news",
            "kind": kind,
            "data": {
                "source": {"type": "file", "path": "labelled/labels.jsonl"},
                "labels": [] if kind == "regression" else LABELS,
                "columns": {"id": "id", **settings.pop("columns", {})},
            },
            "gates": [{"metric": metric, "max" if kind == "regression" else "min": 0.1}],
            "monitor": {"source": {"type": "file", "path": "live/*"}, "labelling": labelling},
            **settings,
        }
        self.spec = PipelineSpec.model_validate(made).located(folder)

    def choose(self, rows: list[dict[str, Any]]) -> Any:
        return choose_texts(self.spec, self.home, [table(rows)])

    def desk(self) -> Desk:
        return Desk(self.spec, self.home)


Make = Callable[..., Labelled]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda *kind, **settings: Labelled(tmp_path, *kind, **settings)
