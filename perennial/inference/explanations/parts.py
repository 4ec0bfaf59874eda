"""What can be left out of an input: the words of its texts, or its tokens; and the input without some of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perennial.inference import words
from perennial.inference.decoders import Decoder, Input


@dataclass(frozen=True)
class Parts:
    """An input, taken apart. Characters are counted in each text by itself; tokens are a text with spaces between."""

    texts: tuple[str, ...]
    """One, or the two of a pair; of tokens, all of them joined."""
    columns: tuple[str, ...]
    """The canonical column of each text."""
    text_of: np.ndarray
    """For each word the number of its text."""
    bounds: np.ndarray
    """Words × 2: first character, and the one after the last."""
    as_tokens: bool

    def __len__(self) -> int:
        return len(self.bounds)

    @property
    def starts(self) -> list[int]:
        """The first word of each text that has any."""
        return sorted({int(np.argmax(self.text_of == text)) for text in set(self.text_of.tolist())}) or [0]

    def without(self, kept: np.ndarray) -> Input:
        """The input with the `kept` words (bool) only, each with what stands between it and the word before."""
        if kept.all():
            return self._input(list(self.texts), [self.texts[0][start:end] for start, end in self.bounds.tolist()])
        pieces: list[list[str]] = [[] for _ in self.texts]
        for text, start, end, gap in self._kept(kept):
            pieces[text].append(self.texts[text][gap if pieces[text] else start : end])
        tokens = [self.texts[0][start:end] for start, end in self.bounds[kept].tolist()] if self.as_tokens else []
        return self._input(["".join(piece) for piece in pieces], tokens)

    def places(self, kept: np.ndarray) -> np.ndarray:
        """Where each word lies in what `without` makes of the first text (words × 2); -1: it was left out."""
        if kept.all():
            return self.bounds
        placed, length = np.full_like(self.bounds, -1), 0
        for number, (_, start, end, gap) in zip(np.flatnonzero(kept), self._kept(kept), strict=True):
            length += (1 if self.as_tokens else start - gap) if length else 0
            placed[number] = length, length + end - start
            length += end - start
        return placed

    def _kept(self, kept: np.ndarray) -> list[tuple[int, int, int, int]]:
        """Of each word that is kept: its text, its bounds, and where the word before it in its text ended."""
        same = np.append(False, self.text_of[1:] == self.text_of[:-1])
        gaps = np.where(same, np.append(0, self.bounds[:-1, 1]), 0)
        columns = (self.text_of[kept], self.bounds[kept, 0], self.bounds[kept, 1], gaps[kept])
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def _input(self, texts: list[str], tokens: list[str]) -> Input:
        if self.as_tokens:
            return tokens
        return texts[0] if len(texts) == 1 else tuple(texts)


def parts_of(one: Input, decoder: Decoder, read: Sequence[int]) -> Parts:
    """The words of an input of `decoder`; of each text those that begin before the character `read` only."""
    if isinstance(one, str):
        texts, columns = (one,), decoder.columns[-1]
    elif decoder.per_token:
        return _of_tokens(one, decoder.columns[0])
    else:
        texts, columns = tuple(one), decoder.columns[-1]
    bounds_by_text = [_words(text, decoder, end) for text, end in zip(texts, read, strict=True)]
    text_of = np.repeat(np.arange(len(texts)), [len(each) for each in bounds_by_text])
    return Parts(
        tuple(text[:end] for text, end in zip(texts, read, strict=True)),
        tuple(columns),
        text_of,
        np.concatenate(bounds_by_text),
        as_tokens=False,
    )


def _words(text: str, decoder: Decoder, end: int) -> np.ndarray:
    """Those that begin before `end`, where the last one ends, too."""
    # Spans are made of the decoder's own words; elsewhere "don't" and "3.5" are one word each.
    bounds_by_text = words.words_in([text])[0] if decoder.per_token else words.whole_words(text)
    read: np.ndarray = np.minimum(bounds_by_text[bounds_by_text[:, 0] < end], end)
    return read


def _of_tokens(tokens: Sequence[str], columns: Sequence[str]) -> Parts:
    text, bounds = words.joined(tokens)
    array = np.array(bounds, np.int64).reshape(-1, 2)
    return Parts((text,), tuple(columns), np.zeros(len(array), np.int64), array, as_tokens=True)
