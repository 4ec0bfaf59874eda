"""The sections of a report, each made from the run's records: what was measured, and where something was not, that."""

from __future__ import annotations

from perennial.evaluation.report.blocks import Section
from perennial.evaluation.report.material import Material
from perennial.evaluation.report.sections.behaviours import behaviours_section, fairness_section
from perennial.evaluation.report.sections.explanations import explanations_section
from perennial.evaluation.report.sections.gates import checks_section
from perennial.evaluation.report.sections.model import lineage_section, serving_section, training_section
from perennial.evaluation.report.sections.quality import (
    calibration_section,
    figures_section,
    flips_section,
    labels_section,
    mistakes_section,
    slices_section,
)
from perennial.evaluation.report.sections.rows import data_section


def all_of(material: Material) -> tuple[Section, ...]:
    """Every section, in the order of the page."""
    made = (
        figures_section, checks_section, labels_section, mistakes_section, slices_section, flips_section,
        calibration_section, behaviours_section, fairness_section, explanations_section, serving_section,
        training_section, data_section, lineage_section,
    )  # fmt: skip
    return tuple(make(material) for make in made)
