"""Which tests are for `make soak`: a mark `soak` names the small twin that shows the same in `make test`."""

import pytest

COLLECTED = pytest.StashKey[dict[str, bool]]()
"""Every test collected, before a tier leaves some out, and whether it is for `make soak`."""


def keep(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep which tests there are, for tests/contract/test_tiers.py."""
    config.stash[COLLECTED] = {item.nodeid: item.get_closest_marker("soak") is not None for item in items}
