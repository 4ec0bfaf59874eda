"""How many independent rows decide whether a share is below its floor, by Wilson's interval (Wilson 1927)."""

import math

ROUNDING = 1e-9


def is_shown_below(high: float, floor: float) -> bool:
    """Whether a share whose interval ends at `high` is below `floor`, and not only by chance."""
    return high < floor - ROUNDING


def rows_that_can_pass(floor: float, z: float) -> int:
    """The fewest rows that can show a share to be no less than `floor`: all of them passing.

    Of n rows that all pass the interval begins at n / (n + z²). A floor of 1 can't be shown by any number of rows, and
    one failing row is below it: it needs none.
    """
    return math.ceil(z**2 * floor / (1 - floor) - ROUNDING) if floor < 1 else 1


def rows_that_decide(share: float, floor: float, z: float) -> int:
    """How many rows would show that `share`, if it stayed so, is below `floor`: the interval leaves the floor out where
    they differ by more than z standard errors of a share at the floor."""
    return math.ceil(z**2 * floor * (1 - floor) / (floor - share) ** 2)
