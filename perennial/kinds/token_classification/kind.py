"""Spans in a text: entities, or whatever else is found inside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from perennial.core import progress
from perennial.inference import spans
from perennial.inference.decoders import Encoded, Outputs
from perennial.inference.words import stretches, touched
from perennial.kinds.base import Problem, cascade_problems, known_label, label_problems
from perennial.kinds.floors import ABOVE_CHANCE, Floor
from perennial.kinds.gate_problems import metric_problems
from perennial.kinds.text_classification.kind import TextClassificationKind, balance, divergence
from perennial.kinds.token_classification.marked_text import SPANS_FORM, marked, meant_spans, without_marks
from perennial.kinds.token_classification.span_rows import (
    FAULT,
    FAULTS,
    FaultError,
    as_tuples,
    checked_spans,
    plain_spans,
    row_from_spans,
    row_from_tokens,
    split_cell,
)
from perennial.kinds.token_classification.wording import WORDING
from perennial.metrics.prediction import Prediction
from perennial.records.evaluation import Metrics

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch

    from perennial.inference.decoders.token_classification import Layout
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

UNKNOWN = "unknown_label"
NOT_LEARNED = -100
"""The target of a token that is not the first of a word."""


class TokenClassificationKind(TextClassificationKind):
    """Spans of `data.labels` in each text, which do not overlap; there may be none.

    Rows come as `tokens` with `tags`, or as `text` with `spans`.
    """

    name = "token-classification"
    input_columns = ("tokens", "text")
    target_column = "spans"
    selection_metric = "f1"
    headline_metric = "f1"
    metrics = ("f1", "precision", "recall", "macro_f1")
    label_metrics = ("precision", "recall", "f1")
    lower_is_better: frozenset[str] = frozenset()
    not_resampled: frozenset[str] = frozenset()
    expected_forms = ()
    doubts_need_details = True
    cascades = False
    degree_of = None
    least_labels = 1
    takes_any_text = False
    reads_whole = True
    fault_column = FAULT
    wording = WORDING

    def column_types(self) -> dict[str, pa.DataType]:
        import pyarrow as pa

        span = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())])
        return {"text": pa.string(), "tokens": pa.list_(pa.string()), "spans": pa.list_(span), FAULT: pa.string()}

    def sources(self, columns: ColumnsSpec) -> tuple[str, ...]:
        return (columns.tokens, columns.tags) if columns.tokens else (columns.text, columns.spans)

    def canonical(self, batch: Batch, columns: ColumnsSpec) -> dict[str, pa.Array]:
        import pyarrow as pa

        from perennial.rows import cells

        texts: Sequence[str | None]
        if columns.tokens:
            pairs = zip(batch.columns[columns.tokens], batch.columns[columns.tags], strict=True)
            schemes: set[str] = set()
            rows = [
                row_from_tokens(split_cell(cells.nested(tokens)), split_cell(cells.nested(tags)), schemes)
                for tokens, tags in pairs
            ]
            for scheme in sorted(schemes):
                progress.note(f"Tags in {scheme} were read as spans; Perennial itself writes BIO2.")
        else:
            texts = cells.texts(batch, columns.text)
            given = (cells.nested(value) for value in batch.columns[columns.spans])
            rows = [row_from_spans(text, value) for text, value in zip(texts, given, strict=True)]
        by_column = zip(*rows, strict=True) if rows else ((), (), (), ())
        types = self.column_types()
        return {name: pa.array(values, types[name]) for name, values in zip(types, map(list, by_column), strict=True)}

    def derived(self, rows: pa.Table, labels: Sequence[str]) -> dict[str, pa.Array]:
        import pyarrow as pa

        names = set(labels)
        unknown = [
            next((span["label"] for span in row or () if span["label"] not in names), None)
            for row in rows["spans"].to_pylist()
        ]
        return {UNKNOWN: pa.array(unknown, pa.string())}

    def spec_problems(self, spec: PipelineSpec) -> list[Problem]:
        problems = [*label_problems(self, spec), *metric_problems(self, spec), *cascade_problems(self, spec)]
        if spec.model.pooling != "auto":
            what = f"{spec.model.pooling!r} makes one vector of a text; {self.name} answers each word: leave it out"
            problems.append((("model", "pooling"), what))
        return problems

    def expectations(self, data: DataSpec) -> tuple[Expected, ...]:
        from perennial.core.errors import listing
        from perennial.rows.expectation import built_in

        unlike = "expect_column_values_to_not_be_in_set"
        return (
            *(built_in(unlike, column=FAULT, value_set=[fault], fault=fault) for fault in FAULTS),
            built_in(
                "expect_column_values_to_be_null",
                column=UNKNOWN,
                fault=f"a span's label is not one of: {listing(data.labels, 10)}",
            ),
        )

    def labels_in(self, targets: pa.Array) -> pa.Array | None:
        import pyarrow as pa

        rows = targets.to_pylist()
        return pa.array([label for row in rows for label in {span["label"] for span in row or ()}], pa.string())

    def encode_targets(self, targets: pa.Array, encoded: Encoded, labels: Sequence[str]) -> pa.Array:
        import numpy as np
        import pyarrow as pa

        answers = _answers(targets, encoded.layout, labels)
        sizes = np.array([len(ids) for ids in encoded.segments], dtype=np.int64)
        learned = np.full(int(sizes.sum()), NOT_LEARNED, np.int64)
        firsts = encoded.layout.sight.firsts
        learned[firsts.place] = answers[firsts.word]
        return pa.ListArray.from_arrays(np.append(0, np.cumsum(sizes)).astype(np.int32), learned)

    def labels_learned(self, targets: np.ndarray, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        places = (targets >= spans.begin(0)).nonzero()[0]
        return places, (targets[places] - spans.begin(0)) // 2

    def outputs(self, labels: Sequence[str]) -> int:
        return spans.outputs(labels)

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
        return (divergence(outputs, soft, temperature) * learned).sum() / learned.sum().clamp(min=1)

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

    def collapsed(self, predictions: Sequence[Prediction]) -> str | None:
        return "no span" if predictions and not any(prediction["spans"] for prediction in predictions) else None

    def same_answer(self, one: Prediction, other: Prediction) -> bool:
        return as_tuples(one["spans"]) == as_tuples(other["spans"])

    def measure(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> Metrics:
        from perennial.metrics import entities

        predicted = [as_tuples(prediction["spans"]) for prediction in predictions]
        return entities.entity_metrics([as_tuples(target) for target in targets], predicted, labels)

    def tallies(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[MetricSums, ...]:
        from perennial.metrics import sums

        predicted = [as_tuples(prediction["spans"]) for prediction in predictions]
        return sums.span_sums([as_tuples(target) for target in targets], predicted, labels)

    def right(self, target: Any, prediction: Prediction) -> bool | None:
        return as_tuples(target) == as_tuples(prediction["spans"])

    def sureness(self, prediction: Prediction) -> float:
        # No span is the surest answer there is.
        return min((float(span["score"]) for span in prediction["spans"]), default=1.0)

    def scored(self, targets: Sequence[Any], predictions: Sequence[Prediction]) -> tuple[list[float], list[bool]]:
        pairs = [
            (float(span["score"]), place in target)
            for target, prediction in zip(map(set, map(as_tuples, targets)), predictions, strict=True)
            for span, place in zip(prediction["spans"], as_tuples(prediction["spans"]), strict=True)
        ]
        return [score for score, _ in pairs], [span_found for _, span_found in pairs]

    def unmarked(self, texts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[spans.Span, ...]]:
        (text,) = texts
        bare, marks = without_marks(text)
        return (bare,), marks

    def meets(self, expect: ExpectSpec, marks: Sequence[spans.Span], prediction: Prediction) -> bool:
        return as_tuples(prediction["spans"]) == list(marks)

    def moved(self, prediction: Prediction, edits: Sequence[Edit]) -> Prediction:
        from perennial.rows.text_edits import moved_end, moved_start

        there = [
            {**span, "start": moved_start(edits, span["start"]), "end": moved_end(edits, span["end"])}
            for span in prediction["spans"]
        ]
        return {"spans": there}

    def shift(self, before: Prediction, after: Prediction) -> float:
        first, then = (
            dict(zip(as_tuples(answer["spans"]), (span["score"] for span in answer["spans"]), strict=True))
            for answer in (before, after)
        )
        # A span that one answer lacks had no score there; two answers without any have not moved.
        moves = [abs(first.get(span, 0.0) - then.get(span, 0.0)) for span in {**first, **then}]
        return float(sum(moves) / max(len(moves), 1))

    def doubts(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> list[Doubt]:
        from perennial.metrics import label_errors

        return label_errors.of_words([as_tuples(target) for target in targets], predictions, labels)

    def target_in_words(self, target: Any) -> str:
        return json.dumps(plain_spans(target), ensure_ascii=False)

    def target_of_words(self, words: str, labels: Sequence[str]) -> Any:
        _, spans_meant = meant_spans(words)
        for span in spans_meant:
            known_label(span["label"], labels)
        return spans_meant

    def beside_text(self, words: str, texts: Sequence[str]) -> str:
        from perennial.rows import spreadsheet

        (text,) = texts
        shown = marked(text, json.loads(words))
        # What a spreadsheet can't hold as it is would not come back as it was.
        held = len(shown) <= spreadsheet.MAX_CELL and text == text.strip() and not {"\x00", "\r"} & set(text)
        return shown if held and meant_spans(shown) == (text, json.loads(words)) else words

    def misfit(self, words: str, text: str | None) -> str | None:
        quoted, spans_meant = meant_spans(words)
        if quoted not in {None, text}:
            return f"without [ ](LABEL) its text is not the row's; leave the text as it is, or write {SPANS_FORM}"
        try:
            checked_spans(text or "", spans_meant)
        except FaultError as error:
            return str(error)
        return None

    def without_text(self, prediction: Prediction) -> Prediction:
        return {"spans": [{name: span[name] for name in span if name != "text"} for span in prediction["spans"]]}

    def shared(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[list[Any], list[Prediction]]:
        kept = set(labels)

        def about(predicted: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
            return [span for span in predicted if span["label"] in kept]

        return [about(target) for target in targets], [{"spans": about(answer["spans"])} for answer in predictions]

    def floor(self, counted: CountedRows) -> Floor:
        basis = "a span counts if both its ends and its label are right"
        return Floor(metric="f1", value=ABOVE_CHANCE, basis=basis)

    def majority(self, counted: CountedRows) -> float | None:
        return None

    def baselines(self, train: pa.Table, test: pa.Table, labels: Sequence[str]) -> dict[str, list[Prediction]]:
        from perennial.metrics import lexicon

        lexicon_learned = lexicon.learn_lexicon(
            train["text"].to_pylist(), [as_tuples(row) for row in train["spans"].to_pylist()]
        )
        return {
            "lexicon": [{"spans": found} for found in lexicon.find_spans(lexicon_learned, test["text"].to_pylist())]
        }


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


KIND = TokenClassificationKind()
