"""What was forgotten of a pipeline's rows: keyed digests, by which they are known again without being kept.

They are kept beside the snapshots, so that a row that comes again is set aside, and what is left of it anywhere can be
looked for without asking who it was. The key lies beside the digests: they hide a text or an id from a glance, not from
somebody who has this home and guesses it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from perennial.core.errors import StoreError
from perennial.core.record import Record
from perennial.core.store import write_atomically
from perennial.ingest import parts
from perennial.ingest.canonical_rows import CanonicalBatch
from perennial.records.data import Part
from perennial.rows import folding, splits
from perennial.rows.columns import ROW_ID, TEXT_KEY

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

FILE = "forgotten.json"
ID, TEXT, SIDE, KEY = "id", "text", "side", "key"
"""What a digest is of: a row id, a row's text key, the key of one text of a pair, a row's key among token ids."""
DIGEST_BYTES = 16
PSEUDONYM = "forgotten-"
"""How the name starts that stands where a row's id stood."""


class ForgottenPart(Record):
    """A part of the history that held forgotten rows."""

    rows: int
    """How many."""
    train_rows: int
    """How many of them a model may have learned from."""
    now: str | None
    """sha256 of the part that took its place; None: nothing was left."""


class ForgetRequest(Record):
    """One time that somebody asked for rows to be forgotten."""

    number: int
    moment: datetime
    who: str
    reason: str
    columns: tuple[str, ...]
    """The canonical columns of the texts."""
    ids: tuple[str, ...] = ()
    """Digests of the ids that were given."""
    texts: tuple[str, ...] = ()
    """Digests of the rows' text keys that were given."""
    sides: tuple[str, ...] = ()
    """Digests of texts that were given alone, where rows have two."""
    unmatched: int = 0
    """How many of these were of no row that was held."""
    rows: tuple[str, ...] = ()
    """Digests of the ids of the rows that were matched."""
    keys: tuple[str, ...] = ()
    """Digests of their keys among token ids."""
    beside: tuple[str, ...] = ()
    """Digests of the text keys of rows that were matched by id: snapshots of other settings have other ids."""
    parts: dict[str, ForgottenPart] = Field(default={})
    """By sha256, the parts that held them."""
    erased: dict[str, int] = Field(default={})
    """How many things were erased, by what they were."""
    finished: datetime | None = None
    """When it was done to the end; None: it was cut short."""


class ForgottenRows(Record):
    """All that was asked of one pipeline."""

    salt: str
    requests: tuple[ForgetRequest, ...] = ()

    def digest(self, what: str, value: str) -> str:
        """The keyed digest of an id, a key or a text's key."""
        key = bytes.fromhex(self.salt)
        return hashlib.blake2b(f"{what}\0{value}".encode(), digest_size=DIGEST_BYTES, key=key).hexdigest()

    def with_request(self, request: ForgetRequest) -> ForgottenRows:
        """The same with `request` in the place of the one with its number, or after all others."""
        others = [one for one in self.requests if one.number != request.number]
        return self.model_copy(update={"requests": tuple(sorted([*others, request], key=lambda one: one.number))})

    def parts(self) -> dict[str, ForgottenPart]:
        """Every part that held forgotten rows, by sha256."""
        return {sha256: part for request in self.requests for sha256, part in request.parts.items()}


class Sieve:
    """Tells forgotten rows from others, by the digests of some requests."""

    def __init__(
        self,
        rows: ForgottenRows,
        requests: Sequence[ForgetRequest] | None = None,
        *,
        beside: bool = False,
        made: datetime | None = None,
    ) -> None:
        """`requests`: None: all. `beside`: the texts of rows that were matched by id count, too. `made`: when what is
        looked through was written: the ids of rows that were matched by their text may be those of other texts later;
        None: they don't count."""
        self._rows = rows
        asked = rows.requests if requests is None else requests
        older = [request for request in asked if made is not None and made <= (request.finished or request.moment)]
        self._ids = {one for request in asked for one in request.ids}
        self._matched = self._ids | {one for request in older for one in request.rows}
        self._keys = {one for request in older for one in request.keys}
        self._texts = {one for request in asked for one in (*request.texts, *(request.beside if beside else ()))}
        self._sides = {one for request in asked for one in request.sides}
        self._columns = tuple(dict.fromkeys(name for request in asked for name in request.columns))
        self.text_columns = self._columns
        """The canonical columns of the texts."""
        self.hits: set[str] = set()
        """The digests that matched so far."""

    def __bool__(self) -> bool:
        return bool(self._matched or self._texts or self._sides)

    def columns(self, names: Sequence[str]) -> list[str]:
        """Those of a table's columns `names` that `is_forgotten` needs."""
        texts = self._columns if self._sides else ()
        return [name for name in (ROW_ID, TEXT_KEY, *texts) if name in names]

    def is_forgotten(self, rows: pa.RecordBatch | pa.Table) -> np.ndarray:
        """Of each canonical row, whether it is (bool): by its id, its text, or one of its two texts."""
        import numpy as np

        mask = np.zeros(rows.num_rows, bool)
        if self._ids:
            mask |= self._among(self._ids, ID, rows.column(ROW_ID).to_pylist())
        if self._texts:
            mask |= self._among(self._texts, TEXT, rows.column(TEXT_KEY).to_pylist())
        if self._sides:
            for name in self._columns:
                if name in rows.schema.names:
                    mask |= self._among(self._sides, SIDE, [side_key(text) for text in rows.column(name).to_pylist()])
        return mask

    def id_pseudonym(self, row_id: str) -> str | None:
        """What stands for the id of a forgotten row; None: it is of another row."""
        value = self._rows.digest(ID, row_id)
        return f"{PSEUDONYM}{value[:DIGEST_BYTES]}" if value in self._matched else None

    def pseudonym(self, row_id: str) -> str:
        """What may stand for any row's id: it says nothing of it, and is the same each time."""
        return f"{PSEUDONYM}{self._rows.digest(ID, row_id)[:DIGEST_BYTES]}"

    def is_of(self, row_id: str, text: str | None) -> bool:
        """Whether a row of one text, by its id or the text (None: not known), is a forgotten one."""
        return self.id_pseudonym(row_id) is not None or (text is not None and self.has_texts([text]))

    def has_texts(self, texts: Sequence[str]) -> bool:
        """Whether these texts, in the order of the kind's, are a forgotten row's."""
        keys = [side_key(text) for text in texts]
        whole = splits.text_key(splits.SEPARATOR.join(folding.normalise(text) for text in texts))
        return self._rows.digest(TEXT, whole) in self._texts or any(
            self._rows.digest(SIDE, key) in self._sides for key in keys
        )

    def key_hits(self, keys: Iterable[int]) -> int:
        """How many of these keys among token ids are of forgotten rows."""
        return sum(self._rows.digest(KEY, str(key)) in self._keys for key in set(keys)) if self._keys else 0

    def _among(self, digests: set[str], what: str, values: Sequence[str | None]) -> np.ndarray:
        import numpy as np

        made = [None if value is None else self._rows.digest(what, value) for value in values]
        self.hits.update(one for one in made if one in digests)
        return np.array([one in digests for one in made], bool)


def side_key(text: str | None) -> str:
    """The key of one text alone, by the same rule as a row's text key."""
    return splits.text_key(folding.normalise(text or ""))


def read_forgotten(state: Path) -> ForgottenRows | None:
    """What was forgotten of the rows of the pipeline whose `state` that folder is; None: nothing.

    Raises StoreError when the record can't be read: without it forgotten rows would come back unnoticed.
    """
    path = state / FILE
    try:
        return ForgottenRows.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise StoreError(
            f"The record of the rows that were forgotten, {path}, can't be read, so nothing is taken in: they might "
            "come back.",
            remedy="Restore that file from a backup; or move it away, and run `perennial forget` for the same rows.",
        ) from error


def parts_now(state: Path, before: Sequence[Part]) -> tuple[Part, ...]:
    """What is left of parts that a version was made from, where rows of them were forgotten since."""
    rows = read_forgotten(state)
    return tuple(left for part in before if (left := _left_of(part, rows.parts() if rows else {})))


def _left_of(part: Part, erased: Mapping[str, ForgottenPart]) -> Part | None:
    while part.sha256 in erased:
        now, gone = erased[part.sha256].now, erased[part.sha256].rows
        if now is None:
            return None
        path = f"{parts.STEP}/{now}/{parts.FILE}"
        part = part.model_copy(update={"path": path, "sha256": now, "rows": part.rows - gone})
    return part


def write_forgotten(state: Path, rows: ForgottenRows) -> None:
    """Keep the record, in place of the one before."""
    write_atomically(state / FILE, rows.model_dump_json(indent=1) + "\n")


def new_record() -> ForgottenRows:
    """Nothing forgotten yet, and a key of its own."""
    return ForgottenRows(salt=secrets.token_hex(32))


def sieve_of(state: Path) -> Sieve | None:
    """What tells the rows that must not come in again; None: there are none."""
    rows = read_forgotten(state)
    sieve = Sieve(rows) if rows else None
    return sieve or None


def without_forgotten(batch: CanonicalBatch, sieve: Sieve | None) -> tuple[CanonicalBatch, int]:
    """`batch` less what it says of forgotten rows, and how many rows and deletions that were."""
    import pyarrow as pa

    if sieve is None:
        return batch, 0
    gone = sieve.is_forgotten(batch.rows)
    dropped = [sieve.id_pseudonym(row_id) is not None for row_id in batch.deleted_ids.to_pylist()]
    if not gone.any() and not any(dropped):
        return batch, 0
    deleted = pa.array([not one for one in dropped], pa.bool_())
    kept = CanonicalBatch(
        batch.file,
        batch.rows.filter(pa.array(~gone)),
        [position for position, is_gone in zip(batch.row_positions, gone, strict=True) if not is_gone],
        batch.deleted_ids.filter(deleted),
        batch.deleted_times.filter(deleted),
        [position for position, is_gone in zip(batch.deleted_positions, dropped, strict=True) if not is_gone],
    )
    return kept, int(gone.sum()) + sum(dropped)


def now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)
