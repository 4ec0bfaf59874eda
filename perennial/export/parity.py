"""Whether a graph still answers as the trained model did, measured on validation rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from perennial.core import progress
from perennial.core.errors import ExportError, PackageError
from perennial.core.percent import percent
from perennial.inference.decoders import Decoder, Encoded, Outputs
from perennial.inference.package import PackageInfo
from perennial.inference.runtime import Graph
from perennial.kinds.protocols import Kind

if TYPE_CHECKING:
    from perennial.records.evaluation import Metrics

LARGEST_DIFFERENCE = 1e-3
TOKENS_PER_BATCH = 1024
ROWS_ALONE = 256
"""Segments run alone, too."""
MOST_TIES = 0.01
"""Of the rows, how many may lie so near between two answers that rounding decides (at least one may)."""
# 0.87 - 0.86 is a little more than 0.01 in floating point.
ROUNDING = 1e-9


@dataclass(frozen=True)
class ParitySample:
    """Validation rows and what it takes to judge answers to them."""

    encoded: Encoded
    """The rows as the model reads them."""
    targets: Sequence[Any]
    kind: Kind
    draft: PackageInfo
    """What is known of the package so far."""
    decoder: Decoder

    @property
    def segments(self) -> list[np.ndarray]:
        """Token ids of all rows."""
        return self.encoded.segments

    def answers(self, outputs: Outputs) -> ParityAnswers:
        """`outputs` decoded."""
        return ParityAnswers(outputs, self.decoder.decode(outputs, self.encoded, self.draft))

    def measure(self, answers: ParityAnswers) -> Metrics:
        """Every metric of `answers`."""
        return self.kind.measure(self.targets, answers.predictions, self.draft.labels)


@dataclass(frozen=True)
class ParityAnswers:
    """What a model answers to the sample."""

    outputs: Outputs
    predictions: list[dict[str, Any]]


@dataclass(frozen=True)
class ParityComparison:
    """A lower precision beside fp32."""

    figures: dict[str, Any]
    """agreement (share of rows with the same answer), alone_agreement (of rows run alone and in batches), …"""
    fault: str | None
    """Why it must not be served, in words; None: nothing stands against it."""


def agree(sample: ParitySample, expected: ParityAnswers, answers: ParityAnswers) -> float:
    """The largest difference between two models' logits.

    A row of which they agree that it lies between two answers, as their logits differ by no more than
    LARGEST_DIFFERENCE, is a tie: told, and nothing against the graph. Raises ExportError if logits differ by more,
    or more than MOST_TIES of the rows are ties.
    """
    difference = _differences(expected, answers)
    row = int(np.argmax(np.where(np.isfinite(difference), difference, np.inf)))
    largest = float(difference[row])
    if not largest <= LARGEST_DIFFERENCE:  # also true of NaN
        raise ExportError(
            f"The ONNX graph does not agree with the trained model: logits differ by up to {largest:.3g} "
            f"(text {row} of {len(sample.segments):,}), at most {LARGEST_DIFFERENCE:g} was expected.",
            remedy="Nothing was packed. Another base model, or other versions of torch and onnxruntime, may do.",
        )
    changed = _changed(sample.kind, expected, answers)
    rows = f"{len(changed):,} of {len(expected.predictions):,} validation rows"
    if len(changed) > max(1, MOST_TIES * len(expected.predictions)):
        raise ExportError(
            f"The ONNX graph does not agree with the trained model: {rows} get another answer, first row {changed[0]} "
            f"(logits differ by at most {largest:.3g}); at most {percent(MOST_TIES)} was expected.",
            remedy="Nothing was packed. The model can't tell these rows' labels apart: train it longer or on more.",
        )
    if changed:
        progress.note(f"For {rows} two answers tie, so rounding decides (logits differ by at most {largest:.3g}).")
    return largest


def run_shapes(graph: Graph, sample: ParitySample) -> None:
    """Run `graph` on the shapes that exports get wrong: 1 × 1, 1 × longest, several × odd.

    Raises PackageError if one fails, or gives outputs of another shape or no finite ones.
    """
    longest = sample.draft.max_length
    tokens = np.concatenate([np.array([sample.draft.pad_id]), *sample.segments])[1:]
    for rows, width in ((1, 1), (1, longest), (5, min(13, longest - 1 + longest % 2))):
        ids = np.resize(tokens, (rows, width)).astype(np.int64)
        mask = np.ones_like(ids)
        mask[1:, -1] = 0
        expected = (rows, width, graph.outputs) if sample.decoder.per_token else (rows, graph.outputs)
        outputs = graph.run(ids, mask)
        if outputs.shape != expected or not np.isfinite(outputs).all():
            raise PackageError(
                f"The graph's outputs for {rows} × {width} tokens have shape {outputs.shape} "
                f"{'and are finite' if np.isfinite(outputs).all() else 'and are not all finite'}; "
                f"expected finite numbers of shape {expected}.",
                remedy="Choose another base model or export.precision.",
            )


def compare_precision(
    sample: ParitySample, exact: ParityAnswers, graph: Graph, precision: str, max_drop: float
) -> ParityComparison:
    """`graph`, in `precision`, beside the fp32 answers: what changes, and whether it may be served.

    It may not if it fails on a shape, gives no finite numbers or the same answer to everything, or loses more than
    `max_drop` of the kind's headline metric.
    """
    try:
        run_shapes(graph, sample)
        outputs = graph.outputs_of(sample.segments, tokens_per_batch=TOKENS_PER_BATCH)
    except PackageError as error:
        return ParityComparison({}, f"{precision} does not run: {error.problem}")
    broken = sum(not np.isfinite(output).all() for output in outputs)
    if broken:
        return ParityComparison({}, f"{precision} gave no finite numbers for {broken:,} of {len(outputs):,} texts")
    answers = sample.answers(outputs)
    before, after = sample.measure(exact), sample.measure(answers)
    figures = _figures(sample, exact, answers, graph) | _changes(before, after)
    return ParityComparison(figures, _fault(sample, exact, answers, before, after, precision, max_drop))


def _figures(sample: ParitySample, exact: ParityAnswers, answers: ParityAnswers, graph: Graph) -> dict[str, Any]:
    alone = [graph.outputs_of([segment])[0] for segment in sample.segments[:ROWS_ALONE]]
    apart = sample.answers([*alone, *answers.outputs[ROWS_ALONE:]])
    # Where rows have several segments, fewer rows were run alone.
    rows = max(1, round(len(answers.predictions) * min(1, ROWS_ALONE / len(sample.segments))))
    return {
        "agreement": 1 - len(_changed(sample.kind, exact, answers)) / len(answers.predictions),
        # int8 scales a batch's numbers by the largest among them, so a row's neighbours touch its scores.
        "alone_agreement": 1 - len(_changed(sample.kind, answers, apart)) / rows,
        "max_logit_difference": figure(_differences(exact, answers).max()),
    }


def _changes(before: Metrics, after: Metrics) -> dict[str, Any]:
    return {
        "change": {name: figure(after.values[name] - value) for name, value in before.values.items()},
        "label_change": {
            label: {name: figure(after.per_label[label][name] - value) for name, value in values.items()}
            for label, values in before.per_label.items()
        },
    }


def _fault(
    sample: ParitySample,
    exact: ParityAnswers,
    answers: ParityAnswers,
    before: Metrics,
    after: Metrics,
    precision: str,
    max_drop: float,
) -> str | None:
    kind = sample.kind
    collapsed = kind.collapsed(answers.predictions)
    if collapsed and not kind.collapsed(exact.predictions):
        return f"{precision} answers {collapsed} to all {len(answers.predictions):,} validation rows, fp32 does not"
    name = kind.headline_metric
    drop = before.values[name] - after.values[name]
    if drop > max_drop + ROUNDING:
        return (
            f"{precision} loses {drop:.4f} of {name} on {len(answers.predictions):,} validation rows (fp32 "
            f"{before.values[name]:.4f}, {precision} {after.values[name]:.4f}), more than export.max_drop {max_drop:g}"
        )
    return None


def _differences(one: ParityAnswers, other: ParityAnswers) -> np.ndarray:
    """The largest difference of the outputs for each segment."""
    pairs = zip(one.outputs, other.outputs, strict=True)
    return np.array([np.abs(before - after).max() for before, after in pairs])


def _changed(kind: Kind, one: ParityAnswers, other: ParityAnswers) -> list[int]:
    pairs = zip(one.predictions, other.predictions, strict=True)
    return [row for row, (before, after) in enumerate(pairs) if not kind.same_answer(before, after)]


def figure(value: float | np.floating[Any]) -> float:
    """`value` to six significant digits: what lies behind them is noise."""
    return float(f"{value:.6g}")
