"""The newest snapshot of each pipeline, under each of the settings that its rows were read with."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import Field
from pydantic import ValidationError as RecordMismatch

from perennial.core import digest
from perennial.core.errors import StoreError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.ingest import parts, retirements
from perennial.records.data import Snapshot, SourceReading
from perennial.settings.pipeline import PipelineSpec

FORMAT = 1
"""Raised when canonical rows or their ids change, so that old parts are not mixed with new ones."""
_LATER_SETTINGS = {"deleted"}
_LATER_OF_SOURCE = {"annotators", "offsets", "unlabelled"}
_NOT_OF_ROWS = {"lookback"}
"""Settings of a source that change what is asked for, and not what a row is."""
READ = ".read.json"
"""Of what was read and waits until it is accepted."""


class PieceState(Record):
    """What was read of a piece of the source."""

    stamp: str | None
    contents: str | None
    watermark: datetime | None
    """The newest time among its rows."""
    reading: SourceReading | None = None
    """Of an annotation tool's exports."""
    open_row: str | None = Field(default=None, exclude_if=lambda row: row is None)
    """The id of the row in its last line, which had no end; None: it had one."""


class Head(Record):
    """The newest snapshot, with how far each piece of the source was read."""

    snapshot: Snapshot
    pieces: dict[str, PieceState]
    splits: str | None = Field(default=None, exclude_if=lambda splits: splits is None)
    """The digest of how its rows were split and told apart; None: not known, or they have no ids."""
    whole_ids: bool | None = None
    """Whether an id 17.0 is taken for 17; None: kept by an older Perennial, which did not."""


def every_head(home: Home) -> list[Snapshot]:
    """The newest snapshot of every pipeline on `home`, under each of the settings it was read with.

    Raises StoreError when the record of one is damaged.
    """
    return [head.snapshot for head in heads_in(home).values()]


def heads_in(home: Home, pipeline: str = "*") -> dict[Path, Head]:
    """The heads of every pipeline on `home`, or of one, by their files. Raises StoreError when one is damaged."""
    paths = sorted(path for path in home.state("").glob(f"{pipeline}/snapshot-*.json") if not path.name.endswith(READ))
    heads = {path: read_head(path) for path in paths}
    return {path: head for path, head in heads.items() if head}


def head_path(spec: PipelineSpec, home: Home) -> Path:
    """Where the head of `spec`'s rows is, by the settings that they are read with."""
    return stored_at(spec, home).path


def first_head(pipeline: str) -> Head:
    """What a run starts from that reads the source from its beginning."""
    digest_of_nothing = retirements.digest_of_parts((), ())
    counts = {"rows": 0, "new_rows": 0, "repeated_rows": 0, "late_rows": 0}
    empty = Snapshot(pipeline=pipeline, digest=digest_of_nothing, parts=(), watermark=None, **counts)
    return Head(snapshot=empty, pieces={}, whole_ids=True)


def heads_before(stored: StoredAt) -> list[Head]:
    """Of each snapshot of the pipeline whose ids were split as they are now, the newest head; of damaged ones none."""
    heads = []
    for other in sorted(stored.path.parent.glob("snapshot-*.json")) if stored.splits else []:
        if not other.name.endswith(READ):
            with suppress(StoreError):
                head = read_head(other)
                heads += [head] if head and (other == stored.path or head.splits == stored.splits) else []
    return heads


class StoredAt(NamedTuple):
    """Where the newest head of a pipeline is, by its settings."""

    path: Path
    splits: str | None
    """As of `Head`."""


def stored_at(spec: PipelineSpec, home: Home) -> StoredAt:
    """Where the head of `spec`'s rows is, and how these are split."""
    data = spec.data
    # What is not set is left out, or a column that a newer Perennial knows would start every snapshot anew.
    named = {
        name: value
        for name, value in data.columns.model_dump(mode="json").items()
        if name not in _LATER_SETTINGS or value
    }
    source = data.source.model_dump(mode="json")
    fields = type(data.source).model_fields
    source = {
        key: value
        for key, value in source.items()
        if key not in _NOT_OF_ROWS and (key not in _LATER_OF_SOURCE or value != fields[key].default)
    }
    meaning = {"missing_labels": data.missing_labels} if data.missing_labels != "set_aside" else {}
    settings = digest.of_values(
        format=FORMAT, source=source, columns=named, kind=spec.kind, splits=data.splits, **meaning
    )
    row_id = data.columns.id
    group = data.columns.group if data.splits.by == "group" else None
    splits = None if row_id is None else digest.of_values(splits=data.splits, group=group, id=row_id)
    return StoredAt(home.state(spec.name) / f"snapshot-{settings[:12]}.json", splits)


def read_head(path: Path) -> Head | None:
    """The head that is kept at `path`; None: there is none yet. Raises StoreError when it is damaged."""
    try:
        return Head.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"The record of what was read so far, {path}, can't be read: {error.strerror}. The champion is untouched.",
            remedy="Give yourself the right to read it, or set PERENNIAL_HOME to another folder.",
        ) from error
    except RecordMismatch as error:
        raise StoreError(
            f"The record of what was read so far, {path}, is damaged. The champion is untouched.",
            remedy=parts.remedy(path.parent.name),
        ) from error
