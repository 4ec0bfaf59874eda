"""Fine-tuning beside stock `transformers.Trainer`, on the same rows from the same base model.

The peer is set up as the documentation's text-classification example is: dynamic padding, fp32, 5e-5, the
architecture's own head. `train` measures the loop (BENCH_ROWS rows an epoch, BENCH_ROUNDS turns); `time-to` trains both
until they reach an accuracy (BENCH_BUDGETS: the rows that Perennial may learn from, each once, in one training or the
other; BENCH_PEER_EPOCHS: the epochs that the peer has for it, judged twice in each).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import own_rows, turns
from benchmarks.common.own_rows import Work
from perennial.core import progress
from perennial.core.progress import Silent

OURS, STOCK = "perennial", "transformers.Trainer"
STOCK_BATCH = 16
STOCK_STEPS = 30
TARGET = 0.82
PEAK_SIZES = (256, 512, 1024, 2048)
PEAK_ROUNDS = 9
PEAK_SECONDS = 1.0
"""If the products of one size took longer, the next, eight times as long, is not tried."""
# The first steps pay for what is made once.
SKIPPED = 3


class Clock(Silent):
    """When each step of training ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def advance(self, done: float, total: float | None, unit: str, detail: str) -> None:
        """Note the time of a step."""
        if unit == "step":
            self.times.append(time.perf_counter())

    @property
    def seconds_per_step(self) -> float:
        """Mean seconds of a step, without the first."""
        return (self.times[-1] - self.times[SKIPPED]) / (len(self.times) - 1 - SKIPPED)


def measure(scratch: Path) -> dict[str, object]:
    """Samples a second of both, in turn, and the share of the machine's bf16 peak that ours computes at."""
    work = own_rows.work(scratch, own_rows.size("BENCH_ROWS", 1400))
    rounds = own_rows.size("BENCH_ROUNDS", 3)
    seeds = iter(range(rounds))
    peak = peak_gflops("bfloat16")
    contenders: dict[str, Callable[[], float]] = {OURS: lambda: _ours(work, next(seeds)), STOCK: partial(_stock, work)}
    given = turns.take(contenders, rounds)
    reached = statistics.median(given[OURS]) * _flops_per_sample(work) / 1e9
    return {
        "rows": f"{work.encoded.rows:,} to train on, {own_rows.source()}",
        **turns.figures(given, OURS, "samples/s"),
        "bf16 peak, GFLOP/s": peak,
        "fp32 peak, GFLOP/s": peak_gflops("float32"),
        f"{OURS}, GFLOP/s of real tokens": reached,
        f"{OURS}, share of the bf16 peak": reached / peak,
    }


def time_to(scratch: Path) -> dict[str, object]:
    """Seconds until each has TARGET accuracy on the validation rows; both count all they do for it.

    Ours has a schedule to end, so it is trained anew with each budget of rows; the first that suffices counts.
    """
    work = own_rows.work(scratch)
    figures: dict[str, object] = {"rows": f"{work.encoded.rows:,} to train on, {own_rows.source()}"}
    ours = None
    for budget in [*own_rows.sizes("BENCH_BUDGETS", "800,1200,1600"), work.encoded.rows]:
        model = work.train(epochs=1, max_rows=budget)
        reached = model.validation["accuracy"]
        figures |= {f"{OURS}, {budget:,} rows, seconds": model.seconds, f"{OURS}, {budget:,} rows, accuracy": reached}
        if reached >= TARGET:
            ours = model.seconds
            break
    allowed = own_rows.size("BENCH_PEER_EPOCHS", 5)
    if not allowed:
        return figures
    seconds, there, trace = _stock_until(work, allowed)
    return {
        **figures,
        f"{STOCK}, seconds": seconds,
        f"{STOCK}, accuracy after each half of an epoch": trace,
        f"sooner to {TARGET}": seconds / ours if there and ours is not None else "not reached by both",
    }


def peak_gflops(dtype: str) -> float:
    """What torch's product of two large matrices reaches here, in billions of operations a second.

    Smaller ones where that is slow: a processor without bf16 instructions would take minutes for each.
    """
    import torch

    for size in PEAK_SIZES:
        one = torch.randn(size, size, dtype=getattr(torch, dtype))
        seconds = [_seconds_of_product(one) for _ in range(PEAK_ROUNDS)]
        if sum(seconds) > PEAK_SECONDS:
            break
    return 2 * size**3 / statistics.median(seconds) / 1e9


def _seconds_of_product(one: Any) -> float:
    started = time.perf_counter()
    one @ one
    return time.perf_counter() - started


def _ours(work: Work, seed: int) -> float:
    clock = Clock()
    with progress.heard_by(clock):
        work.train(epochs=1, seed=seed)
    return work.encoded.rows / len(clock.times) / clock.seconds_per_step


def _flops_per_sample(work: Work) -> float:
    """Operations of forward and backward pass for a mean row, padding left out (Chowdhery et al. 2022, appendix B)."""
    from transformers import AutoConfig

    from perennial.training import base_model
    from perennial.training.encoding.dataset import EncodedRows

    config = AutoConfig.from_pretrained(base_model.find_base_model(work.spec).folder, local_files_only=True)
    weights = config.num_hidden_layers * (4 * config.hidden_size**2 + 2 * config.hidden_size * config.intermediate_size)
    lengths = EncodedRows(work.encoded, work.home.store.root).lengths.astype(np.float64)
    attention = 12 * config.num_hidden_layers * config.hidden_size * (lengths**2).mean()
    return float(6 * weights * lengths.mean() + attention)


def _stock(work: Work) -> float:
    times: list[float] = []
    trainer = _trainer(work, max_steps=STOCK_STEPS, save_strategy="no")
    trainer.add_callback(_each_step(lambda: times.append(time.perf_counter())))
    trainer.train()
    return STOCK_BATCH * (len(times) - 1 - SKIPPED) / (times[-1] - times[SKIPPED])


def _stock_until(work: Work, epochs: int) -> tuple[float, bool, list[float]]:
    """Seconds until the peer has TARGET, whether it came to it, and its accuracy after each epoch."""
    from transformers import TrainerCallback

    trace: list[float] = []

    class Stop(TrainerCallback):
        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
            trace.append(round(metrics["eval_accuracy"], 4))
            print(f"{STOCK}: {trace[-1]} after {len(trace) / 2} epochs", flush=True)
            control.should_training_stop = trace[-1] >= TARGET

    half = -(-work.encoded.rows // STOCK_BATCH) // 2
    trainer = _trainer(work, num_train_epochs=epochs, eval_strategy="steps", eval_steps=half, save_strategy="no")
    trainer.add_callback(Stop())
    started = time.perf_counter()
    trainer.train()
    return time.perf_counter() - started, trace[-1] >= TARGET, trace


def _each_step(call: Callable[[], None]) -> Any:
    from transformers import TrainerCallback

    class Each(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            call()

    return Each()


def _trainer(work: Work, **settings: Any) -> Any:
    """Stock Trainer, as the documentation's example of text classification has it."""
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    from perennial.training import base_model

    set_seed(42)
    base = base_model.find_base_model(work.spec).folder
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    model = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=len(own_rows.LABELS), local_files_only=True
    )
    arguments = TrainingArguments(
        output_dir=str(work.home.root / "stock"),
        learning_rate=5e-5,
        per_device_train_batch_size=STOCK_BATCH,
        per_device_eval_batch_size=STOCK_BATCH,
        report_to="none",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        **settings,
    )
    return Trainer(
        model,
        arguments,
        train_dataset=_tokenized(work, tokenizer, "train"),
        eval_dataset=_tokenized(work, tokenizer, "validation"),
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=lambda given: {"accuracy": float((given[0].argmax(-1) == given[1]).mean())},
    )


def _tokenized(work: Work, tokenizer: Any, split: str) -> Any:
    from datasets import Dataset

    texts, labels = work.rows(split)
    rows = Dataset.from_dict({"text": texts, "label": [own_rows.LABELS.index(label) for label in labels]})
    limit = work.spec.model.max_length
    return rows.map(lambda batch: tokenizer(batch["text"], truncation=True, max_length=limit), batched=True)
