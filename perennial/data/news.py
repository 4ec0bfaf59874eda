"""Whether enough is new to be worth a training."""

from perennial.artifacts import Snapshot
from perennial.spec import PipelineSpec


def too_few(spec: PipelineSpec, snapshot: Snapshot) -> str | None:
    """Why a run that nobody asked for is to be skipped, in words; None: it is not."""
    needed = spec.schedule.min_new_rows if spec.schedule else 1
    if snapshot.new_rows >= needed:
        return None
    came = f"{snapshot.new_rows:,} new row{'' if snapshot.new_rows == 1 else 's'} came"
    return f"Too few: {came} since the last run, and schedule.min_new_rows is {needed:,}."
