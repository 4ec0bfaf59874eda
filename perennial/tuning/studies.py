"""What searches found out: an SQLite file a pipeline, in it a study of Optuna's for each state of data and model."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from perennial.core import digest
from perennial.core.errors import BusyError, PerennialError, StoreError
from perennial.core.home import Home
from perennial.tuning import space
from perennial.tuning.space import Settings, Space, Value

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.storages import RDBStorage
    from optuna.study import StudySummary
    from optuna.trial import FrozenTrial

SETTINGS, SECONDS, PROBLEM = "settings", "seconds", "problem"
"""What is kept with each trial: all it was made with, what it took, and why it has no figure."""
BY_CHANCE = 5
"""Trials before the search draws conclusions; until then it looks around."""
TO_COMPARE = 4
"""Whole trials before one is cut short."""
FIRST_CUT = 2
"""The first epoch after which one may be: before, warm-up is most of what is seen."""
BUSY_SECONDS = 10.0


def file(home: Home, pipeline: str) -> Path:
    """Where the studies of `pipeline` are kept."""
    return home.tuning / f"{pipeline}.db"


def optuna() -> ModuleType:
    """The library, quiet. Raises PerennialError where it is not installed."""
    try:
        import optuna as library
    except ImportError as error:
        raise PerennialError(
            "`perennial tune` searches with Optuna, which is not installed here.",
            remedy="`make setup` installs it; elsewhere: pip install --constraint constraints.txt 'perennial[tune]'.",
        ) from error
    library.logging.set_verbosity(library.logging.ERROR)
    return library


def verify_studies(path: Path) -> None:
    """Raises as `opened` does, in an instant."""
    optuna()
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        return
    with _clear_errors(path), closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        [(verdict,), *_] = connection.execute("PRAGMA quick_check").fetchall()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"malformed: {verdict}")


@contextmanager
def open_studies(path: Path) -> Iterator[RDBStorage]:
    """The studies in the file at `path`, made if it is not there.

    Raises StoreError when it is damaged or can't be written, and BusyError when another program holds it.
    """
    library = optuna()
    verify_studies(path)
    with _clear_errors(path):
        storage = _storage(library, path)
        try:
            yield storage
        finally:
            storage.remove_session()
            storage.engine.dispose()


def study_of(storage: RDBStorage, key: str, *, lower_is_better: bool) -> Study:
    """The study of what has this `key`; trials that a killed search left at work are marked as failed."""
    library = optuna()
    study: Study = library.create_study(
        storage=storage,
        study_name=key,
        direction="minimize" if lower_is_better else "maximize",
        pruner=library.pruners.MedianPruner(n_startup_trials=TO_COMPARE, n_warmup_steps=FIRST_CUT),
        load_if_exists=True,
    )
    states = library.trial.TrialState
    for trial in study.get_trials(deepcopy=False, states=(states.RUNNING, states.WAITING)):
        # One that waits can only be taken, not told.
        study.tell(study.ask() if trial.state == states.WAITING else trial.number, state=states.FAIL)
    return study


def next_trial(study: Study, wanted: Settings | None, tuned: Space, seed: int) -> Trial:
    """A new trial, of the `wanted` settings, or of those that the trials so far suggest."""
    library = optuna()
    number = len(study.get_trials(deepcopy=False))
    # Seeded for each trial: a search that was interrupted goes on as it would have gone on.
    own = int(digest.of_values(seed=seed, trial=number)[:8], 16)
    study.sampler = library.samplers.TPESampler(seed=own, n_startup_trials=BY_CHANCE)
    if wanted is not None:
        study.enqueue_trial(space.point_of(tuned, wanted), user_attrs={SETTINGS: dict(wanted)})
    trial = study.ask(space.distributions(tuned))
    if wanted is None:
        trial.set_user_attr(SETTINGS, space.settings(tuned, trial.params))
    return trial


def trial_settings(trial: FrozenTrial | Trial) -> dict[str, Value]:
    """All that a trial was made with; empty of one that was killed before it was known."""
    return dict(trial.user_attrs.get(SETTINGS, {}))


def finished(study: Study) -> list[FrozenTrial]:
    """The trials that have a figure to compare."""
    return study.get_trials(deepcopy=False, states=(optuna().trial.TrialState.COMPLETE,))


def finished_trials(study: Study) -> list[FrozenTrial]:
    """The trials that came to something: a figure, or the knowledge that they are no good."""
    states = optuna().trial.TrialState
    return study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED))


def best_finished(trials: Sequence[FrozenTrial], now: Settings, *, lower_is_better: bool) -> FrozenTrial | None:
    """The best of the finished `trials`; of equals one with the settings `now`, or the oldest."""
    sign = -1 if lower_is_better else 1
    key = [(sign * (trial.value or 0.0), trial_settings(trial) == now, -trial.number) for trial in trials]
    return trials[key.index(max(key))] if trials else None


def trial_with(trials: Sequence[FrozenTrial], wanted: Settings) -> FrozenTrial | None:
    """The newest of `trials` that was made with just these settings."""
    return next((trial for trial in reversed(trials) if trial_settings(trial) == wanted), None)


def first(storage: RDBStorage, study: Study, now: Settings, tuned: Space) -> list[dict[str, Value]]:
    """Settings to be tried before any are drawn: those as they are, those whose trials were cut short, and, on new
    data, the best of the last study."""
    failed = study.get_trials(deepcopy=False, states=(optuna().trial.TrialState.FAIL,))
    candidates = [dict(now)] if trial_with(finished(study), now) is None else []
    candidates += [trial_settings(trial) for trial in failed if trial_settings(trial)]
    if not finished_trials(study):
        candidates += [space.fitting(tuned, one, now) for one in _of_last(storage, study, now)]
    done = [trial_settings(trial) for trial in finished_trials(study)]
    first_settings: list[dict[str, Value]] = []
    for one in candidates:
        if one not in first_settings and (one == now or one not in done):
            first_settings.append(one)
    return first_settings


def _of_last(storage: RDBStorage, study: Study, now: Settings) -> list[dict[str, Value]]:
    """The best settings of the newest other study that has any."""
    library = optuna()
    others = [one for one in library.get_all_study_summaries(storage) if one.best_trial is not None]
    others = [one for one in others if one.study_name != study.study_name]
    if not others:
        return []
    newest = library.load_study(study_name=max(others, key=_began).study_name, storage=storage)
    lower = newest.direction == library.study.StudyDirection.MINIMIZE
    chosen = best_finished(finished(newest), now, lower_is_better=lower)
    return [trial_settings(chosen)] if chosen else []


def _began(study: StudySummary) -> datetime:
    assert study.datetime_start is not None, "it has a trial"  # noqa: S101
    return study.datetime_start


def _storage(library: ModuleType, path: Path) -> RDBStorage:
    # A path may hold what means something else in an address.
    connecting = {"creator": lambda: sqlite3.connect(path, timeout=BUSY_SECONDS)}
    try:
        made: RDBStorage = library.storages.RDBStorage("sqlite://", engine_kwargs=connecting)
    except RuntimeError as error:
        raise StoreError(
            f"{path}, which holds what `perennial tune` found out, is of another version of Optuna than the one here "
            f"({library.__version__}).",
            remedy="Move it away, and run again: the search starts anew. Nothing else needs it.",
        ) from error
    return made


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    from sqlalchemy.exc import DatabaseError

    library = optuna()
    try:
        yield
    except (sqlite3.Error, DatabaseError, library.exceptions.StorageInternalError) as error:
        raise _explained(path, error) from error


def _explained(path: Path, error: BaseException) -> PerennialError:
    causes = [error, error.__cause__, error.__context__]
    words = " ".join(str(getattr(one, "orig", one)) for one in causes if one is not None).lower()
    if "locked" in words:
        return BusyError(
            f"{path}, which holds what `perennial tune` found out, is locked by another program.",
            remedy="End what reads or writes it, such as a viewer of the study, and run again.",
        )
    if "full" in words:
        return StoreError(
            f"The disk that holds {path} is full.", remedy="Free some space, and run again; finished trials are kept."
        )
    if "readonly" in words or "unable to open" in words or not os.access(path.parent, os.W_OK):
        return StoreError(
            f"{path}, which holds what `perennial tune` found out, can't be written.",
            remedy="Give yourself the right to write there, or set PERENNIAL_HOME to another folder.",
        )
    return StoreError(
        f"{path}, which holds what `perennial tune` found out, is damaged.",
        remedy="Move it away, and run again: the search starts anew. Nothing else needs it.",
    )
