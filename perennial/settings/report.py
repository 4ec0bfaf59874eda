"""Settings of the page about a run."""

from perennial.settings.base import Settings


class ReportSpec(Settings):
    """What the page about a run shows."""

    show_texts: bool = False
    """true: also the texts of the worst negative flips and of failing behavioural cases. Whoever can open the page, or
    the run in MLflow, reads them then; false: row ids and counts only."""
