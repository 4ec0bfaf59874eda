"""Which tests are for `make soak`: a mark `soak` names the small twin that shows the same in `make test`. And their
order.
"""

import pytest

COLLECTED = pytest.StashKey[dict[str, bool]]()
"""Every test collected, before a tier leaves some out, and whether it is for `make soak`."""


def keep(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep which tests there are, for tests/contract/test_tiers.py."""
    config.stash[COLLECTED] = {item.nodeid: item.get_closest_marker("soak") is not None for item in items}


def begin_with_long(items: list[pytest.Item]) -> None:
    """Put tests marked as long at the beginning and in the middle, in turn: where two workers begin, each with half of
    all. At the end of one they would run alone, with the other worker idle."""
    long = [item for item in items if item.get_closest_marker("long")]
    others = [item for item in items if not item.get_closest_marker("long")]
    half = max(0, len(items) // 2 - len(long[::2]))
    items[:] = [*long[::2], *others[:half], *long[1::2], *others[half:]]
