"""One label for a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from perennial.inference import decoders
from perennial.inference.decoders import Encoded, Input, Outputs
from perennial.kinds.base import Kind, Problem, cascade_problems, known_label, label_problems
from perennial.kinds.floors import LOPSIDED, Floor, above_chance, share_of_commonest
from perennial.kinds.gate_problems import metric_problems
from perennial.kinds.text_classification.wording import WORDING
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
    from perennial.rows.text_edits import Edit
    from perennial.settings.behaviours import ExpectSpec
    from perennial.settings.data import ColumnsSpec, DataSpec
    from perennial.settings.pipeline import PipelineSpec
    from perennial.settings.training import TrainingSpec


class TextClassificationKind(Kind):
    """Exactly one of `data.labels` for each text."""

    name = "text-classification"
    text_columns: tuple[str, ...] = ("text",)
    input_columns: tuple[str, ...] = ("text",)
    target_column = "label"
    contradicts = True
    selection_metric = "macro_f1"
    headline_metric = "accuracy"
    metrics: tuple[str, ...] = (
        "accuracy",
        "macro_f1",
        "micro_f1",
        "weighted_f1",
        "macro_precision",
        "macro_recall",
        "log_loss",
        "brier",
        "calibration_error",
    )
    label_metrics: tuple[str, ...] = ("precision", "recall", "f1")
    lower_is_better = frozenset({"log_loss", "brier", "calibration_error"})
    not_resampled = frozenset({"calibration_error"})
    right_or_wrong = True
    expected_forms: tuple[str, ...] = ("label",)
    doubts_need_details = False
    cascades = True
    degree_of: Literal["label", "number"] | None = "label"
    least_labels = 2
    takes_any_text = True
    reads_whole = False
    fault_column: str | None = None
    wording = WORDING

    def column_types(self) -> dict[str, pa.DataType]:
        import pyarrow as pa

        return dict.fromkeys((*self.text_columns, self.target_column), pa.string())

    def sources(self, columns: ColumnsSpec) -> tuple[str, ...]:
        return tuple(getattr(columns, name) for name in (*self.text_columns, self.target_column))

    def canonical(self, batch: Batch, columns: ColumnsSpec) -> dict[str, pa.Array]:
        from perennial.rows import cells

        return {name: cells.text_array(batch, getattr(columns, name)) for name in self.column_types()}

    def derived(self, rows: pa.Table, labels: Sequence[str]) -> dict[str, pa.Array]:
        return {}

    def spec_problems(self, spec: PipelineSpec) -> list[Problem]:
        return [*label_problems(self, spec), *metric_problems(self, spec), *cascade_problems(self, spec)]

    def expectations(self, data: DataSpec) -> tuple[Expected, ...]:
        from perennial.rows.expectation import built_in

        return (
            built_in("expect_column_values_to_not_be_null", column=self.target_column),
            built_in("expect_column_values_to_be_in_set", column=self.target_column, value_set=list(data.labels)),
        )

    def labels_in(self, targets: pa.Array) -> pa.Array | None:
        return targets

    def inputs(self, rows: pa.Table) -> list[Input]:
        columns = {name: rows[name].to_pylist() for name in self.input_columns}
        return decoders.decoder_named(self.name).inputs(columns)

    def encode_targets(self, targets: pa.Array, encoded: Encoded, labels: Sequence[str]) -> pa.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        return pc.index_in(targets, value_set=pa.array(labels, pa.string())).cast(pa.int64())

    def labels_learned(self, targets: np.ndarray, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        return np.arange(len(targets)), targets

    def outputs(self, labels: Sequence[str]) -> int:
        return len(labels)

    def output_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        return tuple(labels)

    def statistics(self, targets: np.ndarray, labels: Sequence[str], training: TrainingSpec) -> dict[str, np.ndarray]:
        return balance(targets, self.outputs(labels), training)

    def loss(
        self,
        outputs: torch.Tensor,
        targets: torch.Tensor,
        statistics: Mapping[str, torch.Tensor],
        training: TrainingSpec,
    ) -> torch.Tensor:
        import torch.nn.functional as F

        weights = statistics.get("weights")
        return F.cross_entropy(outputs, targets, weight=weights, label_smoothing=training.label_smoothing)

    def soft_loss(
        self, outputs: torch.Tensor, soft: torch.Tensor, targets: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        return divergence(outputs, soft, temperature).mean()

    def decoding(
        self,
        outputs: Outputs,
        encoded: Encoded,
        targets: Sequence[Any],
        labels: Sequence[str],
        statistics: Mapping[str, np.ndarray],
    ) -> dict[str, Any]:
        import numpy as np

        from perennial.metrics import temperature

        places = {label: index for index, label in enumerate(labels)}
        right = np.array([places[target] for target in targets], dtype=np.int64)
        logits = np.stack(outputs) if len(outputs) else np.empty((0, len(labels)))
        return temperature.of_one(logits, right).decoding()

    def collapsed(self, predictions: Sequence[Prediction]) -> str | None:
        answers = {prediction["label"] for prediction in predictions}
        return f"label {answers.pop()!r}" if len(answers) == 1 else None

    def same_answer(self, one: Prediction, other: Prediction) -> bool:
        return bool(one["label"] == other["label"])

    def measure(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> Metrics:
        from perennial.metrics import single_label

        return single_label.single_label_metrics(targets, predictions, labels)

    def tallies(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[MetricSums, ...]:
        from perennial.metrics import sums

        return sums.single_label_sums(targets, predictions, labels)

    def right(self, target: Any, prediction: Prediction) -> bool | None:
        return bool(prediction["label"] == target)

    def sureness(self, prediction: Prediction) -> float:
        return float(prediction["score"])

    def scored(self, targets: Sequence[Any], predictions: Sequence[Prediction]) -> tuple[list[float], list[bool]]:
        scores = [float(prediction["score"]) for prediction in predictions]
        return scores, [prediction["label"] == target for target, prediction in zip(targets, predictions, strict=True)]

    def unmarked(self, texts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Span, ...]]:
        return texts, ()

    def meets(self, expect: ExpectSpec, marks: Sequence[Span], prediction: Prediction) -> bool:
        return bool(prediction["label"] == expect.label)

    def degree(self, prediction: Prediction, label: str | None) -> float:
        # A champion gives no probability to a label that it does not know.
        return float(prediction["scores"].get(label, 0.0))

    def moved(self, prediction: Prediction, edits: Sequence[Edit]) -> Prediction:
        return prediction

    def shift(self, before: Prediction, after: Prediction) -> float:
        return abs(self.degree(before, before["label"]) - self.degree(after, before["label"]))

    def doubts(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> list[Doubt]:
        from perennial.metrics import label_errors

        return label_errors.of_one_label(targets, predictions, labels)

    def target_in_words(self, target: Any) -> str:
        return str(target)

    def target_of_words(self, words: str, labels: Sequence[str]) -> Any:
        return known_label(words, labels)

    def beside_text(self, words: str, texts: Sequence[str]) -> str:
        return words

    def misfit(self, words: str, text: str | None) -> str | None:
        return None

    def without_text(self, prediction: Prediction) -> Prediction:
        return prediction

    def shared(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[list[Any], list[Prediction]]:
        rows = [(target, answer) for target, answer in zip(targets, predictions, strict=True) if target in labels]
        return [target for target, _ in rows], [answer for _, answer in rows]

    def floor(self, counted: CountedRows) -> Floor:
        counts = counted.rows_per_label
        share = share_of_commonest(counts)
        if share <= LOPSIDED:
            basis = f"always answering the commonest label is right for {share:.0%} of the rows"
            return Floor(metric="accuracy", value=above_chance(share), basis=basis)
        # Macro F1 of always answering the commonest label: its own F1, and 0 for every other label.
        chance = 2 * share / (1 + share) / len(counts)
        basis = f"{share:.0%} of the rows have one label, so accuracy would say little"
        return Floor(metric="macro_f1", value=above_chance(chance), basis=basis)

    def majority(self, counted: CountedRows) -> float | None:
        counts = counted.rows_per_label
        return share_of_commonest(counts) if counts else None

    def cautions(self, counted: CountedRows) -> Iterator[str]:
        return iter(())

    def baselines(self, train: pa.Table, test: pa.Table, labels: Sequence[str]) -> dict[str, list[Prediction]]:
        from perennial.metrics import baselines

        texts = baselines.Texts.of(train, test, self.text_columns, self.target_column)
        return {
            "majority": baselines.majority_label(texts, labels),
            "tfidf": baselines.tfidf_logistic_regression(texts, labels),
        }


def divergence(outputs: torch.Tensor, soft: torch.Tensor, temperature: float) -> torch.Tensor:
    """The Kullback-Leibler divergence of the softmax of `outputs` from that of `soft` at `temperature`, times its
    square, for each row (of the last axis)."""
    import torch.nn.functional as F

    own, wanted = (F.log_softmax(each / temperature, dim=-1) for each in (outputs, soft))
    return F.kl_div(own, wanted, reduction="none", log_target=True).sum(-1) * temperature**2


def balance(targets: np.ndarray, outputs: int, training: TrainingSpec) -> dict[str, np.ndarray]:
    """Weights of the outputs, inverse to how often each is the target, for `training.class_weights: balanced`."""
    import numpy as np

    if training.class_weights == "none":
        return {}
    counts = np.bincount(targets, minlength=outputs).clip(min=1)
    return {"weights": (len(targets) / (outputs * counts)).astype(np.float32)}


KIND = TextClassificationKind()
