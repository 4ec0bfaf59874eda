"""Whether enough is new to be worth a training: counted since the rows that were trained on last.

Rows that are too few for a run are not taken in: the next one reads them again, with what came meanwhile. So they add
up over the days. What was taken in by a run that then failed counts, too, until one comes to its end.
"""

from pydantic import ValidationError as RecordMismatch

from perennial.core import digest
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.core.store import clear_disk_errors, write_atomically
from perennial.ingest import retirements
from perennial.records.data import Snapshot
from perennial.settings.pipeline import PipelineSpec

FILE = "trained.json"


class Trained(Record):
    """The rows of the last run that came to its end, and how they were trained on."""

    parts: int
    retired: int
    digest: str
    """Of those parts and what was retired of them."""
    settings: str
    """Of all else that makes a candidate or decides on it."""


def too_few(spec: PipelineSpec, snapshot: Snapshot, home: Home | None = None) -> str | None:
    """Why a run that nobody asked for is to be skipped, in words: fewer rows than schedule.min_new_rows are new,
    corrected or deleted since a run came to its end. None: it is not to be skipped.

    It is not when no run on this home (None: that of the environment) ended yet, when its rows were others (a snapshot
    that was read anew), or when pipeline.yaml, data.corrections, the base model or a library changed since.
    """
    needed = spec.schedule.min_new_rows if spec.schedule else 1
    before = _before(spec, home or Home.from_environment())
    if before is None or before.settings != _settings(spec, snapshot):
        return None
    if _digest(snapshot, before.parts, before.retired) != before.digest:
        return None
    changes = _changes(snapshot, before)
    if changes >= needed:
        return None
    what = f"{changes:,} row{' is' if changes == 1 else 's are'}" if changes else "no row is"
    return (
        f"Too few: {what} new, corrected or deleted since the last training, and schedule.min_new_rows is {needed:,}."
    )


def note_trained(spec: PipelineSpec, snapshot: Snapshot, home: Home) -> None:
    """Count from `snapshot` on: a run on it came to its end. Raises StoreError when the disk is full."""
    parts, retired = len(snapshot.parts), len(snapshot.retired)
    trained = Trained(
        parts=parts,
        retired=retired,
        digest=_digest(snapshot, parts, retired),
        settings=_settings(spec, snapshot),
    )
    with clear_disk_errors(home.root, "conclude"):
        write_atomically(home.state(spec.name) / FILE, trained.model_dump_json(indent=1) + "\n")


def _before(spec: PipelineSpec, home: Home) -> Trained | None:
    try:
        return Trained.model_validate_json((home.state(spec.name) / FILE).read_bytes())
    except (FileNotFoundError, RecordMismatch):
        # What can't be read skips nothing.
        return None


def _digest(snapshot: Snapshot, parts: int, retired: int) -> str:
    return retirements.digest_of_parts([part.sha256 for part in snapshot.parts[:parts]], snapshot.retired[:retired])


def _settings(spec: PipelineSpec, snapshot: Snapshot) -> str:
    from perennial.runs import run_key

    return digest.of_values(key=run_key.run_key_of(spec, snapshot.model_copy(update={"digest": ""})))


def _changes(snapshot: Snapshot, before: Trained) -> int:
    added = sum(part.rows for part in snapshot.parts[before.parts :])
    return added + sum(one.deleted for one in snapshot.retired[before.retired :])
