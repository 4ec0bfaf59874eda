"""Intervals that hold where a bucket has few texts: of shares, of an index from -1 to 1, of overdispersed counts."""

from __future__ import annotations

import numpy as np


def share_interval(
    counted: np.ndarray, texts: np.ndarray, confidence: float = 0.95, correlation: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval (1927) of shares, 0 to 1; arrays of one shape. No text: 0 to 1.

    `correlation` of two texts of one bucket: so many count as texts / (1 + (texts - 1) correlation) (Kish 1965).
    """
    rows = np.asarray(texts, float)
    share = np.where(rows > 0, counted / np.maximum(rows, 1), 0.5)
    return _wilson(share, _effective(rows, correlation), confidence)


def index_interval(
    positive: np.ndarray, negative: np.ndarray, texts: np.ndarray, confidence: float = 0.95, correlation: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The sentiment index (positive - negative) / texts, and its interval; arrays of one shape. No text: nan, -1 to 1.

    Wilson's interval of the index moved to 0 to 1, of as many yes-or-no texts as would vary as much: neutral texts make
    it narrower. Half a text is added to each sort where the variance is estimated, else one text would have none.
    """
    rows = np.asarray(texts, float)
    index = np.where(rows > 0, (positive - negative) / np.maximum(rows, 1), np.nan)
    middle = np.where(rows > 0, (index + 1) / 2, 0.5)
    likely_positive, likely_negative = (positive + 0.5) / (rows + 1.5), (negative + 0.5) / (rows + 1.5)
    smooth = likely_positive - likely_negative
    variance = (likely_positive + likely_negative - smooth**2) / 4
    yes_or_no = (smooth + 1) * (1 - smooth) / 4
    low, high = _wilson(middle, _effective(rows, correlation) * yes_or_no / variance, confidence)
    return index, 2 * low - 1, 2 * high - 1


def count_interval(
    counts: np.ndarray, confidence: float = 0.95, dispersion: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """The interval of a bucket's expected count; exact for Poisson counts (Garwood 1936), wider if overdispersed.

    `dispersion`: variance over mean, 1 or more.
    """
    from scipy.stats import gamma

    outside = (1 - confidence) / 2
    scaled = np.asarray(counts, float) / dispersion
    low = np.where(scaled > 0, gamma.ppf(outside, np.maximum(scaled, 1e-9)), 0.0)
    return dispersion * low, dispersion * gamma.ppf(1 - outside, scaled + 1)


def _effective(texts: np.ndarray, correlation: float) -> np.ndarray:
    return np.asarray(texts / (1 + np.maximum(texts - 1, 0) * correlation))


def _wilson(share: np.ndarray, texts: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy.stats import norm

    z = float(norm.ppf(0.5 + confidence / 2))
    none = texts <= 0
    n = np.where(none, 1.0, texts)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(np.maximum(share * (1 - share), 0) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    # At 0 and 1 the formula gives the bound but for rounding.
    low, high = np.where(share <= 0, 0.0, middle - half), np.where(share >= 1, 1.0, middle + half)
    return np.where(none, 0.0, np.clip(low, 0, 1)), np.where(none, 1.0, np.clip(high, 0, 1))
