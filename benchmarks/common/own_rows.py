"""Labelled rows to measure on, and Perennial's own steps on them, called in this process."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perennial.core.home import Home
from perennial.records.data import EncodedData, Snapshot, ValidatedData
from perennial.records.package import OnnxPackage
from perennial.records.training import TrainedModel
from perennial.settings.pipeline import PipelineSpec

PHRASEBANK = Path("financial_phrasebank/train.jsonl")
GENERATED = Path("pipelines/sentiment/data")
"""Rows of the same shape: short business news with three labels."""
LABELS = ("negative", "neutral", "positive")
SPLITS = {"validation": 0.15, "test": 0.15}


def size(name: str, usual: int) -> int:
    """How many of something a benchmark takes: the environment variable `name`, or what is usual."""
    return int(os.environ.get(name, usual))


def sizes(name: str, usual: str) -> list[int]:
    """Several sizes, parted by commas."""
    return [int(word) for word in os.environ.get(name, usual).split(",")]


def source() -> str:
    """Where `labelled` takes its rows from."""
    return PHRASEBANK.parent.name if _real() else f"generated ({GENERATED})"


def labelled() -> Iterator[dict[str, str]]:
    """Text and label of each row: of Financial PhraseBank where BENCH_DATA holds it, else of the generated ones."""
    for file in [real] if (real := _real()) else sorted(GENERATED.glob("*.jsonl")):
        with file.open(encoding="utf-8") as lines:
            yield from ({"text": row["text"], "label": row["label"]} for row in map(json.loads, lines))


def _real() -> Path | None:
    folder = os.environ.get("BENCH_DATA")
    return path if folder and (path := Path(folder).resolve() / PHRASEBANK).is_file() else None


@dataclass(frozen=True)
class Work:
    """A pipeline in a home of its own, up to its encoded rows."""

    spec: PipelineSpec
    home: Home
    validated: ValidatedData
    encoded: EncodedData

    def train(self, **training: Any) -> TrainedModel:
        """Fine-tune, with other settings of `training`."""
        from perennial.training.finetuning import finetune

        return finetune(self._with(training=training), self.encoded, self.validated, self.home)

    def pack(self, model: TrainedModel, precision: str) -> OnnxPackage:
        """Export `model` in `precision`."""
        from perennial.export import onnx_package, sample

        spec = self._with(export={"precision": precision})
        inputs, targets = sample.validation_sample(spec, self.validated, self.home.store)
        return onnx_package.export(spec, model, inputs, targets, self.home, data_digest=self.validated.digest)

    def rows(self, split: str) -> tuple[list[str], list[str]]:
        """Texts and labels of `split`."""
        from perennial.validation.read_rows import read_split

        table = read_split(self.validated, self.home.store, split, ["text", "label"])
        return table["text"].to_pylist(), table["label"].to_pylist()

    def folder(self, path: str) -> Path:
        """Where the store keeps what a record calls `path`."""
        return self.home.store.root / path

    def _with(self, **changes: dict[str, Any]) -> PipelineSpec:
        said = self.spec.model_dump()
        said |= {group: said[group] | settings for group, settings in changes.items()}
        return PipelineSpec.model_validate(said).located(self.spec.folder)


def work(scratch: Path, limit: int | None = None) -> Work:
    """A pipeline with the default settings on at most `limit` rows of `labelled`, read, checked and encoded."""
    from perennial.ingest import snapshots
    from perennial.training.encoding import row_encoding
    from perennial.validation import snapshot_validation

    scratch.mkdir(parents=True, exist_ok=True)
    with (scratch / "rows.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in itertools.islice(labelled(), limit))
    spec, home = pipeline(scratch, "rows.jsonl"), Home(scratch / "home")
    snapshot: Snapshot = snapshots.ingest(spec, home)
    validated = snapshot_validation.validate(spec, snapshot, home)
    return Work(spec, home, validated, row_encoding.encode(spec, validated, home))


def pipeline(folder: Path, rows: str) -> PipelineSpec:
    """The default settings for the file `rows` in `folder`."""
    said = {
        "name": "measured",
        "kind": "text-classification",
        "data": {"source": {"type": "file", "path": rows}, "labels": LABELS, "splits": SPLITS},
        "gates": [{"metric": "accuracy", "min": 0.5}],
    }
    return PipelineSpec.model_validate(said).located(folder)
