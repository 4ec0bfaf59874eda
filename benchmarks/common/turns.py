"""Taking turns, A B A B, so that whatever else this machine does meets all; medians, and ratios of medians."""

import statistics
from collections.abc import Callable, Mapping


def take(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each contender gave in each of `rounds` rounds."""
    given: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            given[name].append(contender())
    return given


def figures(given: Mapping[str, list[float]], ours: str, unit: str) -> dict[str, object]:
    """The median of each, and of `ours` over each of the others: the median of the ratios within a round."""
    figures: dict[str, object] = {f"{name}, {unit}": statistics.median(values) for name, values in given.items()}
    for name, values in given.items():
        if name != ours:
            ratios = [one / other for one, other in zip(given[ours], values, strict=True)]
            figures[f"{ours} : {name}, {unit}"] = statistics.median(ratios)
    return figures


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of `values` don't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
