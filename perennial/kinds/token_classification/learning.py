"""How where spans are is learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from perennial.inference import spans
from perennial.inference.decoders import Encoded, Outputs
from perennial.inference.words import stretches, touched
from perennial.kinds.base import KindBase
from perennial.kinds.loss_parts import balance, soft_divergence

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch

    from perennial.inference.decoders.token_classification import Layout
    from perennial.settings.training import TrainingSpec

NOT_LEARNED = -100
"""The target of a token that is not the first of a word."""


class SpanLearning(KindBase):
    """How where spans are is learned."""

    selection_metric = "f1"

    def encode_targets(self, targets: pa.Array, encoded: Encoded, labels: Sequence[str]) -> pa.Array:
        import numpy as np
        import pyarrow as pa

        answers = _answers(targets, encoded.layout, labels)
        sizes = np.array([len(ids) for ids in encoded.segments], dtype=np.int64)
        learned = np.full(int(sizes.sum()), NOT_LEARNED, np.int64)
        firsts = encoded.layout.sight.firsts
        learned[firsts.token] = answers[firsts.word]
        return pa.ListArray.from_arrays(np.append(0, np.cumsum(sizes)).astype(np.int32), learned)

    def labels_learned(self, targets: np.ndarray, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        places = (targets >= spans.begin(0)).nonzero()[0]
        return places, (targets[places] - spans.begin(0)) // 2

    def outputs(self, labels: Sequence[str]) -> int:
        return spans.output_count(labels)

    def output_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        return ("outside", *(f"{which} {label}" for label in labels for which in ("begin", "inside")))

    def statistics(self, targets: np.ndarray, labels: Sequence[str], training: TrainingSpec) -> dict[str, np.ndarray]:
        return balance(targets[targets != NOT_LEARNED], self.outputs(labels), training)

    def loss(
        self,
        outputs: torch.Tensor,
        targets: torch.Tensor,
        statistics: Mapping[str, torch.Tensor],
        training: TrainingSpec,
    ) -> torch.Tensor:
        import torch.nn.functional as F

        weights = statistics.get("weights")
        wanted = targets.flatten()
        total = F.cross_entropy(
            outputs.flatten(0, 1),
            wanted,
            weight=weights,
            ignore_index=NOT_LEARNED,
            label_smoothing=training.label_smoothing,
            reduction="sum",
        )
        # The mean by hand: of a batch in which no word begins, torch's would be no number.
        learned = (wanted != NOT_LEARNED).to(total.dtype)
        counted = learned if weights is None else learned * weights[wanted.clamp(min=0)]
        return total / counted.sum().clamp(min=1e-12)

    def soft_loss(
        self, outputs: torch.Tensor, soft: torch.Tensor, targets: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        # What a model gives for other tokens than the first of a word is never read.
        learned = (targets != NOT_LEARNED).to(outputs.dtype)
        return (soft_divergence(outputs, soft, temperature) * learned).sum() / learned.sum().clamp(min=1)

    def decoding(
        self,
        outputs: Outputs,
        encoded: Encoded,
        targets: Sequence[Any],
        labels: Sequence[str],
        statistics: Mapping[str, np.ndarray],
    ) -> dict[str, Any]:
        import numpy as np
        import pyarrow as pa

        from perennial.metrics import temperature

        right = _answers(pa.array(targets, self.column_types()[self.target_column]), encoded.layout, labels)
        source = encoded.layout.sight.best
        logits = np.concatenate([np.empty((0, self.outputs(labels))), *outputs])
        return temperature.of_one(logits[source[source >= 0]], right[source >= 0]).decoding()


def _answers(targets: pa.Array, layout: Layout, labels: Sequence[str]) -> np.ndarray:
    """The right output for each word of `layout`."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    given = targets.flatten()
    begun = np.repeat(layout.first, pc.fill_null(pc.list_value_length(targets), 0).to_numpy(zero_copy_only=False))
    starts, ends = (given.field(name).to_numpy(zero_copy_only=False) + begun for name in ("start", "end"))
    number = pc.index_in(given.field("label"), pa.array(labels, pa.string())).to_numpy(zero_copy_only=False)
    begins, goes_on = spans.begin(number), spans.begin(number) + 1
    first, behind = touched(layout.words, starts, ends)
    answers = np.full(len(layout.words), spans.OUTSIDE)
    answers[stretches(first, behind)] = np.repeat(goes_on, np.maximum(behind - first, 0))
    # Last, so that a word which two spans touch begins the later one. A word in one piece with the word before is seen
    # there only.
    seen_at = np.maximum.accumulate(np.where(layout.sight.joined, 0, np.arange(len(answers))))
    answers[seen_at[first[first < behind]]] = begins[first < behind]
    return answers
