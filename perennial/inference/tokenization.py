"""From texts to token ids: the one way, used when a model is trained, judged and served."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from perennial.core import model_families
from perennial.core.errors import PackageError
from perennial.inference import chunks
from perennial.inference.chunks import Chunks

# Most texts hold a token in fewer characters than this, so that the first cut of a long text is nearly always enough.
CHARACTERS_PER_TOKEN = 16
# Tokens that must lie between the last one kept and a cut. What a cut can change are the tokens that touch it, such as
# an added token with a space inside; none is that long.
MARGIN_TOKENS = 64
# Where a text may be cut: no token reaches over such a place. (Cut behind white space, and some tokenizers would read
# that white space differently.)
AT_SPACES = re.compile(r"(?<=\S) ")
AT_SPACES_AND_IDEOGRAPHS = re.compile("(?<=\\S)[ \t\n\r\u4e00-\u9fff]")
# Every tokenizer knows some of it.
PROBE = "a A 0 . 中 и ا"
ID_BYTES = 4


_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Window:
    """A stretch of a text as token ids."""

    ids: np.ndarray
    """int32."""
    offsets: np.ndarray
    """Tokens × 2, int64: first character of the text and the one after the last; -1 for special tokens."""
    first: int
    """Tokens of the text before this window's first one, special tokens left out."""


class Tokenizer:
    """A tokenizer.json whose rows end after `max_length` tokens, special ones included. Safe to share by threads."""

    def __init__(self, file: Path, max_length: int, reader: type[Chunks] = Chunks) -> None:
        """`reader`: reads texts by their chunks, where this tokenizer allows it. Raises PackageError if `file` is no
        tokenizer.json."""
        from tokenizers import Tokenizer as Backend

        try:
            self._content = file.read_text(encoding="utf-8")
            settings = json.loads(self._content)
            self._backend = Backend.from_str(self._content)
        except Exception as error:  # the backend raises bare Exception
            raise PackageError(
                f"{file} is no tokenizer that the tokenizers library can read ({type(error).__name__}).",
                remedy="It must be the tokenizer.json of a fast tokenizer; export the model again.",
            ) from error
        self._backend.no_padding()
        self._backend.enable_truncation(max_length)
        self.max_length = max_length
        self.pad_id = _pad_id(settings)
        self.unknown_id = _unknown_id(settings)
        self._cut_pattern = _cut_pattern(settings)
        # A row whose rest fills this many rows more is known to go on at least MARGIN_TOKENS beyond the row's end.
        self._special = self._backend.num_special_tokens_to_add(False)
        kept = max(1, max_length - self._special)
        self._sure_rests = 1 + -(-MARGIN_TOKENS // kept)
        self._reader = reader
        self._by_chunks = chunks.can_be_used(settings) and max_length > self._special

    def encode(self, texts: Sequence[str]) -> tuple[list[np.ndarray], int]:
        """The token ids of each text (int32, at most max_length), in order, and how many texts lost their ends.

        A long text is cut before it is tokenized, at a space so far behind its last kept token that the ids are those
        of the whole text: tokenizing ten megabytes to keep 128 tokens would be waste. Any string will do: empty, with
        NUL, with half of a surrogate pair (read as U+FFFD).
        """
        ids, cut = self._beginnings(texts, special=True)
        return ids, sum(cut)

    def encode_pairs(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[np.ndarray], int]:
        """The token ids of both texts of each pair together (int32, at most max_length), and how many lost an end.

        The longer text is cut first, down to the length of the shorter one, then both: what the tokenizers library
        calls longest_first. Raises TypeError if a row is no pair of texts.
        """
        ids, cut = self._beginnings([text for pair in pairs for text in _pair(pair)], special=False)
        # Joined here: the library would also join every rest of one text with every rest of the other.
        head, middle, tail = self._around_pairs
        room = max(0, self.max_length - len(head) - len(middle) - len(tail))
        joined, truncated = [], 0
        lengths = [len(text) + goes_on for text, goes_on in zip(ids, cut, strict=True)]
        for index in range(0, len(ids), 2):
            one, other = lengths[index : index + 2]
            kept, kept_too = _longest_first(one, other, room)
            joined.append(np.concatenate([head, ids[index][:kept], middle, ids[index + 1][:kept_too], tail]))
            truncated += kept + kept_too < one + other
        return joined, truncated

    def _beginnings(self, texts: Sequence[str], *, special: bool) -> tuple[list[np.ndarray], list[bool]]:
        """The first max_length token ids of each text, with or without `special` tokens, and whether it goes on."""
        readable = [_readable(text) for text in texts]
        limit = CHARACTERS_PER_TOKEN * (self.max_length + MARGIN_TOKENS)
        ids: list[np.ndarray] = [np.empty(0, np.int32)] * len(texts)
        goes_on = [False] * len(texts)
        waiting = list(range(len(texts)))
        while waiting:
            cuts = [self._cut(readable[row], limit) for row in waiting]
            read = self._read_chunks(cuts, special) if self._by_chunks else self._read(cuts, special)
            unsure = []
            for row, cut, (beginning, rests) in zip(waiting, cuts, read, strict=True):
                if len(cut) < len(readable[row]) and rests < self._sure_rests:
                    unsure.append(row)
                    continue
                ids[row] = beginning
                goes_on[row] = rests > 0
            waiting, limit = unsure, limit * 8
        return ids, goes_on

    def _read(self, texts: list[str], special: bool) -> Iterator[tuple[np.ndarray, int]]:
        """The first max_length token ids of each text, and how many more such rows its rest fills."""
        for encoding in self._backend.encode_batch_fast(texts, add_special_tokens=special):
            rests = len(encoding.overflowing) if len(encoding) >= self.max_length else 0
            yield np.array(encoding.ids, dtype=np.int32), rests

    def _read_chunks(self, texts: list[str], special: bool) -> Iterator[tuple[np.ndarray, int]]:
        """The same, some ten times as fast."""
        before, after = self._around if special else (b"", b"")
        kept = self.max_length - (self._special if special else 0)
        for content in self._chunks.read(texts):
            row = b"".join((before, content[: kept * ID_BYTES], after))
            yield np.frombuffer(row, np.int32), max(0, -(-(len(content) // ID_BYTES - kept) // kept))

    @cached_property
    def _chunks(self) -> Chunks:
        return self._reader(self._another_backend())

    @cached_property
    def _around(self) -> tuple[bytes, bytes]:
        """The special tokens before and behind a text."""
        probe = self._backend.encode(PROBE)
        ids, of_text = np.array(probe.ids, np.int32), np.array([text is not None for text in probe.sequence_ids])
        first, end = int(np.argmax(of_text)), len(ids) - int(np.argmax(of_text[::-1]))
        return ids[:first].tobytes(), ids[end:].tobytes()

    @cached_property
    def _around_pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The special tokens before, between and behind the two texts of a pair."""
        probe = self._backend.encode(PROBE, PROBE)
        ids = np.array(probe.ids, np.int32)
        texts = np.array([-1 if text is None else text for text in probe.sequence_ids])
        second = int(np.argmax(texts == 1))
        last = len(texts) - int(np.argmax(texts[::-1] >= 0))
        first, end = int(np.argmax(texts == 0)), second - int(np.argmax(texts[:second][::-1] == 0))
        return ids[:first], ids[end:second], ids[last:]

    def read_characters(self, texts: Sequence[str]) -> list[int]:
        """How many characters of a text, or of each of the two texts of a pair, `encode` and `encode_pairs` read."""
        readable = [_SURROGATE.sub("\ufffd", _checked(text)) for text in texts]
        ends = [self._token_ends(text) for text in readable]
        if len(texts) == 1:
            kept = [self.max_length - self._special]
        else:
            room = max(0, self.max_length - sum(map(len, self._around_pairs)))
            kept = list(_longest_first(len(ends[0]), len(ends[1]), room))
        return [
            len(text) if many >= len(of_text) else of_text[many - 1] if many > 0 else 0
            for text, of_text, many in zip(readable, ends, kept, strict=True)
        ]

    def _token_ends(self, text: str) -> list[int]:
        """The character behind each of the first tokens of `text`: all of them, or more than are ever read."""
        cut = self._cut(text, CHARACTERS_PER_TOKEN * (self.max_length + MARGIN_TOKENS))
        ends = self._ends_in(cut)
        return ends if len(cut) == len(text) or len(ends) > self.max_length + MARGIN_TOKENS else self._ends_in(text)

    def _ends_in(self, text: str) -> list[int]:
        return [end for _, end in self._unbounded.encode(text, add_special_tokens=False).offsets]

    @cached_property
    def _unbounded(self) -> Any:
        return self._another_backend()

    def windows(self, texts: Sequence[str]) -> list[list[Window]]:
        """Each text as overlapping windows of at most max_length tokens, at least one, so that nothing is lost.

        Neighbours share `stride(max_length)` tokens. Half a surrogate pair is read as U+FFFD, one character for one,
        so that offsets are those of the text as it was given.
        """
        readable = [_SURROGATE.sub("\ufffd", _checked(text)) for text in texts]
        return [_windows(encoding, stride(self.max_length)) for encoding in self._overlapping.encode_batch(readable)]

    @cached_property
    def _overlapping(self) -> Any:
        backend = self._another_backend()
        backend.enable_truncation(self.max_length, stride=stride(self.max_length))
        return backend

    def _another_backend(self) -> Any:
        from tokenizers import Tokenizer as Backend

        backend = Backend.from_str(self._content)
        backend.no_padding()
        backend.no_truncation()
        return backend

    def _cut(self, text: str, limit: int) -> str:
        """`text` up to the last place within `limit` characters where it may be cut; all of it if there is none."""
        if len(text) <= limit or self._cut_pattern is None:
            return text
        fits = self._cut_pattern.match
        return next((text[:index] for index in range(limit, 0, -1) if fits(text, index)), text)


def _pair(row: object) -> tuple[str, str]:
    if not isinstance(row, tuple | list) or len(row) != 2:
        given = f"{len(row)} texts" if isinstance(row, tuple | list) else type(row).__name__
        raise TypeError(f"expected pairs of texts (text, text_pair), got {given}")
    return row[0], row[1]


def _longest_first(one: int, other: int, room: int) -> tuple[int, int]:
    """How much of two texts of these lengths is kept where there is `room` for so many tokens."""
    if one + other <= room:
        return one, other
    half = room // 2
    if min(one, other) > half:
        # The odd token goes to the longer text.
        return (room - half, half) if one > other else (half, room - half)
    return (one, room - one) if one < other else (room - other, other)


def stride(max_length: int) -> int:
    """Tokens that neighbouring windows share: a quarter, so that every token is seen with its neighbours somewhere."""
    return max_length // 4


def _windows(encoding: Any, shared: int) -> list[Window]:
    windows: list[Window] = []
    first = 0
    for part in (encoding, *encoding.overflowing):
        offsets = np.array(part.offsets, dtype=np.int64).reshape(-1, 2)
        special = np.array(part.special_tokens_mask, dtype=bool)
        offsets[special] = -1
        windows.append(Window(np.array(part.ids, dtype=np.int32), offsets, first))
        first += len(offsets) - int(special.sum()) - shared
    return windows


def _checked(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"expected texts of type str, got {type(text).__name__}")
    return text


def _readable(text: str) -> str:
    _checked(text)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _pad_id(settings: dict[str, Any]) -> int:
    """The id of the padding token; 0 if there is none, which does no harm, for padding is masked."""
    if settings.get("padding"):
        return int(settings["padding"]["pad_id"])
    added = {token["content"]: int(token["id"]) for token in settings.get("added_tokens", [])}
    return next((added[name] for name in model_families.padding_tokens() if name in added), 0)


def _unknown_id(settings: dict[str, Any]) -> int | None:
    """The id of the token for what the vocabulary lacks; None if there is none."""
    model = settings.get("model") or {}
    if model.get("unk_id") is not None:
        return int(model["unk_id"])
    vocabulary = model.get("vocab")
    token_id = vocabulary.get(model.get("unk_token")) if isinstance(vocabulary, dict) else None
    return None if token_id is None else int(token_id)


def _cut_pattern(settings: dict[str, Any]) -> re.Pattern[str] | None:
    """Where this tokenizer always splits; None: nowhere for certain, so texts stay whole."""
    splitter = settings.get("pre_tokenizer") or {}
    parts = splitter.get("pretokenizers", [splitter])
    families = tuple(model_families.tokenizer_families())
    if not any(family.splits_at_spaces(part) for part in parts for family in families):
        return None
    normalizer = settings.get("normalizer") or {}
    ideographs_apart = all(normalizer.get(name) for name in model_families.IDEOGRAPHS_APART)
    return AT_SPACES_AND_IDEOGRAPHS if ideographs_apart else AT_SPACES
