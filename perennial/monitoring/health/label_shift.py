"""How right a window's answers would be if only the labels' frequencies had shifted."""

from __future__ import annotations

import numpy as np


class Confusion:
    """What the version answered to texts of each label, and what it answers now."""

    def __init__(self, answers: np.ndarray, targets: np.ndarray, new_answers: np.ndarray, labels: int) -> None:
        """`answers`, `targets`: of the reference's rows; (n,). `new_answers`: of a window's; (m,). All from 0."""
        self._cells, self._labels = answers * labels + targets, labels
        self._new = new_answers

    def reading(self, old: np.ndarray, new: np.ndarray) -> tuple[float, float]:
        """The accuracy of the window, and how far the labels' frequencies must have moved (total variation, 0 to 1),
        from rows that count `old` (n,) and `new` (m,) times.

        Accuracy is each label's recall, weighed by how frequent the label must be in the window so that its answers
        come about (black box shift estimation: Lipton, Wang and Smola 2018), frequencies at least 0.
        """
        from scipy.optimize import nnls

        size = self._labels
        counts = np.bincount(self._cells, weights=old, minlength=size * size).reshape(size, size)
        before = counts.sum(axis=0)
        answered_of = counts / np.maximum(before, 1e-9)
        answered = np.bincount(self._new, weights=new, minlength=size) / new.sum()
        # The last line: frequencies add up to one, about.
        amounts, _ = nnls(np.vstack([answered_of, np.ones(size)]), np.append(answered, 1.0))
        frequencies = amounts / max(amounts.sum(), 1e-9)
        moved = float(np.abs(frequencies - before / before.sum()).sum() / 2)
        return float(frequencies @ np.diag(answered_of)), moved
