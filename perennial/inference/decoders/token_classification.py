"""Spans in a text: each word is given a tag, and no sequence of tags is illegal."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perennial.inference import spans
from perennial.inference.decoders.base import Columns, Encoded, Input, Outputs, Reading
from perennial.inference.decoders.json_schema import SHARE, TEXT, array, obj
from perennial.inference.tokenization import Tokenizer
from perennial.inference.word_pieces import Sight, sight
from perennial.inference.words import touched, words_in


@dataclass(frozen=True)
class Layout:
    """Rows, and where the model sees them. Characters, words, units and tokens are counted through all rows."""

    texts: list[str]
    came_as_tokens: list[bool]
    """For each row."""
    first: np.ndarray
    """Of each row, the first character."""
    words: np.ndarray
    """Words × 2: first character and the one after the last."""
    sight: Sight
    units: np.ndarray
    """Units × 2, likewise: what spans are made of, the words of a text or the tokens that a row came as."""
    unit_words: np.ndarray
    """The word that decides for each unit; -1: there is none in it."""

    @property
    def bounds(self) -> np.ndarray:
        """Of each row, the first unit; then the number of units."""
        return np.append(np.searchsorted(self.units[:, 0], self.first, "left"), len(self.units))

    @property
    def source(self) -> np.ndarray:
        """For each unit, the token whose output answers for it; -1: none does."""
        words: np.ndarray = np.append(self.sight.best, -1)[self.unit_words]
        return words

    @property
    def follows(self) -> np.ndarray:
        """Whether each unit shares a piece with the unit before, and so goes on with what that one is."""
        joins: np.ndarray = np.append(self.sight.joined, False)[self.unit_words]
        return joins


class TokenClassification:
    """A text, or a list of tokens, in; {"spans": [{start, end, label, text, score}, …]} out, characters into `text`.

    A row of tokens also gets "text" (the tokens, a space between them) and "tags", BIO2, one a token.
    """

    per_token = True
    columns = (("tokens",), ("text",))

    def inputs(self, columns: Columns) -> list[Input]:
        nothing = [None] * len(next(iter(columns.values())))
        texts, tokens = columns.get("text", nothing), columns.get("tokens", nothing)
        return [text or "" if words is None else list(words) for text, words in zip(texts, tokens, strict=True)]

    def encode(self, inputs: Sequence[Input], tokenizer: Tokenizer) -> Encoded:
        texts = [row if isinstance(row, str) else _joined(row) for row in inputs]
        words, first = words_in(texts)
        parts = tokenizer.windows(texts)
        windows = [window for row in parts for window in row]
        word_sight = sight(words, windows, np.repeat(first, [len(row) for row in parts]), tokenizer.unknown_id)
        came_as_tokens = [not isinstance(row, str) for row in inputs]
        units = _units(inputs, came_as_tokens, words, first)
        layout = Layout(texts, came_as_tokens, first, words, word_sight, units, _words_in_units(units, words))
        row_of = np.repeat(np.arange(len(parts)), [len(row) for row in parts])
        return Encoded([window.ids for window in windows], 0, layout, row_of)

    def decode(self, outputs: Outputs, encoded: Encoded, reading: Reading) -> list[dict[str, Any]]:
        layout: Layout = encoded.layout
        free = ~layout.follows
        scores = _log_probabilities(outputs, layout.source[free], spans.output_count(reading.labels))
        tags = spans.likeliest(scores, np.diff(np.append(0, np.cumsum(free))[layout.bounds]))
        answers: list[dict[str, Any]] = [{"spans": []} for _ in layout.texts]
        sure = _tempered(scores, reading.decoding.get("temperature", 1.0))
        for row, span in _spans(tags, sure, layout, reading.labels):
            answers[row]["spans"].append(span)
        for row, tags_of_row in _tags(tags, layout, reading.labels):
            answers[row] |= {"text": layout.texts[row], "tags": tags_of_row}
        return answers

    def details(self, outputs: Outputs, encoded: Encoded, reading: Reading) -> list[dict[str, np.ndarray]]:
        """`words` (words × 2, int64): first character and the one after the last, of those that the model tells apart.
        `scores` (words × labels + 1, float32): outside all spans, and inside one of each label.
        """
        layout: Layout = encoded.layout
        counted = ~layout.follows & (layout.source >= 0)
        scores = _log_probabilities(outputs, layout.source[counted], spans.output_count(reading.labels))
        shares = np.exp(_tempered(scores, reading.decoding.get("temperature", 1.0)))
        inside = shares[:, 1::2] + shares[:, 2::2]
        by_word = np.concatenate([shares[:, : spans.OUTSIDE + 1], inside], axis=1).astype(np.float32)
        ends = np.append(0, np.cumsum(counted))[layout.bounds]
        rows = np.repeat(np.arange(len(layout.texts)), np.diff(ends))
        positions = layout.units[counted] - layout.first[rows, None]
        cuts = itertools.pairwise(ends.tolist())
        return [{"words": positions[start:end], "scores": by_word[start:end]} for start, end in cuts]

    def answer_schema(self, labels: Sequence[str]) -> dict[str, Any]:
        offset = {"type": "integer", "minimum": 0}
        span = {"start": offset, "end": offset, "label": {"enum": list(labels)}, "text": TEXT, "score": SHARE}
        return obj({"spans": array(obj(span)), "text": TEXT, "tags": array(TEXT)}, "text", "tags")

    def in_words(self, answer: Mapping[str, Any]) -> str:
        return ""

    def marked(self, answer: Mapping[str, Any]) -> list[tuple[int, int, str]]:
        return [(span["start"], span["end"], span["label"]) for span in answer["spans"]]


def _joined(tokens: Input) -> str:
    if not isinstance(tokens, list | tuple):
        raise TypeError(f"expected a text or a list of tokens, got {type(tokens).__name__}")
    wrong = next((token for token in tokens if not isinstance(token, str)), None)
    if wrong is not None:
        raise TypeError(f"expected tokens of type str, got {type(wrong).__name__}")
    return " ".join(tokens)


def _units(inputs: Sequence[Input], came_as_tokens: Sequence[bool], words: np.ndarray, first: np.ndarray) -> np.ndarray:
    if not any(came_as_tokens):
        return words
    rows = np.searchsorted(first, words[:, 0], "right") - 1
    of_texts = words[~np.array(came_as_tokens)[rows]]
    of_tokens = _tokens([() if isinstance(row, str) else row for row in inputs], first)
    both = np.concatenate([of_texts, of_tokens])
    return both[np.argsort(both[:, 0], kind="stable")]


def _tokens(rows: Sequence[Sequence[str]], first: np.ndarray) -> np.ndarray:
    """Where the tokens of all rows lie (tokens × 2), a space between those of a row."""
    counts = np.array([len(row) for row in rows])
    lengths = np.array([len(token) for row in rows for token in row], dtype=np.int64)
    behind = np.append(0, np.cumsum(lengths + 1))
    starts = behind[:-1] + np.repeat(first - behind[np.cumsum(counts) - counts], counts)
    return np.stack([starts, starts + lengths], axis=1)


def _words_in_units(units: np.ndarray, words: np.ndarray) -> np.ndarray:
    """The first word in each unit, or -1."""
    first, behind = touched(words, units[:, 0], units[:, 1])
    return np.where(first < behind, first, -1)


def _log_probabilities(outputs: Outputs, source: np.ndarray, width: int) -> np.ndarray:
    """Units × outputs (float64); a unit that no token stands for is surely outside."""
    scores = np.full((len(source), width), -np.inf)
    scores[:, spans.OUTSIDE] = 0
    there = source >= 0
    if there.any():
        logits = np.concatenate(outputs)[source[there]].astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        scores[there] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return scores


def _tempered(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Log probabilities as they are where the outputs are divided by `temperature`: the likeliest stays the same."""
    if temperature == 1:
        return scores
    scaled = scores / temperature
    tempered: np.ndarray = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return tempered


def _spans(
    tags: np.ndarray, scores: np.ndarray, layout: Layout, labels: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each span with its row. `tags` and `scores` are of the units that do not follow."""
    begins = np.flatnonzero(tags % 2 == 1)
    others = np.append(np.flatnonzero((tags % 2 == 1) | (tags == spans.OUTSIDE)), len(tags))
    ends = others[np.searchsorted(others, begins, "right")]
    sure = np.append(np.exp(scores[np.arange(len(tags)), tags]), 0)
    sums = np.add.reduceat(sure, np.stack([begins, ends], axis=1).ravel())[::2] if len(begins) else sure[:0]
    # Units that follow the last one are the span's as well.
    number = np.append(np.flatnonzero(~layout.follows), len(layout.units))
    first, last = number[begins], number[ends] - 1
    rows = np.searchsorted(layout.bounds, first, "right") - 1
    starts = layout.units[first, 0] - layout.first[rows]
    stops = layout.units[last, 1] - layout.first[rows]
    for row, start, end, label, score in zip(
        *(rows.tolist(), starts.tolist(), stops.tolist(), (tags[begins] // 2).tolist()),
        (sums / (ends - begins)).tolist(),
        strict=True,
    ):
        text = layout.texts[row][start:end]
        yield row, {"start": start, "end": end, "label": labels[label], "text": text, "score": score}


def _tags(tags: np.ndarray, layout: Layout, labels: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """The tags, one a token, of each row that came as tokens, with its number."""
    rows = np.flatnonzero(layout.came_as_tokens).tolist()
    if not rows:
        return
    follows = layout.follows
    all_tags = np.append(tags, spans.OUTSIDE)[np.cumsum(~follows) - 1]
    # What follows a label's begin goes on with it.
    all_tags[follows & (all_tags % 2 == 1)] += 1
    names = np.array(["O", *(f"{prefix}-{label}" for label in labels for prefix in "BI")], dtype=object)
    tag_names = names[all_tags].tolist()
    bounds = layout.bounds.tolist()
    for row in rows:
        yield row, tag_names[bounds[row] : bounds[row + 1]]


DECODER = TokenClassification()
