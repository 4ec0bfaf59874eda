"""One function over many parts, or many rows piece by piece. What is to run on many processes or machines goes here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Heard = Callable[[int, int | None], None]
"""Hears (items done, items in all; None: not known)."""


def map_in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, total: int | None = None, heard: Heard | None = None
) -> Iterator[Result]:
    """What `work` gives for each of `items`, in their order; now one after the other, in this process.

    An item is taken when its result is asked for, so that of any number of items one is in memory. What `work` or
    `items` raises is raised here, after the results before it. `heard` hears of progress before each item, and when
    all of them are done; `total`: how many there are.

    Whatever takes the place of this loop has to keep that: the order, a bounded number of items at a time, and the
    first error in the items' order. `work` over parts is a function bound to records and paths, which another process
    can have, too. Over rows it asks a loaded package: another process has to load it from its folder.
    """
    done = 0
    for item in items:
        if heard:
            heard(done, total)
        yield work(item)
        done += 1
    if heard:
        heard(done, total)
