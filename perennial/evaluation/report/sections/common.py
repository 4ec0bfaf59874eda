"""What several sections share."""

from __future__ import annotations

from perennial.evaluation.report.blocks import Section, Words

WIDEST_MATRIX = 12
"""Labels up to which the confusion matrix is a table."""


def without(name: str, title: str, why: str) -> Section:
    """A section that says only why there is nothing to show."""
    return Section(name, title, (Words(why, "quiet"),))
