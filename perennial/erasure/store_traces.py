"""What the home's store and state still hold of forgotten rows: every step's entries that hold rows or name them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial.core.home import Home
from perennial.core.store import RECORD, discard
from perennial.erasure import page_rows
from perennial.evaluation import label_errors, package_evaluation, stored_answers
from perennial.evaluation.report import run_report
from perennial.ingest import differing, parts, retirements, rewriting, snapshot_heads
from perennial.ingest.forgotten import ForgottenRows, Sieve
from perennial.rows import spreadsheet
from perennial.rows.columns import ROW_ID
from perennial.training.encoding import row_encoding
from perennial.validation import part_validation, quarantine, snapshot_validation

if TYPE_CHECKING:
    from collections.abc import Collection

HOLDS_ROWS = (
    parts.STEP,
    retirements.STEP,
    part_validation.STEP,
    snapshot_validation.REPORT_STEP,
    row_encoding.STEP,
    package_evaluation.STEP,
    run_report.STEP,
)
LEFTOVERS = "what killed runs left"


@dataclass(frozen=True)
class StoreTrace:
    """An entry of the store, or a file of the home, that holds forgotten rows or names them."""

    path: Path
    what: str
    rows: int
    held_by: str = ""
    """The other pipeline that needs it; "": nobody does."""


@dataclass(frozen=True)
class StoreSearch:
    """Where forgotten rows of a pipeline are looked for."""

    home: Home
    pipeline: str
    rows: ForgottenRows
    own: Collection[str]
    """sha256 of the parts that the pipeline's snapshots name: their rows are looked for there."""
    others: Mapping[str, str]
    """Entries (`step/key`) that other pipelines need, with whose they are."""

    def sieve(self, folder: Path, *, beside: bool = True) -> Sieve:
        """What tells the forgotten rows of an entry, by when it was written."""
        made = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
        return Sieve(self.rows, beside=beside, made=made)

    def traces(self) -> Iterator[StoreTrace]:
        """Everything in the store and the pipeline's state but its snapshots."""
        looks = {
            parts.STEP: self._part,
            retirements.STEP: self._retirement,
            part_validation.STEP: self._validated,
            snapshot_validation.REPORT_STEP: self._validation_report,
            row_encoding.STEP: self._encoded,
            package_evaluation.STEP: self._evaluation,
            run_report.STEP: self._page,
        }
        for step, look in looks.items():
            for folder in sorted((self.home.store.root / step).glob("[!.]*")):
                try:
                    trace = look(folder)
                except (OSError, ValueError):
                    # What can't be read is of no use to any run, and may hold them. (Arrow's errors are ValueErrors.)
                    is_needed = f"{step}/{folder.name}" in self.others
                    trace = None if is_needed else StoreTrace(folder, "damaged entries", 1)
                if trace is not None:
                    yield trace
        yield from self._differing()

    def _held_by(self, sha256: str) -> str:
        """The other pipeline that needs a part; an own one that was erased from the snapshots counts for it, too."""
        return self.others.get(f"{parts.STEP}/{sha256}", "")

    def _part(self, folder: Path) -> StoreTrace | None:
        holder = self._held_by(folder.name)
        if folder.name in self.own or (holder and folder.name not in self.rows.parts()):
            return None
        hits = len(rewriting.matched_rows(folder / parts.FILE, self.sieve(folder)))
        return StoreTrace(folder, "rows of earlier snapshots", hits, holder) if hits else None

    def _retirement(self, folder: Path) -> StoreTrace | None:
        import pyarrow.parquet as pq

        holder = self.others.get(f"{retirements.STEP}/{folder.name}", "")
        sieve = self.sieve(folder)
        ids = pq.read_table(folder / retirements.FILE, columns=[ROW_ID])[ROW_ID].to_pylist()
        hits = sum(sieve.id_pseudonym(row_id) is not None for row_id in ids)
        # A deletion of a row of the same id may be another pipeline's own.
        return StoreTrace(folder, "lists of corrected and deleted rows", hits) if hits and not holder else None

    def _validated(self, folder: Path) -> StoreTrace | None:
        import pyarrow.parquet as pq

        source = _record(folder).get("checked", {}).get("source", {}).get("sha256", "")
        holder, is_erased = self._held_by(source), source in self.rows.parts()
        if holder and not is_erased:
            return None
        sieve = self.sieve(folder, beside=source not in self.own)
        with pq.ParquetFile(folder / part_validation.ROWS) as file:
            columns = sieve.columns(file.schema_arrow.names)
            hits = sum(int(sieve.is_forgotten(batch).sum()) for batch in file.iter_batches(20_000, columns=columns))
        hits += _quarantined(folder / part_validation.QUARANTINE, sieve)
        if not hits and not is_erased:
            return None
        return StoreTrace(folder, "validated rows and rows set aside", hits, holder)

    def _validation_report(self, folder: Path) -> StoreTrace | None:
        data = _record(folder).get("data", {}).get("parts", ())
        sources = {part.get("source", {}).get("sha256", "") for part in data}
        erased = sources & set(self.rows.parts())
        if not erased:
            return None
        holder = next(filter(None, map(self._held_by, sorted(erased))), "")
        return StoreTrace(folder, "validation reports", 1, holder)

    def _encoded(self, folder: Path) -> StoreTrace | None:
        import pyarrow as pa

        sieve, hits = self.sieve(folder), 0
        with pa.memory_map(str(folder / row_encoding.ROWS)) as file:
            reader = pa.ipc.open_file(file)
            for number in range(reader.num_record_batches):
                hits += sieve.key_hits(reader.get_batch(number).column(row_encoding.KEY).to_pylist())
        return StoreTrace(folder, "token ids", hits) if hits else None

    def _evaluation(self, folder: Path) -> StoreTrace | None:
        import pyarrow.parquet as pq

        if f"{package_evaluation.STEP}/{folder.name}" in self.others:
            return None
        sieve, hits = self.sieve(folder), 0
        for name in (stored_answers.PREDICTIONS, label_errors.FILE):
            if (folder / name).is_file():
                ids = pq.read_table(folder / name, columns=["row_id"])["row_id"].to_pylist()
                hits += sum(sieve.id_pseudonym(row_id) is not None for row_id in ids)
        return StoreTrace(folder, "answers to test rows", hits) if hits else None

    def _page(self, folder: Path) -> StoreTrace | None:
        if _record(folder).get("pipeline") != self.pipeline:
            return None
        page = (folder / run_report.FILE).read_text(encoding="utf-8")
        hits = page_rows.without_rows(page, self.sieve(folder))[1]
        return StoreTrace(folder, "reports", hits) if hits else None

    def _differing(self) -> Iterator[StoreTrace]:
        path = self.home.state(self.pipeline) / differing.FILE
        if path.is_file():
            sieve = self.sieve(path)
            hits = sum(_differs(row, sieve) for row in differing.read(self.home, self.pipeline))
            if hits:
                yield StoreTrace(path, "texts of which people said different things", hits)


def leftovers(home: Home) -> list[Path]:
    """What killed runs and damage left, which may hold rows in any state; nobody reads it any more."""
    half = [path for step in HOLDS_ROWS for path in (home.store.root / step).glob(".*")]
    damaged = [path for step in HOLDS_ROWS for path in (home.root / "damaged").glob(f"{step}-*")]
    return sorted([*half, *damaged, *(home.root / "tmp").glob("*")])


def erase(search: StoreSearch, trace: StoreTrace) -> None:
    """Remove what holds them; of a file that holds others, too, these lines alone."""
    if trace.path.name != differing.FILE:
        discard(trace.path)
        return
    sieve, rows = search.sieve(trace.path), differing.read(search.home, search.pipeline)
    kept = [row for row in rows if not _differs(row, sieve)]
    differing.write(search.home, search.pipeline, kept)


def drop_indexes(home: Home, pipeline: str) -> None:
    """Remove what is made again from the parts, and what was read and not accepted: both name rows."""
    state = home.state(pipeline)
    for path in [*state.glob("*.duckdb"), *state.glob("*.duckdb.wal"), *state.glob(f"snapshot-*{snapshot_heads.READ}")]:
        discard(path)


def _record(folder: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
    return record


def _quarantined(path: Path, sieve: Sieve) -> int:
    if not path.is_file():
        return 0
    csv.field_size_limit(1 << 30)
    with path.open(encoding="utf-8-sig", newline="") as file:
        ids = [row[quarantine.LEADING[0]] for row in csv.DictReader(file)]
    return sum(sieve.id_pseudonym(str(spreadsheet.unsafe(row_id))) is not None for row_id in ids)


def _differs(row: Mapping[str, Any], sieve: Sieve) -> bool:
    named = row.get("row_id") is not None and sieve.id_pseudonym(str(row["row_id"])) is not None
    return named or sieve.has_texts([text or "" for text in row["texts"].values()])
