"""A tiny pipeline up to its encoded rows, without Great Expectations and MLflow, to search on."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from forking import forked
from good_rows import checked

from perennial.core import progress
from perennial.core.home import Home
from perennial.ingest import snapshots
from perennial.pipeline_file import loader
from perennial.records.data import ValidatedData
from perennial.settings.data import SPLITS
from perennial.training.encoding import row_encoding
from perennial.tuning.search import search
from perennial.tuning.trial_context import TrialContext
from perennial.validation.read_rows import read_split

MakeContext = Callable[..., TrialContext]
WEAK = {"training__epochs": 1, "training__learning_rate": 1e-4, "training__head_learning_rate": 1e-3}
"""Changes of the tiny pipeline's settings with which it learns little, so that there is something to find."""


def prepare(folder: Path) -> TrialContext:
    """The pipeline in `folder`/tiny with its rows, in the home `folder`/home."""
    spec, home = loader.read_pipeline(folder / "tiny" / "pipeline.yaml"), Home(folder / "home")
    snapshot = snapshots.ingest(spec, home)
    snapshots.accept(spec, snapshot, home)
    validated = _counted(checked(snapshot), home)
    return TrialContext(spec, validated, row_encoding.encode(spec, validated, home), home)


def _counted(data: ValidatedData, home: Home) -> ValidatedData:
    """`data` with its rows in each split."""
    rows = {split: read_split(data, home.store, split, ["text"]).num_rows for split in SPLITS}
    return data.model_copy(update={"rows": rows})


class Killer(progress.Silent):
    """Kills this process at a step of the second training."""

    def __init__(self, step: float) -> None:
        self.step, self.begun = step, Counter[str]()

    def begin(self, step: str) -> None:
        self.begun[step[:5]] += 1

    def advance(self, done: float, total: float | None, unit: str, detail: str) -> None:
        if self.begun["trial"] == 2 and unit == "step" and done == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def killed(folder: Path) -> None:
    """Search on the pipeline in `folder` in another process, which is killed in its second trial."""
    assert forked(search_until_killed, str(folder)) == -signal.SIGKILL


def search_until_killed(folder: str) -> None:
    with progress.heard_by(Killer(step=5)):
        search(prepare(Path(folder)), trials=2)
