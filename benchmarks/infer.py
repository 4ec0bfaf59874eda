"""The package beside what a user would pick instead to answer texts, with the same weights: rows/s, latency, accuracy.

BENCH_ROWS test rows in a turn, BENCH_ROUNDS turns, BENCH_SINGLES texts alone; BENCH_EPOCHS of training make the model.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import own_rows, turns
from benchmarks.common.own_rows import Work
from perennial.inference import cpu
from perennial.inference.predictor import Predictor
from perennial.inference.runtime import Graph
from perennial.inference.tokenization import Tokenizer
from perennial.records.training import TrainedModel

OURS = "int8 package"
EXACT = "torch fp32"
BATCH_TOKENS = 1024
WARM_UP = 64
"""Texts answered before the first turn."""
TOO_SLOW = 8

Answer = Callable[[Sequence[str]], list[str]]
"""The label of each text."""


@dataclass
class Timed:
    """One way to answer, and what it took."""

    answer: Answer
    texts: Sequence[str]
    latencies: list[float] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def rows_per_second(self) -> float:
        """Of all texts at once."""
        started = time.perf_counter()
        self.labels = self.answer(self.texts)
        return len(self.texts) / (time.perf_counter() - started)

    def alone(self, singles: int) -> float:
        """Median milliseconds of `singles` texts, each alone."""
        milliseconds = []
        for text in self.texts[:singles]:
            started = time.perf_counter()
            self.answer([text])
            milliseconds.append((time.perf_counter() - started) * 1e3)
        self.latencies += milliseconds
        return statistics.median(milliseconds)


def measure(scratch: Path) -> dict[str, object]:
    """Every way in turn on the same texts; what is ours over each of the others."""
    import torch

    torch.set_num_threads(cpu.cores())
    work = own_rows.work(scratch)
    model = work.train(epochs=own_rows.size("BENCH_EPOCHS", 1))
    texts, labels = work.rows("test")
    texts = texts[: own_rows.size("BENCH_ROWS", 512)]
    rounds, singles = own_rows.size("BENCH_ROUNDS", 5), own_rows.size("BENCH_SINGLES", 60)
    ways = {name: Timed(answer, texts) for name, answer in _ways(work, model).items()}
    ways, left_out = _in_time(ways)
    rates = turns.take({name: way.rows_per_second for name, way in ways.items()}, rounds)
    alone = turns.take({name: partial(way.alone, singles) for name, way in ways.items()}, rounds)
    return {
        "rows": f"{len(texts):,} test rows, {own_rows.source()}",
        **turns.figures(rates, OURS, "rows/s"),
        **turns.figures(alone, OURS, "p50 ms"),
        **{f"{name}, p99 ms": turns.percentile(way.latencies, 0.99) for name, way in ways.items()},
        **{f"{name}, accuracy": accuracy(way.labels, labels) for name, way in ways.items()},
        **{f"{name}, left out, rows/s": rate for name, rate in left_out.items()},
    }


def _in_time(ways: dict[str, Timed]) -> tuple[dict[str, Timed], dict[str, float]]:
    """`ways`, warmed up, without those that would take minutes for a turn, such as bf16 on a processor without it; and
    the rows/s of those."""
    rates = {name: Timed(way.answer, way.texts[:WARM_UP]).rows_per_second() for name, way in ways.items()}
    slow = {name: rate for name, rate in rates.items() if rate * TOO_SLOW < rates[EXACT]}
    return {name: way for name, way in ways.items() if name not in slow}, slow


def _ways(work: Work, model: TrainedModel) -> dict[str, Answer]:
    folder = work.folder(model.path)
    packages = {precision: work.folder(work.pack(model, precision).path) for precision in ("int8", "fp32")}
    return {
        OURS: partial(by_package, Predictor(packages["int8"])),
        "fp32 package": partial(by_package, Predictor(packages["fp32"])),
        EXACT: _by_torch(work, folder, "float32"),
        "torch bf16": _by_torch(work, folder, "bfloat16"),
        "plain ONNX": _by_plain_onnx(work, folder),
        "transformers.pipeline, batch 1": _by_pipeline(work, folder, 1),
        "transformers.pipeline, batch 32": _by_pipeline(work, folder, 32),
    }


def by_package(predictor: Predictor, texts: Sequence[str]) -> list[str]:
    """The label of each text, as a package answers."""
    return [answer["label"] for answer in predictor.predict(texts)]


def _by_torch(work: Work, folder: Path, dtype: str) -> Answer:
    """The trained model in the same batches of like lengths."""
    import torch

    from perennial.training import model

    tokenizer = _tokenizer(work, folder)
    network = model.load_model(folder).to(getattr(torch, dtype))

    def answer(texts: Sequence[str]) -> list[str]:
        segments, _ = tokenizer.encode(texts)
        return _named(model.outputs_of(network, segments, tokenizer.pad_id, BATCH_TOKENS))

    return answer


def _by_plain_onnx(work: Work, folder: Path) -> Answer:
    """ONNX Runtime with its own optimizations on the graph as it was traced, in the same batches."""
    from perennial.export import graph
    from perennial.training import model

    tokenizer, path = _tokenizer(work, folder), work.home.root / "plain.onnx"
    graph.trace(model.load_model(folder, attention="eager"), path, tokenizer.pad_id)
    plain = Graph(path, pad_id=tokenizer.pad_id)

    def answer(texts: Sequence[str]) -> list[str]:
        return _named(plain.outputs_of(tokenizer.encode(texts)[0], tokens_per_batch=BATCH_TOKENS))

    return answer


def _by_pipeline(work: Work, folder: Path, batch: int) -> Answer:
    """`transformers.pipeline` with the trained weights under the class that it asks for."""
    from transformers import AutoTokenizer, pipeline

    from perennial.training import base_model

    tokenizer = AutoTokenizer.from_pretrained(base_model.find_base_model(work.spec).folder, local_files_only=True)
    asked = pipeline("text-classification", model=_classifier(folder), tokenizer=tokenizer, device="cpu")
    limit = work.spec.model.max_length

    def answer(texts: Sequence[str]) -> list[str]:
        return [row["label"] for row in asked(list(texts), batch_size=batch, truncation=True, max_length=limit)]

    return answer


def _classifier(folder: Path) -> Any:
    """The trained model as a transformers class: its encoder, the mean of the token vectors, its head."""
    from transformers import BertPreTrainedModel
    from transformers.modeling_outputs import SequenceClassifierOutput

    from perennial.training import model

    network: Any = model.load_model(folder)
    config = network.encoder.config
    config.id2label = dict(enumerate(own_rows.LABELS))

    class MeanPooledForSequenceClassification(BertPreTrainedModel):
        def __init__(self) -> None:
            super().__init__(config)
            self.network = network

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None, **_: Any) -> Any:
            return SequenceClassifierOutput(logits=self.network(input_ids, attention_mask))

    return MeanPooledForSequenceClassification().eval()


def _tokenizer(work: Work, folder: Path) -> Tokenizer:
    return Tokenizer(folder / "tokenizer.json", work.spec.model.max_length)


def _named(outputs: Sequence[np.ndarray]) -> list[str]:
    return [own_rows.LABELS[label] for label in np.stack(outputs).argmax(axis=1)]


def accuracy(answers: Sequence[str], labels: Sequence[str]) -> float:
    """The share of `answers` that are right."""
    return float(np.mean([one == other for one, other in zip(answers, labels, strict=False)]))
