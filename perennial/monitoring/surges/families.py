"""What counts and shares have each of their own in a regression: link, variance, dispersion, residuals."""

from __future__ import annotations

from typing import Protocol

import numpy as np

PRIOR_TEXTS = 400.0
"""As many pairs of texts of one bucket as `USUAL_CORRELATION` is worth: few texts say nothing of it."""
USUAL_CORRELATION = 0.002
LEAST = 1e-9


class Family(Protocol):
    """A distribution whose variance is the usual one, inflated by a dispersion; arrays are (s, n), dispersions (s,)."""

    def start(self, weights: np.ndarray) -> np.ndarray:
        """Each series' linear predictor before anything is known of its seasons; (s,)."""

    def mean(self, predictor: np.ndarray) -> np.ndarray:
        """The mean count."""

    def slope(self, mean: np.ndarray) -> np.ndarray:
        """The mean's derivative by the predictor; for these two it is the variance without overdispersion, too."""

    def inflation(self, dispersion: np.ndarray) -> np.ndarray:
        """How many times that variance the variance is."""

    def dispersion(self, mean: np.ndarray, weights: np.ndarray, lost: np.ndarray) -> np.ndarray:
        """The dispersion from residuals; `lost`: degrees of freedom that the coefficients took, (s,)."""

    def residuals(self, mean: np.ndarray, dispersion: np.ndarray) -> np.ndarray:
        """Standardised residuals."""

    @property
    def observed(self) -> np.ndarray:
        """The counts."""

    @property
    def none(self) -> float:
        """The dispersion of what is not overdispersed."""


class Counts:
    """Quasi-Poisson, log link. The dispersion is variance over mean, 1 or more."""

    none = 1.0

    def __init__(self, counts: np.ndarray, offset: np.ndarray | None = None) -> None:
        """`offset`: what the predictor is more by, as the logarithm of a bucket's texts where shares are modelled."""
        self.observed = counts
        self._offset = np.zeros_like(counts) if offset is None else offset

    def start(self, weights: np.ndarray) -> np.ndarray:
        """The logarithm of what all buckets have on average."""
        exposed = np.sum(weights * np.exp(self._offset), axis=1)
        return np.asarray(np.log((np.sum(weights * self.observed, axis=1) + 0.5) / np.maximum(exposed, 0.5)))

    def mean(self, predictor: np.ndarray) -> np.ndarray:
        """The exponential."""
        return np.asarray(np.exp(predictor + self._offset))

    def slope(self, mean: np.ndarray) -> np.ndarray:
        """The mean itself."""
        return mean

    def inflation(self, dispersion: np.ndarray) -> np.ndarray:
        """The dispersion itself."""
        return np.broadcast_to(dispersion[:, None], self.observed.shape)

    def dispersion(self, mean: np.ndarray, weights: np.ndarray, lost: np.ndarray) -> np.ndarray:
        """Pearson's."""
        squares = np.sum(weights * (self.observed - mean) ** 2 / np.maximum(mean, LEAST), axis=1)
        return np.asarray(np.maximum(1.0, squares / np.maximum(1.0, np.sum(weights, axis=1) - lost)))

    def residuals(self, mean: np.ndarray, dispersion: np.ndarray) -> np.ndarray:
        """Anscombe's, which are nearly normal where counts are small, too."""
        anscombe = 1.5 * (np.cbrt(self.observed) ** 2 - np.cbrt(mean) ** 2) / np.maximum(mean, LEAST) ** (1 / 6)
        return np.asarray(anscombe / np.sqrt(dispersion[:, None]))


class Shares:
    """Quasi-binomial, logit link. The dispersion is the correlation of two texts of one bucket, 0 to 1."""

    none = 0.0

    def __init__(self, counts: np.ndarray, texts: np.ndarray) -> None:
        """`counts` of so many `texts`, both (s, n)."""
        self.observed, self._texts = counts, texts

    def start(self, weights: np.ndarray) -> np.ndarray:
        """The logit of the share of all buckets."""
        share = (np.sum(weights * self.observed, axis=1) + 0.5) / (np.sum(weights * self._texts, axis=1) + 1.0)
        return np.asarray(np.log(share / (1 - share)))

    def mean(self, predictor: np.ndarray) -> np.ndarray:
        """The share, by the logistic function, of the texts."""
        return np.asarray(self._texts / (1 + np.exp(-predictor)))

    def slope(self, mean: np.ndarray) -> np.ndarray:
        """That of a binomial."""
        return np.asarray(mean * (1 - mean / np.maximum(self._texts, 1)))

    def inflation(self, dispersion: np.ndarray) -> np.ndarray:
        """1 + correlation (texts - 1)."""
        return np.asarray(1 + dispersion[:, None] * np.maximum(self._texts - 1, 0))

    def dispersion(self, mean: np.ndarray, weights: np.ndarray, lost: np.ndarray) -> np.ndarray:
        """By moments: the squares expected are mean (1 - share) (1 + correlation (texts - 1))."""
        variance = self.slope(mean)
        kept = np.maximum(0.1, 1 - lost / np.maximum(1.0, np.sum(weights * (self._texts > 0), axis=1)))
        # Weighted by 1/variance, so that buckets of many texts don't decide alone.
        scaled = weights / np.maximum(variance, LEAST) * (self._texts > 0)
        excess = np.sum(scaled * ((self.observed - mean) ** 2 / kept[:, None] - variance), axis=1)
        pairs = np.sum(scaled * variance * np.maximum(self._texts - 1, 0), axis=1)
        return np.asarray(np.clip((excess + PRIOR_TEXTS * USUAL_CORRELATION) / (pairs + PRIOR_TEXTS), 0.0, 0.5))

    def residuals(self, mean: np.ndarray, dispersion: np.ndarray) -> np.ndarray:
        """Pearson's."""
        variance = self.slope(mean) * self.inflation(dispersion)
        return np.asarray((self.observed - mean) / np.sqrt(np.maximum(variance, LEAST)))
