"""Batches of texts of like lengths under a token budget: little padding, bounded memory. numpy only."""

from collections.abc import Sequence

import numpy as np

MOST_WEIGHED = 256
"""Rows of which it is weighed where batches end. Of more, neighbours in length have the same length nearly."""


def plan_batches(
    lengths: np.ndarray, tokens_per_batch: int, *, max_rows: int | None = None, run_tokens: int = 0
) -> list[np.ndarray]:
    """Row numbers of each batch: every row once, the longest rows first, rows of like lengths together.

    `lengths`: tokens per row. A batch's rows times its longest length is at most `tokens_per_batch`, and its rows at
    most `max_rows`; a row longer than the budget is a batch of its own. `run_tokens`: how many tokens more a run costs
    than it has; where that is said, few rows are parted so that runs and padding together cost least. The same lengths
    give the same plan.
    """
    # Longest first: the largest batch, and so the peak of memory, comes at once and not after an hour.
    order = np.argsort(-lengths.astype(np.int64), kind="stable")
    descending = np.maximum(lengths[order], 1)
    if run_tokens and len(order) <= MOST_WEIGHED:
        ends = _cheapest_ends(descending.tolist(), tokens_per_batch, max_rows or len(order), run_tokens)
        return np.split(order, ends[:-1]) if len(order) else []
    batches, start = [], 0
    while start < len(order):
        rows = max(1, tokens_per_batch // int(descending[start]))
        end = start + min(rows, max_rows or rows)
        batches.append(order[start:end])
        start = end
    return batches


def _cheapest_ends(descending: list[int], tokens_per_batch: int, max_rows: int, run_tokens: int) -> list[int]:
    """Where each batch ends, counted from the first row, so that all of them cost least."""
    cost, begins = [0], [0]
    for end in range(1, len(descending) + 1):
        best, begin = cost[end - 1] + run_tokens + descending[end - 1], end - 1
        for start in range(end - 2, max(-1, end - max_rows - 1), -1):
            tokens = (end - start) * descending[start]
            if tokens > tokens_per_batch:
                break  # so it is with every longer one
            if cost[start] + run_tokens + tokens <= best:
                best, begin = cost[start] + run_tokens + tokens, start
        cost.append(best)
        begins.append(begin)
    ends, end = list[int](), len(descending)
    while end:
        ends.append(end)
        end = begins[end]
    return ends[::-1]


def pad(rows: Sequence[np.ndarray], pad_id: int, width: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and attention mask (both rows × longest, int64) of rows of token ids, filled up with `pad_id`.

    At least `width` columns, one or more: a graph can't run on none.
    """
    longest = max(width, *(len(row) for row in rows)) if rows else width
    ids = np.full((len(rows), longest), pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), longest), dtype=np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return ids, mask
