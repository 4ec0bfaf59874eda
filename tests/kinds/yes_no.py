"""A sixth kind of task, yes or no to a text, as somebody else's package would add it to Perennial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from perennial.inference.decoders.base import Encoded, Outputs, Reading, TextDecoder, sigmoid
from perennial.kinds.base import KindBase, cascade_problems, known_label, label_problems
from perennial.kinds.floors import CountedRows, Floor, above_chance, share_of_commonest
from perennial.kinds.gate_problems import metric_problems
from perennial.kinds.protocols import Problem
from perennial.kinds.recognition import columns
from perennial.kinds.recognition.column_choice import ColumnChoice
from perennial.kinds.recognition.sample import FileSample, Given, RecognisedColumns
from perennial.kinds.wording import Wording
from perennial.metrics.prediction import Prediction
from perennial.metrics.sums import MetricSums
from perennial.records.evaluation import Metrics
from perennial.rows import cells
from perennial.rows.expectation import Expected, built_in

NAME = "yes-no"
ENTRY_POINTS = f"""\
[perennial.kinds]
{NAME} = yes_no:KIND

[perennial.decoders]
{NAME} = yes_no:DECODER
"""
WORDS = {"no": False, "yes": True}


class YesNoKind(KindBase):
    """Yes or no to each text: one output, and no label has a column of scores."""

    name = NAME
    contradicts = True
    least_labels = 2
    selection_metric = "accuracy"
    headline_metric = "accuracy"
    metrics = ("accuracy",)
    right_or_wrong = True
    recognised_after = 0
    wording = Wording(
        answer="yes or no to each text",
        wanted="a text and a yes or no",
        missing="neither yes nor no",
        baseline="always the commoner answer",
        offered_gate="{metric: accuracy, min: 0.9}    # nine of ten",
    )

    def column_types(self) -> dict[str, pa.DataType]:
        return {"text": pa.string(), "label": pa.bool_()}

    def canonical(self, batch: Any, columns: Any) -> dict[str, pa.Array]:
        labels = [WORDS.get(str(cell).strip().lower()) for cell in batch.columns[columns.label]]
        return {"text": cells.text_array(batch, columns.text), "label": pa.array(labels, pa.bool_())}

    def spec_problems(self, spec: Any) -> list[Problem]:
        return [*label_problems(self, spec), *metric_problems(self, spec), *cascade_problems(self, spec)]

    def expectations(self, data: Any) -> tuple[Expected, ...]:
        return (built_in("expect_column_values_to_not_be_null", column="label", fault="label is neither yes nor no"),)

    def labels_in(self, targets: pa.Array) -> pa.Array:
        return pa.array([None if target is None else self.target_in_words(target) for target in targets.to_pylist()])

    def label_rows(self, targets: pa.Array) -> tuple[np.ndarray, pa.Array]:
        return np.arange(len(targets)), self.labels_in(targets)

    def labels_answered(self, prediction: Prediction) -> list[str]:
        return [self.target_in_words(prediction["yes"])]

    def encode_targets(self, targets: pa.Array, encoded: Encoded, labels: Sequence[str]) -> pa.Array:
        return targets.cast(pa.float64())

    def labels_learned(self, targets: np.ndarray, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        return np.arange(len(targets)), targets.astype(np.int64)

    def outputs(self, labels: Sequence[str]) -> int:
        return 1

    def output_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        return ("yes",)

    def statistics(self, targets: np.ndarray, labels: Sequence[str], training: Any) -> dict[str, np.ndarray]:
        return {}

    def loss(self, outputs: Any, targets: Any, statistics: Any, training: Any) -> Any:
        import torch.nn.functional as F

        return F.binary_cross_entropy_with_logits(outputs.squeeze(1), targets.to(outputs.dtype))

    def soft_loss(self, outputs: Any, soft: Any, targets: Any, temperature: float) -> Any:
        import torch.nn.functional as F

        wanted = (soft / temperature).sigmoid()
        return F.binary_cross_entropy_with_logits(outputs / temperature, wanted) * temperature**2

    def decoding(
        self, outputs: Outputs, encoded: Encoded, targets: Sequence[Any], labels: Sequence[str], statistics: Any
    ) -> dict[str, Any]:
        return {}

    def collapsed(self, predictions: Sequence[Prediction]) -> str | None:
        answers = {prediction["yes"] for prediction in predictions}
        return self.target_in_words(answers.pop()) if len(answers) == 1 else None

    def same_answer(self, one: Prediction, other: Prediction) -> bool:
        return bool(one["yes"] == other["yes"])

    def meets(self, expect: Any, marks: Any, prediction: Prediction) -> bool:
        return bool(prediction["yes"] == expect)

    def shift(self, before: Prediction, after: Prediction) -> float:
        return float(abs(before["score"] - after["score"]))

    def measure(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> Metrics:
        right = [self.right(*row) for row in zip(targets, predictions, strict=True)]
        return Metrics(n=len(right), values={"accuracy": sum(right) / len(right)} if right else {})

    def metric_sums(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[MetricSums, ...]:
        right = [self.right(*row) for row in zip(targets, predictions, strict=True)]
        return (
            MetricSums(
                names=(("accuracy", None),),
                rows=np.stack([np.array(right, float), np.ones(len(right))], axis=1),
                figures=lambda sums: sums[:, :1] / sums[:, 1:],
                right=np.array([[1.0, 1.0]]),
                wrong=np.array([[0.0, 1.0]]),
                counted_in=(1,),
            ),
        )

    def right(self, target: Any, prediction: Prediction) -> bool:
        return bool(prediction["yes"] == target)

    def baselines(self, train: pa.Table, test: pa.Table, labels: Sequence[str]) -> dict[str, list[Prediction]]:
        (commoner, _), *_ = Counter(train["label"].to_pylist()).most_common(1)
        return {"commoner": [{"yes": commoner, "score": float(commoner)}] * test.num_rows}

    def doubts(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> list[Any]:
        return []

    def target_in_words(self, target: Any) -> str:
        return "yes" if target else "no"

    def target_of_words(self, words: str, labels: Sequence[str]) -> Any:
        return WORDS[known_label(words, tuple(WORDS))]

    def recognise(self, sample: FileSample, given: Given, *, forced: bool) -> RecognisedColumns | None:
        fit = [column.name for column in sample.columns if _is_yes_no(sample.cells[column.name])]
        if not fit and not forced:
            return None
        text = columns.text(sample.columns, given.text)
        label = given.label or fit[0]
        reason = f"{label!r} says yes or no"
        return RecognisedColumns(
            reason=reason, columns={"text": text, "label": ColumnChoice(column=label, reason=reason)}
        )

    def floor(self, counted: CountedRows) -> Floor:
        chance = share_of_commonest(counted.rows_per_label)
        return Floor(metric="accuracy", value=above_chance(chance), basis=f"the commoner answer reaches {chance:.2f}")


class YesNo(TextDecoder):
    """A text in, {"yes", "score" (the probability of yes)} out."""

    def decode(self, outputs: Outputs, encoded: Encoded, reading: Reading) -> list[dict[str, Any]]:
        scores = [float(sigmoid(output)[0]) for output in outputs]
        return [{"yes": score >= 0.5, "score": score} for score in scores]

    def in_words(self, answer: Mapping[str, Any]) -> str:
        return f"{'yes' if answer['yes'] else 'no'}  {answer['score']:.3f}"


def _is_yes_no(values: Sequence[object]) -> bool:
    return {str(value).strip().lower() for value in values} == set(WORDS)


KIND = YesNoKind()
DECODER = YesNo()
