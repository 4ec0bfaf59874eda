"""How wide buckets have to be for a surge to be seen in one or two of them."""

from __future__ import annotations

from perennial.monitoring.trends.calendar import DAY, WIDTHS

ENOUGH_COUNTED = 10.0
"""Texts of the label that a bucket has on average: three times as many stand out at one false alarm a month, and what a
quiet hour has of them still does at a third of it."""


def width_for(counted_per_day: float, narrowest: int = WIDTHS[0]) -> int:
    """The narrowest width, in minutes, at which a bucket has enough texts of the label; a day at most."""
    enough = [width for width in WIDTHS if width >= narrowest and counted_per_day * width / DAY >= ENOUGH_COUNTED]
    return enough[0] if enough else WIDTHS[-1]


HOLDS = 0.7
"""By how much the texts of a bucket may miss what another width would need before the width is changed."""


def settled_width(before: int | None, counted_per_day: float) -> int:
    """`width_for`, but the width `before` stays while the number of texts is near what it needs.

    Else a series between two widths would have the one today and the other tomorrow.
    """
    if before is None:
        return width_for(counted_per_day)
    least, most = width_for(counted_per_day / HOLDS), width_for(HOLDS * counted_per_day)
    return min(max(before, least), most)
