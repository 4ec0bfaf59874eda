"""Sections on the model: what serving costs, how it was trained, what it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from perennial import kinds
from perennial.evaluation.report import charts, wording
from perennial.evaluation.report.blocks import Block, Cell, Chart, Facts, Section, Table, Words
from perennial.evaluation.report.material import Material
from perennial.evaluation.report.wording import NOTHING, plain, several
from perennial.records.evaluation import ServingFigures
from perennial.records.training import TrainedModel


def serving_section(material: Material) -> Section:
    """What it costs to ask the package."""
    title = "Speed, memory, size"
    costs, rival = material.evidence.evaluation.serving, material.evidence.evaluation.champion_serving
    if costs is None:
        package = material.evidence.package
        caption = f"Not measured in this run. The package is {package.precision}, {package.size_bytes / 1e6:.1f} MB."
        return Section("serving", title, (Words(caption, "quiet"),))
    head = ("on this machine", "candidate", "champion", "ratio")
    note = Words(
        f"Of {costs.batch_answers or costs.n:,} answers in batches as a server makes them, of rows of any length, "
        f"{several(costs.batch_flips, 'is', 'are')} other than to the same row alone; of {costs.n:,} rows "
        f"{several(costs.padding_flips, 'is', 'are')} answered otherwise with more padding. Both packages were "
        "measured in the same minute."
    )
    return Section("serving", title, (Table(head, tuple(_costs(costs, rival))), note))


def training_section(material: Material) -> Section:
    """The curves of the training."""
    title = "Training"
    trained, metric = material.evidence.trained, kinds.kind_named(material.spec.kind).selection_metric
    caption = (
        f"{trained.base}, {trained.epochs:g} epochs in {trained.precision} on {trained.train_rows:,} rows, "
        f"{trained.seconds:,.0f} s; the checkpoint after epoch {trained.best_epoch:g} was kept."
    )
    blocks: list[Block] = [Words(" ".join([caption, *trained.remarks]))]
    scores = _curve(material.history, f"eval_{metric}")
    loss = _curve(material.history, "loss")
    if loss[0]:
        held_out = _curve(material.history, "eval_log_loss")
        blocks.append(charts.losses("Loss by epoch", _losses_caption(loss, held_out), loss, held_out))
    if scores[0]:
        blocks.append(_scores(metric, scores, trained.best_epoch))
    if not loss[0] and not scores[0]:
        blocks.append(Words("The training's log is not in this store.", "quiet"))
    return Section("training", title, tuple(blocks))


def lineage_section(material: Material) -> Section:
    """What the candidate was made from."""
    evidence = material.evidence
    trained, package, decision = evidence.trained, evidence.package, evidence.decision
    facts = (
        ("pipeline", f"{material.spec.name}, {material.spec.kind}"),
        ("data", f"{evidence.snapshot.digest} ({several(len(evidence.snapshot.parts), 'part')})"),
        ("newest row", evidence.snapshot.watermark or "no time column"),
        ("validated rows", evidence.validated.digest),
        ("base model", trained.base),
        ("base's weights", trained.base_revision),
        *_started_from(trained),
        *_taught_by(trained),
        ("trained weights", trained.digest),
        ("package", f"{package.digest} ({'; '.join([package.precision, *package.remarks])})"),
        ("evaluation", evidence.evaluation.digest),
        ("decision", decision.digest),
        ("champion compared with", f"version {decision.champion_version}" if decision.champion_version else "none yet"),
    )
    parts = Table(
        ("part", "rows", "set aside", "sha256"),
        tuple(
            (str(number), f"{part.source.rows:,}", f"{part.quarantined:,}", part.source.sha256)
            for number, part in enumerate(evidence.validated.parts, 1)
        ),
        words=frozenset({3}),
        folded=True,
        caption="The parts of the data",
    )
    libraries = Table(
        ("library", "version"), tuple(evidence.libraries.items()), words=frozenset({1}), folded=True,
        caption="Versions of the libraries",
    )  # fmt: skip
    times = Table(
        ("step", "seconds"), tuple((step, f"{seconds:,.1f}") for step, seconds in evidence.seconds.items()),
        folded=True, caption="Times of the steps",
    )  # fmt: skip
    return Section("lineage", "Lineage", (Facts(facts), *([libraries] if evidence.libraries else []), times, parts))


def _started_from(trained: TrainedModel) -> Iterator[tuple[str, str]]:
    if trained.start and trained.start.version:
        yield "started from", f"version {trained.start.version}, weights {trained.start.digest}"


def _taught_by(trained: TrainedModel) -> Iterator[tuple[str, str]]:
    if trained.distillation:
        yield "teacher's weights", trained.fine_tuned.digest


def _costs(own: ServingFigures, rival: ServingFigures | None) -> Iterator[tuple[Cell | str, ...]]:
    named = {
        "latency, median (ms)": "latency_p50",
        "latency, 95th percentile (ms)": "latency_p95",
        "throughput (rows a second)": "throughput",
        "peak memory (MB)": "peak_memory",
        "size (MB)": "size",
    }
    for name, figure in named.items():
        value = float(getattr(own, figure))
        other = float(getattr(rival, figure)) if rival else None
        beside = f"{other:,.1f}" if other is not None else NOTHING
        yield name, Cell(f"{value:,.1f}", strong=True), beside, wording.ratio(value, other)


def _curve(history: Sequence[Mapping[str, Any]], name: str) -> tuple[list[float], list[float]]:
    points_drawn = [
        (float(entry["epoch"]), float(entry[name])) for entry in history if name in entry and "epoch" in entry
    ]
    return [epoch for epoch, _ in points_drawn], [value for _, value in points_drawn]


def _losses_caption(loss: tuple[list[float], list[float]], held_out: tuple[list[float], list[float]]) -> str:
    caption = f"Training loss (with label smoothing and dropout) from {loss[1][0]:.3f} to {loss[1][-1]:.3f}"
    if not held_out[0]:
        return f"{caption}."
    return f"{caption}; log loss on the validation rows from {held_out[1][0]:.3f} to {held_out[1][-1]:.3f}."


def _scores(metric: str, scores: tuple[list[float], list[float]], best: float) -> Chart:
    caption = f"{plain(metric)} on the validation rows after each epoch; the star marks the checkpoint that was kept."
    return charts.validation("Score on the validation rows", caption, plain(metric), scores, best)
