"""The section on explanations: do the words that they name move the answers?"""

from __future__ import annotations

from perennial.core.percent import percent
from perennial.evaluation.report.blocks import Section, Table, Words
from perennial.evaluation.report.material import Material

TITLE = "Explanations"


def explanations_section(material: Material) -> Section:
    """The deletion curve beside random order."""
    measured = material.evidence.evaluation.faithfulness
    if measured is None:
        return Section("explanations", TITLE, (Words("Not measured in this run.", "quiet"),))
    words = Words(measured.sentence)
    if not measured.curve:
        return Section("explanations", TITLE, (words,))
    rows = tuple(
        (
            percent(point.share),
            f"{point.explained:.3f}",
            f"{point.random:.3f}",
            f"{point.explained - point.random:+.3f}",
        )
        for point in measured.curve
    )
    caption = "How far the explained score drops (of numbers: in standard deviations)"
    head = ("words left out", "in the explanation's order", "in random order", "difference")
    return Section("explanations", TITLE, (words, Table(head, rows, caption=caption)))
