"""Any number of labels for a text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from perennial.inference.decoders import Encoded, Outputs
from perennial.inference.decoders.base import sigmoid
from perennial.kinds.base import Problem, cascade_problems, known_label, label_problems
from perennial.kinds.floors import Floor, above_chance
from perennial.kinds.gate_problems import metric_problems
from perennial.kinds.multi_label.wording import WORDING
from perennial.kinds.text_classification.kind import TextClassificationKind
from perennial.metrics.prediction import Prediction
from perennial.records.evaluation import Metrics

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch

    from perennial.inference.spans import Span
    from perennial.kinds.floors import CountedRows
    from perennial.metrics.label_errors import Doubt
    from perennial.metrics.sums import MetricSums
    from perennial.rows.batch import Batch
    from perennial.rows.expectation import Expected
    from perennial.settings.behaviours import ExpectSpec
    from perennial.settings.data import ColumnsSpec, DataSpec
    from perennial.settings.pipeline import PipelineSpec
    from perennial.settings.training import TrainingSpec

SEPARATORS = ("|", ";", ",")
"""Between labels in a cell of plain text; the first that is in the cell."""
ROUNDING = 1e-4
"""Scores that differ by less may lie on either side of a threshold by the rounding of float32 alone."""
NO_LIST = "unreadable_labels"
UNKNOWN = "unknown_label"


class MultiLabelKind(TextClassificationKind):
    """Each of `data.labels` holds for a text or does not; there may be none."""

    name = "multi-label"
    selection_metric = "micro_f1"
    headline_metric = "micro_f1"
    metrics = ("micro_f1", "macro_f1", "exact_match", "micro_precision", "micro_recall", "log_loss", "brier")
    lower_is_better = frozenset({"log_loss", "brier"})
    not_resampled: frozenset[str] = frozenset()
    expected_forms = ("has", "lacks")
    cascades = False
    least_labels = 1
    takes_any_text = False
    wording = WORDING

    def column_types(self) -> dict[str, pa.DataType]:
        import pyarrow as pa

        return {"text": pa.string(), "label": pa.list_(pa.string())}

    def canonical(self, batch: Batch, columns: ColumnsSpec) -> dict[str, pa.Array]:
        import pyarrow as pa

        from perennial.rows import cells

        labels = [_labels(cells.nested(value)) for value in batch.columns[columns.label]]
        return {"text": cells.text_array(batch, columns.text), "label": pa.array(labels, pa.list_(pa.string()))}

    def derived(self, rows: pa.Table, labels: Sequence[str]) -> dict[str, pa.Array]:
        import pyarrow as pa

        names = set(labels)
        unknown = [next((label for label in row or () if label not in names), None) for row in _lists(rows["label"])]
        unreadable = [None if row is not None else "unreadable" for row in _lists(rows["label"])]
        return {UNKNOWN: pa.array(unknown, pa.string()), NO_LIST: pa.array(unreadable, pa.string())}

    def spec_problems(self, spec: PipelineSpec) -> list[Problem]:
        return [*label_problems(self, spec), *metric_problems(self, spec), *cascade_problems(self, spec)]

    def expectations(self, data: DataSpec) -> tuple[Expected, ...]:
        from perennial.core.errors import listing
        from perennial.rows.expectation import built_in

        none = "expect_column_values_to_be_null"
        return (
            built_in(none, column=NO_LIST, fault="label holds neither a list of labels nor text"),
            built_in(none, column=UNKNOWN, fault=f"a label is not one of: {listing(data.labels, 10)}"),
        )

    def labels_in(self, targets: pa.Array) -> pa.Array | None:
        import pyarrow.compute as pc

        return pc.list_flatten(targets)

    def encode_targets(self, targets: pa.Array, encoded: Encoded, labels: Sequence[str]) -> pa.Array:
        import numpy as np
        import pyarrow as pa

        places = {label: index for index, label in enumerate(labels)}
        held = np.zeros((len(targets), len(labels)), np.float32)
        for row, names in enumerate(targets.to_pylist()):
            held[row, [places[name] for name in names]] = 1
        return pa.FixedSizeListArray.from_arrays(pa.array(held.ravel()), len(labels))

    def labels_learned(self, targets: np.ndarray, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        places, numbers = targets.nonzero()
        return places, numbers

    def statistics(self, targets: np.ndarray, labels: Sequence[str], training: TrainingSpec) -> dict[str, np.ndarray]:
        import numpy as np

        if training.class_weights == "none":
            return {}
        holding = targets.sum(axis=0).clip(min=1)
        return {"weights": ((len(targets) - holding) / holding).clip(min=1).astype(np.float32)}

    def loss(
        self,
        outputs: torch.Tensor,
        targets: torch.Tensor,
        statistics: Mapping[str, torch.Tensor],
        training: TrainingSpec,
    ) -> torch.Tensor:
        import torch.nn.functional as F

        # Label smoothing spreads a share over both answers, as it does over all labels of a single-label kind.
        soft = targets * (1 - training.label_smoothing) + training.label_smoothing / 2
        # Summed over labels: the mean would make a step smaller the more labels there are.
        losses = F.binary_cross_entropy_with_logits(
            outputs, soft, pos_weight=statistics.get("weights"), reduction="none"
        )
        return losses.sum(dim=1).mean()

    def soft_loss(
        self, outputs: torch.Tensor, soft: torch.Tensor, targets: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        import torch.nn.functional as F

        wanted = (soft / temperature).sigmoid()
        losses = F.binary_cross_entropy_with_logits(outputs / temperature, wanted, reduction="none")
        return losses.sum(dim=1).mean() * temperature**2

    def decoding(
        self,
        outputs: Outputs,
        encoded: Encoded,
        targets: Sequence[Any],
        labels: Sequence[str],
        statistics: Mapping[str, np.ndarray],
    ) -> dict[str, Any]:
        import numpy as np

        from perennial.metrics import multi_label, temperature

        logits = np.stack(outputs)
        fitted = temperature.of_each(logits, multi_label.label_matrix(targets, labels) == 1)
        return {"thresholds": multi_label.thresholds(sigmoid(logits), targets, labels)} | fitted.decoding()

    def collapsed(self, predictions: Sequence[Prediction]) -> str | None:
        answers = {tuple(sorted(prediction["labels"])) for prediction in predictions}
        if len(answers) != 1:
            return None
        only = answers.pop()
        return f"labels {', '.join(map(repr, only))}" if only else "no label"

    def same_answer(self, one: Prediction, other: Prediction) -> bool:
        changed = set(one["labels"]) ^ set(other["labels"])
        # A threshold that lies between two scores as close as these tells nothing about the models.
        return all(abs(one["scores"][label] - other["scores"][label]) < ROUNDING for label in changed)

    def measure(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> Metrics:
        from perennial.metrics import multi_label

        return multi_label.multi_label_metrics(targets, predictions, labels)

    def tallies(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[MetricSums, ...]:
        from perennial.metrics import sums

        return sums.multi_label_sums(targets, predictions, labels)

    def right(self, target: Any, prediction: Prediction) -> bool | None:
        return set(target) == set(prediction["labels"])

    def sureness(self, prediction: Prediction) -> float:
        scores = prediction["scores"].values()
        return float(sum(max(score, 1 - score) for score in scores) / len(scores))

    def scored(self, targets: Sequence[Any], predictions: Sequence[Prediction]) -> tuple[list[float], list[bool]]:
        pairs = [
            (float(score), label in target)
            for target, prediction in zip(map(set, targets), predictions, strict=True)
            for label, score in prediction["scores"].items()
        ]
        return [score for score, _ in pairs], [held for _, held in pairs]

    def meets(self, expect: ExpectSpec, marks: Sequence[Span], prediction: Prediction) -> bool:
        return set(expect.has) <= set(prediction["labels"]) and not set(expect.lacks) & set(prediction["labels"])

    def shift(self, before: Prediction, after: Prediction) -> float:
        # The label that moved most: of many labels, most never move.
        return float(max(abs(score - after["scores"][label]) for label, score in before["scores"].items()))

    def doubts(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> list[Doubt]:
        from perennial.metrics import label_errors

        return label_errors.of_several_labels(targets, predictions, labels)

    def target_in_words(self, target: Any) -> str:
        apart = len(target) > 0 and not any(mark in label for label in target for mark in SEPARATORS)
        return SEPARATORS[0].join(target) if apart else json.dumps(list(target), ensure_ascii=False)

    def target_of_words(self, words: str, labels: Sequence[str]) -> Any:
        from perennial.rows import cells

        given = _labels(cells.nested(words))
        if given is None:
            raise ValueError(f"{words[:60]!r} is no list of labels, such as a|b, or [] for none")
        return [known_label(label, labels) for label in given]

    def shared(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[list[Any], list[Prediction]]:
        kept = set(labels)
        answers: list[Prediction] = [
            {
                "labels": [label for label in answer["labels"] if label in kept],
                "scores": {label: score for label, score in answer["scores"].items() if label in kept},
            }
            for answer in predictions
        ]
        return [[label for label in target if label in kept] for target in targets], answers

    def floor(self, counted: CountedRows) -> Floor:
        chance = _same_labels(counted)
        basis = f"always answering the commonest labels reaches {chance:.2f}"
        return Floor(metric="micro_f1", value=above_chance(chance), basis=basis)

    def majority(self, counted: CountedRows) -> float | None:
        return None

    def cautions(self, counted: CountedRows) -> Iterator[str]:
        if counted.unlabelled:
            yield (
                f"{counted.unlabelled:,} rows have no label: the model learns that none fits them. If nobody has "
                "labelled them yet, leave them out."
            )

    def baselines(self, train: pa.Table, test: pa.Table, labels: Sequence[str]) -> dict[str, list[Prediction]]:
        from perennial.metrics import baselines

        texts = baselines.Texts.of(train, test, self.text_columns, self.target_column)
        return {
            "commonest": baselines.commonest_labels(texts, labels),
            "tfidf": baselines.tfidf_one_versus_rest(texts, labels),
        }


def _same_labels(counted: CountedRows) -> float:
    """The best micro F1 of answering the same labels to every row."""
    held = sorted(counted.rows_per_label.values(), reverse=True)
    rows = max(counted.usable, 1)
    return max(2 * sum(held[:n]) / (n * rows + sum(held)) for n in range(1, len(held) + 1))


def _labels(value: object) -> list[str] | None:
    """A cell's labels, each once, in alphabetical order; none for an empty cell; None if it holds something else.

    In order, because two people who name the same labels do not contradict each other.
    """
    if value is None or (isinstance(value, float) and value != value):
        return []
    if isinstance(value, str):
        separator = next((mark for mark in SEPARATORS if mark in value), SEPARATORS[0])
        # What begins as a JSON list and can't be read as one is no list of names either.
        value = None if value.lstrip().startswith(("[", "{")) else value.split(separator)
    elif isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, list | tuple) or not all(map(_is_name, value)):
        return None
    names = (str(name).strip() for name in value)
    return sorted({name for name in names if name})


def _is_name(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _lists(column: pa.ChunkedArray) -> list[list[str] | None]:
    rows: list[list[str] | None] = column.to_pylist()
    return rows


KIND = MultiLabelKind()
