"""Texts with the scores that a version gave them, and what of both tells whether its answers are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

LEAST = 1e-6
WIDEST = 4.0
"""Standard deviations at which a feature is cut, so that one odd text does not decide."""


@dataclass(frozen=True)
class ScoredTexts:
    """`n` texts and their scores."""

    texts: Sequence[str]
    scores: np.ndarray
    """(n, labels), each row adds up to 1; calibrated by the package's own temperature."""
    stories: Sequence[str] | None = None
    """What each tells: copies count together; None: each text is a story of its own."""
    columns: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    """What else is known of each; n values each."""

    @property
    def answers(self) -> np.ndarray:
        """The number of each text's answer; (n,)."""
        return np.asarray(self.scores.argmax(axis=1))

    @property
    def independent(self) -> float:
        """How many stories of one text would tell as much (Kish 1965)."""
        if self.stories is None:
            return float(len(self.texts))
        sizes = np.unique(np.asarray(self.stories, dtype=str), return_counts=True)[1].astype(float)
        return float(sizes.sum() ** 2 / np.square(sizes).sum())


def features(reference: ScoredTexts, window: ScoredTexts) -> tuple[np.ndarray, np.ndarray]:
    """What tells whether answers are right: (n, d) and (m, d), a constant first, in standard deviations of the
    reference.

    How sure the answer is, as log odds and beside the second label, which label it is, how sure by label, and the
    text's length.
    """
    old, new = _plain(reference), _plain(window)
    middle, spread = old.mean(axis=0), old.std(axis=0)
    spread = np.where(spread > LEAST, spread, 1.0)
    return _standard(old, middle, spread), _standard(new, middle, spread)


def _standard(plain: np.ndarray, middle: np.ndarray, spread: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(plain)), np.clip((plain - middle) / spread, -WIDEST, WIDEST)])


def _plain(rows: ScoredTexts) -> np.ndarray:
    scores = np.clip(rows.scores, LEAST, 1 - LEAST)
    ranked = np.sort(scores, axis=1)
    sure = np.log(ranked[:, -1] / (1 - ranked[:, -1]))
    is_label = (rows.answers[:, None] == np.arange(1, scores.shape[1])).astype(float)
    # Of two labels the odds say both.
    beside = np.log(ranked[:, -1:] / ranked[:, -2:-1]) if scores.shape[1] > 2 else np.empty((len(scores), 0))
    lengths = np.log1p([len(text.split()) for text in rows.texts])
    return np.column_stack([sure, beside, is_label, is_label * sure[:, None], lengths])
