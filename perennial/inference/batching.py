"""Batches of texts of like lengths under a token budget: little padding, bounded memory. numpy only."""

from collections.abc import Sequence

import numpy as np


def plan_batches(lengths: np.ndarray, tokens_per_batch: int, *, max_rows: int | None = None) -> list[np.ndarray]:
    """Row numbers of each batch: every row once, the longest rows first, rows of like lengths together.

    `lengths`: tokens per row. A batch's rows times its longest length is at most `tokens_per_batch`, and its rows at
    most `max_rows`; a row longer than the budget is a batch of its own. The same lengths give the same plan.
    """
    # Longest first: the largest batch, and so the peak of memory, comes at once and not after an hour.
    order = np.argsort(-lengths.astype(np.int64), kind="stable")
    descending = np.maximum(lengths[order], 1)
    batches, start = [], 0
    while start < len(order):
        rows = max(1, tokens_per_batch // int(descending[start]))
        end = start + min(rows, max_rows or rows)
        batches.append(order[start:end])
        start = end
    return batches


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
