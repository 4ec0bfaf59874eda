"""Where the words of texts are seen by a model that reads pieces of words, in overlapping windows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from perennial.inference.tokenization import Window
from perennial.inference.words import stretches, touched


@dataclass(frozen=True)
class Pieces:
    """The pieces of all windows that show a word, in order; one array each, of the same length (int64)."""

    token: np.ndarray
    """Its number among all tokens of all windows."""
    number: np.ndarray
    """Its number among the pieces of its text: the same in each window that shows it."""
    start: np.ndarray
    """The first character and the one after the last, counted as the words' are."""
    end: np.ndarray
    room: np.ndarray
    """Tokens to the nearer end of its window."""
    ids: np.ndarray
    word: np.ndarray
    """The first word that it shows."""

    def only(self, which: np.ndarray) -> "Pieces":
        """Some of the pieces."""
        return Pieces(**{name: values[which] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Sight:
    """What a model sees of each word."""

    firsts: Pieces
    """The first piece of each word, once for each window that shows it."""
    best: np.ndarray
    """For each word, the place of that first piece which has most around it; -1: no piece begins with the word."""
    joined: np.ndarray
    """Whether each word has no piece of its own and shares one with the word before."""


def sight(words: np.ndarray, windows: Sequence[Window], first: np.ndarray, unknown: int | None) -> Sight:
    """What `windows` show of `words` (words × 2); `first`: the first character of each window's text.

    `unknown`: the token id that says nothing of what it stands for, so that its words are not taken for one.
    """
    pieces = _of_words(words, _pieces(windows, first))
    begun, earliest = np.unique(pieces.word, return_index=True)
    # Windows come in order, so the first piece of a word is the one that comes first.
    lowest = np.zeros(len(words), np.int64)
    lowest[begun] = pieces.number[earliest]
    firsts = pieces.only(pieces.number == lowest[pieces.word])
    best = np.full(len(words), -1)
    by_room = np.lexsort((-firsts.room, firsts.word))
    best[begun] = firsts.token[by_room[np.unique(firsts.word[by_room], return_index=True)[1]]]
    wide = pieces if unknown is None else pieces.only(pieces.ids != unknown)
    return Sight(firsts, best, _shared(words, wide) & (best < 0))


def _pieces(windows: Sequence[Window], first: np.ndarray) -> Pieces:
    sizes = np.array([len(window.ids) for window in windows], dtype=np.int64)
    window = np.repeat(np.arange(len(windows)), sizes)
    begins = np.cumsum(sizes) - sizes
    offsets = np.concatenate([window.offsets for window in windows] or [np.empty((0, 2), np.int64)])
    ids = np.concatenate([window.ids for window in windows] or [np.empty(0, np.int32)])
    position = np.arange(len(ids))
    before = position - begins[window]
    real = np.append(0, np.cumsum(offsets[:, 0] >= 0))
    number = real[position] - real[begins][window] + np.array([each.first for each in windows], np.int64)[window]
    return Pieces(
        token=position,
        number=number,
        start=np.where(offsets[:, 0] < 0, -1, offsets[:, 0] + first[window]),
        end=np.where(offsets[:, 0] < 0, -1, offsets[:, 1] + first[window]),
        room=np.minimum(before, sizes[window] - 1 - before),
        ids=ids,
        word=np.full(len(ids), -1, np.int64),
    )


def _of_words(words: np.ndarray, pieces: Pieces) -> Pieces:
    """The pieces that show a word, and which they show."""
    # A piece may begin with the space before its word, so it is of the first word that ends behind its start.
    first, behind = touched(words, pieces.start, pieces.end)
    pieces = replace(pieces, word=first)
    return pieces.only((pieces.start >= 0) & (pieces.start < pieces.end) & (first < behind))


def _shared(words: np.ndarray, pieces: Pieces) -> np.ndarray:
    """Whether each word lies, if only in part, in a piece that begins in a word before."""
    shared = np.zeros(len(words), dtype=bool)
    _, behind = touched(words, pieces.start, pieces.end)
    shared[stretches(pieces.word + 1, behind)] = True
    return shared
