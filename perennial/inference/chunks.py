"""Token ids of what lies between two spaces, found once: nearly all of a text's words were in texts before it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from typing import Any

from perennial.core.model_families import tokenizer_families

# Some 15 MB. What is not kept is tokenized again.
ROOM = 100_000
# In characters; a longer one is hardly a word that comes again, as in Chinese, where no spaces are written.
LONGEST = 64
# Texts that are split at a time, so that the pieces of many long texts are not in memory at once.
TEXTS = 512


def can_be_used(settings: dict[str, Any]) -> bool:
    """Whether the tokenizer of a tokenizer.json's content reads a text as it would read its chunks one by one.

    True for those of a family that reads word by word, unless an added token reaches over a space.
    """
    parts = [settings.get(part) or {} for part in ("normalizer", "pre_tokenizer", "model")]
    return any(family.reads_word_by_word(*parts) for family in tokenizer_families()) and not any(
        _reaches_out(token) for token in settings.get("added_tokens", [])
    )


def _reaches_out(token: dict[str, Any]) -> bool:
    return " " in token["content"] or any(token.get(name) for name in ("lstrip", "rstrip", "single_word"))


class Chunks:
    """Reads texts with a tokenizer for which `can_be_used`. Safe to share by threads."""

    def __init__(self, backend: Any) -> None:
        """`backend`: a tokenizers.Tokenizer that neither truncates nor pads."""
        self._backend = backend
        self._ids_by_word: dict[str, bytes] = {}

    def read(self, texts: Sequence[str]) -> Iterator[bytes]:
        """The token ids of each text, all of them, without special ones, as the bytes of 32-bit integers."""
        for first in range(0, len(texts), TEXTS):
            some = texts[first : first + TEXTS]
            yield from self._read([text.split(" ") for text in some], some)

    def _read(self, rows: Sequence[list[str]], texts: Sequence[str]) -> Iterator[bytes]:
        words = set().union(*rows)
        long = {word for word in words.difference(self._ids_by_word) if len(word) > LONGEST}
        ids_by_word = self.learnt(words - long if long else words)
        if not long:
            return (b"".join(map(ids_by_word.__getitem__, row)) for row in rows)
        apart = [not long.isdisjoint(row) for row in rows]
        whole = self.tokenized(list(compress(texts, apart)))
        return (
            next(whole) if is_apart else b"".join(map(ids_by_word.__getitem__, row))
            for row, is_apart in zip(rows, apart, strict=True)
        )

    def learnt(self, words: set[str]) -> dict[str, bytes]:
        """The ids of these `words`, none of them longer than LONGEST, and of others; most stay known."""
        ids_by_word = self._ids_by_word
        new = list(words.difference(ids_by_word))
        if len(ids_by_word) + len(new) > ROOM:
            self._ids_by_word = ids_by_word = {word: ids_by_word[word] for word in words.intersection(ids_by_word)}
        ids_by_word.update(zip(new, self.tokenized(new), strict=True))
        return ids_by_word

    def tokenized(self, texts: list[str]) -> Iterator[bytes]:
        """The ids of each text, all read by the tokenizer itself."""
        encodings: Iterable[Any] = self._backend.encode_batch_fast(texts, add_special_tokens=False)
        return (array("i", encoding.ids).tobytes() for encoding in encodings)
