"""Spans in a text: entities, or whatever else is found inside."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from perennial import progress
from perennial.artifacts import Metrics
from perennial.evaluation.gate_problems import metric_problems
from perennial.inference import spans
from perennial.inference.decoders import Encoded, Outputs
from perennial.inference.words import is_unicode, joined, stretches, touched
from perennial.kinds.base import Prediction, Problem, cascade_problems, known_label, label_problems
from perennial.kinds.text_classification import TextClassification, balance, divergence

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch

    from perennial.data.expected import Expected
    from perennial.data.sources.base import Batch
    from perennial.evaluation.edits import Edit
    from perennial.evaluation.label_errors import Doubt
    from perennial.evaluation.tallies import Tallies
    from perennial.inference.decoders.token_classification import Layout
    from perennial.spec import ColumnsSpec, DataSpec, PipelineSpec, TrainingSpec
    from perennial.spec_behaviours import ExpectSpec

MARKED = re.compile(r"\[([^\[\]]+)\]\(([^()]+)\)")
"""A span in a behavioural test's text: [Acme Corp](ORG)."""
SPANS_FORM = '[{"start": 0, "end": 9, "label": "ORG"}]'
FAULT = "fault"
UNKNOWN = "unknown_label"
NOT_LEARNED = -100
"""The target of a token that is not the first of a word."""

DIFFERENT_NUMBERS = "tokens and tags differ in number"
NO_TOKENS = "there are no tokens"
NO_STRINGS = "tokens or tags are no list of strings"
BLANK_TOKEN = "a token is blank"  # noqa: S105 - a fault
NO_UNICODE = "a token or tag holds half a surrogate pair, which is no Unicode"
UNKNOWN_SCHEME = f"a tag is of no known scheme; known are {spans.legal()}"
NO_SPANS = "spans are no list of objects with start, end and label"
OUTSIDE_TEXT = "a span is empty or passes the end of the text"
OVERLAPPING = "spans overlap"
FAULTS = (
    *(DIFFERENT_NUMBERS, NO_TOKENS, NO_STRINGS, NO_UNICODE, BLANK_TOKEN, UNKNOWN_SCHEME),
    *(NO_SPANS, OUTSIDE_TEXT, OVERLAPPING),
)


class _FaultError(ValueError):
    """A row that can't be learned from; its message is one of FAULTS."""


class TokenClassification(TextClassification):
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

    def column_types(self) -> dict[str, pa.DataType]:
        import pyarrow as pa

        span = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())])
        return {"text": pa.string(), "tokens": pa.list_(pa.string()), "spans": pa.list_(span), FAULT: pa.string()}

    def sources(self, columns: ColumnsSpec) -> tuple[str, ...]:
        return (columns.tokens, columns.tags) if columns.tokens else (columns.text, columns.spans)

    def canonical(self, batch: Batch, columns: ColumnsSpec) -> dict[str, pa.Array]:
        import pyarrow as pa

        from perennial.data import cells

        texts: Sequence[str | None]
        if columns.tokens:
            pairs = zip(batch.columns[columns.tokens], batch.columns[columns.tags], strict=True)
            schemes: set[str] = set()
            rows = [
                _from_tokens(_split(cells.nested(tokens)), _split(cells.nested(tags)), schemes)
                for tokens, tags in pairs
            ]
            for scheme in sorted(schemes):
                progress.note(f"Tags in {scheme} were read as spans; Perennial itself writes BIO2.")
        else:
            texts = cells.texts(batch, columns.text)
            given = (cells.nested(value) for value in batch.columns[columns.spans])
            rows = [_from_spans(text, value) for text, value in zip(texts, given, strict=True)]
        by_column = zip(*rows, strict=True) if rows else ((), (), (), ())
        types = self.column_types()
        return {name: pa.array(values, types[name]) for name, values in zip(types, map(list, by_column), strict=True)}

    def derived(self, rows: pa.Table, labels: Sequence[str]) -> dict[str, pa.Array]:
        import pyarrow as pa

        known = set(labels)
        unknown = [
            next((span["label"] for span in row or () if span["label"] not in known), None)
            for row in rows["spans"].to_pylist()
        ]
        return {UNKNOWN: pa.array(unknown, pa.string())}

    def spec_problems(self, spec: PipelineSpec) -> list[Problem]:
        problems = [*label_problems(self, spec, 1), *metric_problems(self, spec), *cascade_problems(self, spec)]
        if spec.model.pooling != "auto":
            what = f"{spec.model.pooling!r} makes one vector of a text; {self.name} answers each word: leave it out"
            problems.append((("model", "pooling"), what))
        return problems

    def expectations(self, data: DataSpec) -> tuple[Expected, ...]:
        from perennial.data.expected import built_in
        from perennial.errors import listing

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

        from perennial.evaluation import temperature

        right = _answers(pa.array(targets, self.column_types()[self.target_column]), encoded.layout, labels)
        source = encoded.layout.sight.best
        logits = np.concatenate([np.empty((0, self.outputs(labels))), *outputs])
        return temperature.of_one(logits[source[source >= 0]], right[source >= 0]).decoding()

    def collapsed(self, predictions: Sequence[Prediction]) -> str | None:
        return "no span" if predictions and not any(prediction["spans"] for prediction in predictions) else None

    def same_answer(self, one: Prediction, other: Prediction) -> bool:
        return _tuples(one["spans"]) == _tuples(other["spans"])

    def measure(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> Metrics:
        from perennial.evaluation import entities

        found = [_tuples(prediction["spans"]) for prediction in predictions]
        return entities.measure([_tuples(target) for target in targets], found, labels)

    def tallies(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[Tallies, ...]:
        from perennial.evaluation import tallies

        found = [_tuples(prediction["spans"]) for prediction in predictions]
        return tallies.spans([_tuples(target) for target in targets], found, labels)

    def right(self, target: Any, prediction: Prediction) -> bool | None:
        return _tuples(target) == _tuples(prediction["spans"])

    def sureness(self, prediction: Prediction) -> float:
        # No span is the surest answer there is.
        return min((float(span["score"]) for span in prediction["spans"]), default=1.0)

    def scored(self, targets: Sequence[Any], predictions: Sequence[Prediction]) -> tuple[list[float], list[bool]]:
        pairs = [
            (float(span["score"]), place in target)
            for target, prediction in zip(map(set, map(_tuples, targets)), predictions, strict=True)
            for span, place in zip(prediction["spans"], _tuples(prediction["spans"]), strict=True)
        ]
        return [score for score, _ in pairs], [found for _, found in pairs]

    def unmarked(self, texts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[spans.Span, ...]]:
        (text,), bare, marks, done = texts, "", [], 0
        for found in MARKED.finditer(text):
            bare += text[done : found.start()]
            marks.append((len(bare), len(bare) + len(found[1]), found[2]))
            bare, done = bare + found[1], found.end()
        return (bare + text[done:],), tuple(marks)

    def meets(self, expect: ExpectSpec, marks: Sequence[spans.Span], prediction: Prediction) -> bool:
        return _tuples(prediction["spans"]) == list(marks)

    def moved(self, prediction: Prediction, edits: Sequence[Edit]) -> Prediction:
        from perennial.evaluation.edits import moved_end, moved_start

        there = [
            {**span, "start": moved_start(edits, span["start"]), "end": moved_end(edits, span["end"])}
            for span in prediction["spans"]
        ]
        return {"spans": there}

    def shift(self, before: Prediction, after: Prediction) -> float:
        first, then = (
            dict(zip(_tuples(answer["spans"]), (span["score"] for span in answer["spans"]), strict=True))
            for answer in (before, after)
        )
        # A span that one answer lacks had no score there; two answers without any have not moved.
        moves = [abs(first.get(span, 0.0) - then.get(span, 0.0)) for span in {**first, **then}]
        return float(sum(moves) / max(len(moves), 1))

    def doubts(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> list[Doubt]:
        from perennial.evaluation import label_errors

        return label_errors.of_words([_tuples(target) for target in targets], predictions, labels)

    def target_in_words(self, target: Any) -> str:
        return json.dumps(_plain(target), ensure_ascii=False)

    def target_of_words(self, words: str, labels: Sequence[str]) -> Any:
        _, found = _meant(words)
        for span in found:
            known_label(span["label"], labels)
        return found

    def beside_text(self, words: str, texts: Sequence[str]) -> str:
        from perennial.data import quarantine

        (text,) = texts
        shown = _marked(text, json.loads(words))
        # What a spreadsheet can't hold as it is would not come back as it was.
        held = len(shown) <= quarantine.MAX_CELL and text == text.strip() and not {"\x00", "\r"} & set(text)
        return shown if held and _meant(shown) == (text, json.loads(words)) else words

    def misfit(self, words: str, text: str | None) -> str | None:
        quoted, found = _meant(words)
        if quoted not in {None, text}:
            return f"without [ ](LABEL) its text is not the row's; leave the text as it is, or write {SPANS_FORM}"
        try:
            _checked(text or "", found)
        except _FaultError as error:
            return str(error)
        return None

    def without_text(self, prediction: Prediction) -> Prediction:
        return {"spans": [{name: span[name] for name in span if name != "text"} for span in prediction["spans"]]}

    def shared(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[list[Any], list[Prediction]]:
        kept = set(labels)

        def about(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
            return [span for span in found if span["label"] in kept]

        return [about(target) for target in targets], [{"spans": about(answer["spans"])} for answer in predictions]

    def baselines(self, train: pa.Table, test: pa.Table, labels: Sequence[str]) -> dict[str, list[Prediction]]:
        from perennial.evaluation import lexicon

        known = lexicon.learn(train["text"].to_pylist(), [_tuples(row) for row in train["spans"].to_pylist()])
        return {"lexicon": [{"spans": found} for found in lexicon.find(known, test["text"].to_pylist())]}


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


def _meant(words: str) -> tuple[str | None, list[dict[str, Any]]]:
    """The text that a correction quotes (None: it is a JSON list, which quotes none), and its spans.

    Raises ValueError for a JSON list of something else.
    """
    if words.startswith(("[{", "[]")):
        try:
            given = json.loads(words)
        except ValueError:
            given = None
        if isinstance(given, list) and all(map(_is_span, given)):
            return None, _plain(given)
        raise ValueError(f"{words[:60]!r} is no list of spans, such as {SPANS_FORM}")
    (text,), marks = KIND.unmarked((words,))
    return text, [{"start": start, "end": end, "label": label} for start, end, label in marks]


def _marked(text: str, found: Sequence[Mapping[str, Any]]) -> str:
    """`text` with its spans marked, as in [Acme Corp](ORG)."""
    shown, done = "", 0
    for start, end, label in _tuples(found):
        shown += f"{text[done:start]}[{text[start:end]}]({label})"
        done = end
    return shown + text[done:]


Row = tuple[str | None, list[str] | None, list[dict[str, Any]], str | None]
"""text, tokens, spans and fault."""


def _from_tokens(tokens: object, tags: object, schemes: set[str]) -> Row:
    try:
        return _tagged(tokens, tags, schemes)
    except _FaultError as error:
        return _shown(tokens), None, [], str(error)


def _shown(tokens: object) -> str:
    """What stands in the text of a faulty row: something must, or the row would be faulted for that as well."""
    text = joined(tokens)[0] if _is_strings(tokens) else ""
    return (text if text.strip() else repr(tokens)[:200]).encode(errors="replace").decode()


def _tagged(tokens: object, tags: object, schemes: set[str]) -> Row:
    if not _is_strings(tokens) or not _is_strings(tags):
        raise _FaultError(NO_STRINGS)
    if not tokens:
        raise _FaultError(NO_TOKENS)
    if not is_unicode("".join((*tokens, *tags))):
        raise _FaultError(NO_UNICODE)
    if len(tokens) != len(tags):
        raise _FaultError(DIFFERENT_NUMBERS)
    if not all(token.strip() for token in tokens):
        raise _FaultError(BLANK_TOKEN)
    try:
        found, scheme = spans.of_tags(tags), spans.scheme(tags)
    except ValueError:
        raise _FaultError(UNKNOWN_SCHEME) from None
    if scheme:
        schemes.add(scheme)
    text, places = joined(tokens)
    # To the end of the span's last token.
    targets = [{"start": places[start][0], "end": places[end - 1][1], "label": label} for start, end, label in found]
    return text, list(tokens), targets, None


def _from_spans(text: str | None, value: object) -> Row:
    try:
        return text, None, _checked(text or "", value), None
    except _FaultError as error:
        return text, None, [], str(error)


def _checked(text: str, value: object) -> list[dict[str, Any]]:
    given = [] if value is None else value
    if not isinstance(given, list | tuple) or not all(map(_is_span, given)):
        raise _FaultError(NO_SPANS)
    ordered = sorted(
        ({name: span[name] for name in ("start", "end", "label")} for span in given), key=lambda span: span["start"]
    )
    if any(not 0 <= span["start"] < span["end"] <= len(text) for span in ordered):
        raise _FaultError(OUTSIDE_TEXT)
    if any(one["end"] > other["start"] for one, other in itertools.pairwise(ordered)):
        raise _FaultError(OVERLAPPING)
    return ordered


def _is_span(value: object) -> bool:
    if not isinstance(value, Mapping) or any(type(value.get(name)) is not int for name in ("start", "end")):
        return False
    label = value.get("label")
    return isinstance(label, str) and bool(label) and is_unicode(label)


def _split(value: object) -> object:
    return value.split() if isinstance(value, str) else value


def _is_strings(value: object) -> TypeGuard[Sequence[str]]:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def _plain(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"start": start, "end": end, "label": label} for start, end, label in _tuples(found)]


def _tuples(found: Sequence[Mapping[str, Any]]) -> list[spans.Span]:
    return [(span["start"], span["end"], span["label"]) for span in found]


KIND = TokenClassification()
