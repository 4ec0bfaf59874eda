"""A cascade: a linear model answers the rows it is sure of, and the transformer the others. numpy only.

The linear model reads the token ids that the transformer would read: how often each token and each pair of neighbours
is there, hashed into a fixed number of buckets (Weinberger et al. 2009), divided by the root of how many there are.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from perennial.core.errors import PackageError
from perennial.inference.package import LINEAR, REMEDY, PackageInfo
from perennial.inference.runtime import Graph
from perennial.inference.sharing.pool import PooledGraph

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2⁶⁴ divided by the golden ratio: the high bits of a product with it are well mixed (Knuth, volume 3, 6.4)."""
FEATURES_AT_ONCE = 1 << 20


class Linear:
    """A linear model over hashed tokens and pairs of tokens."""

    def __init__(self, weights: np.ndarray) -> None:
        """`weights`: buckets (a power of two) × labels, and one more row for what each label has without any token."""
        self._weights, self._bias = weights[:-1], weights[-1].astype(np.float64)
        self._buckets = len(self._weights)

    def logits(self, segments: Sequence[np.ndarray]) -> np.ndarray:
        """Outputs (rows × labels, float64) for rows of token ids; those of a row don't depend on its neighbours."""
        parts = [self._logits(segments[start:end]) for start, end in _stretches(segments)]
        return np.concatenate([np.empty((0, len(self._bias))), *parts])

    def _logits(self, segments: Sequence[np.ndarray]) -> np.ndarray:
        rows, buckets = hashed_features(segments, self._buckets)
        sums = [np.bincount(rows, weights[buckets], len(segments)) for weights in self._weights.T]
        scaled_logits: np.ndarray = np.stack(sums, axis=1) / scale(rows, len(segments))[:, None] + self._bias
        return scaled_logits


class Cascade:
    """A linear model before a graph, which answers what the linear model is not sure of. Safe to share by threads."""

    def __init__(self, linear: Linear, graph: Graph | PooledGraph, threshold: float, temperature: float) -> None:
        """`threshold`: the lowest probability at which the linear model's likeliest label is the answer. `temperature`:
        by which outputs are divided when they are read."""
        self._linear, self._graph = linear, graph
        self._threshold, self._temperature = threshold, temperature

    def outputs_of(
        self,
        segments: Sequence[np.ndarray],
        *,
        tokens_per_batch: int,
        width: int,
        run_tokens: int,
        on_progress: Callable[[int, int], None] | None,
    ) -> list[np.ndarray]:
        """What answers each row of token ids, as `Graph.outputs_of` gives it: of an easy one, outputs that read as the
        linear model's own probabilities."""
        outputs = self._easy(segments)
        hard = [index for index in range(len(segments)) if index not in outputs]
        easy = len(outputs)
        if easy and on_progress:
            on_progress(easy, len(segments))
        answers = self._graph.outputs_of(
            [segments[index] for index in hard],
            tokens_per_batch=tokens_per_batch,
            width=width,
            run_tokens=run_tokens,
            on_progress=on_progress and (lambda done, _: on_progress(easy + done, len(segments))),
        )
        outputs |= dict(zip(hard, answers, strict=True))
        return [outputs[index] for index in range(len(segments))]

    def _easy(self, segments: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
        logits = self._linear.logits(segments)
        scaled = (logits * self._temperature).astype(np.float32)
        return {int(index): scaled[index] for index in np.flatnonzero(confidence(logits) >= self._threshold)}


def before(graph: Graph | PooledGraph, folder: Path, info: PackageInfo) -> Graph | PooledGraph | Cascade:
    """`graph` behind the linear model of the package in `folder`, which says `info`; `graph` itself if it has none.

    Raises PackageError if the file of the linear model holds something else.
    """
    if info.cascade is None:
        return graph
    linear = Linear(_weights(folder / LINEAR, len(info.labels)))
    return Cascade(linear, graph, float(info.cascade["threshold"]), float(info.decoding.get("temperature", 1.0)))


def _weights(file: Path, labels: int) -> np.ndarray:
    try:
        weights: np.ndarray = np.load(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise _no_model(file, type(error).__name__) from error
    buckets = len(weights) - 1 if weights.ndim == 2 else 0
    if weights.dtype != np.float32 or buckets < 2 or buckets & (buckets - 1) or weights.shape[1] != labels:
        raise _no_model(file, f"{weights.dtype} of shape {weights.shape}")
    return weights


def hashed_features(segments: Sequence[np.ndarray], buckets: int) -> tuple[np.ndarray, np.ndarray]:
    """For each token and each pair of neighbours in rows of token ids: the number of the row, and its bucket."""
    flat = np.concatenate([np.empty(0, np.int32), *segments]).astype(np.uint64)
    rows = np.repeat(np.arange(len(segments)), [len(ids) for ids in segments])
    together = rows[1:] == rows[:-1]
    # No token has the number -1, so a pair is never taken for a token.
    pairs = ((flat[:-1] + np.uint64(1)) << np.uint64(32)) + flat[1:]
    return np.append(rows, rows[1:][together]), _hashed(np.append(flat, pairs[together]), buckets)


def scale(rows: np.ndarray, number: int) -> np.ndarray:
    """The root of how many features each of `number` rows has, at least 1; `rows`: the row of each feature."""
    roots: np.ndarray = np.sqrt(np.bincount(rows, minlength=number).clip(min=1))
    return roots


def confidence(logits: np.ndarray) -> np.ndarray:
    """The probability of each row's likeliest label."""
    # In float64, which tells apart also those that are nearly certain.
    others: np.ndarray = np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
    return 1 / others


def _hashed(keys: np.ndarray, buckets: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        mixed = keys * GOLDEN
    return (mixed >> np.uint64(64 - buckets.bit_length() + 1)).astype(np.int64)


def _stretches(segments: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """The rows in pieces of at most FEATURES_AT_ONCE features, or one row, so that memory does not grow with them."""
    longest = max((len(ids) for ids in segments), default=0)
    rows = max(1, FEATURES_AT_ONCE // max(1, 2 * longest))
    return [(start, min(start + rows, len(segments))) for start in range(0, len(segments), rows)]


def _no_model(file: Path, fault: str) -> PackageError:
    return PackageError(f"{file} does not hold the linear model of a cascade ({fault}).", remedy=REMEDY)
