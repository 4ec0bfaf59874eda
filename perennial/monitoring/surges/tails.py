"""How likely so many are, or more: beta-binomial for a share of so many texts, negative binomial for a count."""

from __future__ import annotations

import numpy as np

LEAST_VARIANCE = 1.0001
"""Of a negative binomial, over its mean: at 1 it is Poisson's, which has another formula."""


def share_tails(texts: np.ndarray, share: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """P(K >= k) for k from 0 to max(texts) + 1, of beta-binomial counts; the arguments are (s,), the result (s, k).

    `correlation`: of two texts of one bucket; the betas' parameters are share (1/correlation - 1) and
    (1 - share) (1/correlation - 1).
    """
    from scipy.special import gammaln

    size = 1 / correlation - 1
    a, b = share * size, (1 - share) * size
    most = int(texts.max(initial=0))
    n = texts[:, None].astype(float)
    k = np.arange(most)[None, :].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.log(np.maximum(n - k, 0)) - np.log(k + 1) + np.log(a[:, None] + k)
        steps -= np.log(np.maximum(b[:, None] + n - k - 1, 1e-300))
    steps = np.where(k < n, steps, -np.inf)
    none = gammaln(b + texts) - gammaln(b) + gammaln(size) - gammaln(size + texts)
    logs = np.concatenate([none[:, None], none[:, None] + np.cumsum(steps, axis=1)], axis=1)
    chances = np.exp(logs)
    tails = np.cumsum(chances[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([np.minimum(tails, 1.0), np.zeros((len(texts), 1))], axis=1)


def count_tail(count: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """P(K >= count) of a negative binomial with this mean and variance; of any one shape."""
    from scipy.special import betainc

    over = np.maximum(variance / np.maximum(mean, 1e-12), LEAST_VARIANCE)
    size = mean / (over - 1)
    return np.where(count <= 0, 1.0, betainc(np.maximum(count, 1e-9), np.maximum(size, 1e-9), 1 - 1 / over))


def count_quantile(level: float | np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """The smallest count whose P(K >= count) is at most `level`."""
    from scipy.stats import nbinom

    over = np.maximum(variance / np.maximum(mean, 1e-12), LEAST_VARIANCE)
    return np.asarray(nbinom.ppf(1 - np.asarray(level), np.maximum(mean / (over - 1), 1e-9), 1 / over) + 1)
