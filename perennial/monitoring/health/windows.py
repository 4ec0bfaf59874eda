"""Windows of stored texts: as many as settings say, one after another, of one version each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("id", "text", "time", "read", "story", "model", "label", "score", "scores", "kept")
"""Of stored texts, those that health is told from."""


@dataclass(frozen=True)
class Bounds:
    """Where a window that was looked at begins and ends."""

    first: str
    """The id of its first text."""
    last: str
    read: datetime
    """When its last text was read."""


@dataclass(frozen=True)
class LiveWindow:
    """A full window that was not looked at before."""

    model: str
    table: pa.Table
    """COLUMNS, in the order in which they were read."""

    @property
    def bounds(self) -> Bounds:
        """By which it is known again."""
        ids = self.table["id"]
        return Bounds(ids[0].as_py(), ids[-1].as_py(), self.table["read"][-1].as_py())


@dataclass
class WindowReader:
    """Cuts stored texts into windows of `size`, and keeps of older windows what was labelled since."""

    size: int
    known: Mapping[str, Sequence[Bounds]]
    """By version, the windows that were looked at, oldest first."""
    labelled: pa.Array
    """Ids of texts with labels."""
    answers: dict[str, dict[int, dict[str, str]]] = field(default_factory=dict)
    """By version and number in `known`: the answers to labelled texts; of windows that are still there as a whole.
    Complete once all windows were read."""
    latest: str | None = None
    """The version that answered the last text."""

    def windows(self, tables: Iterable[pa.Table]) -> Iterator[LiveWindow]:
        """The full windows that come after those that are known, as their texts are read; versions by themselves."""
        import pyarrow.compute as pc

        versions: dict[str, _Version] = {}
        for table in tables:
            kept = table.select(COLUMNS).filter(pc.is_valid(table["model"]))
            if kept.num_rows:
                self.latest = kept["model"][-1].as_py()
            for model in pc.unique(kept["model"]).to_pylist():
                if model not in versions:
                    answers = self.answers.setdefault(model, {})
                    versions[model] = _Version(self.size, self.known.get(model, ()), self.labelled, answers)
                for window in versions[model].add(kept.filter(pc.equal(kept["model"], model))):
                    yield LiveWindow(model, window)
        for model, version in versions.items():
            for window in version.rest():
                yield LiveWindow(model, window)


class _Version:
    """The texts of one version."""

    def __init__(
        self, size: int, looked_at: Sequence[Bounds], labelled: pa.Array, answers: dict[int, dict[str, str]]
    ) -> None:
        self._size, self._looked_at, self._labelled, self._answers = size, looked_at, labelled, answers
        self._pending: list[pa.Table] = []
        self._is_new = not looked_at
        self._ends = {bounds.last: number for number, bounds in enumerate(looked_at)}
        self._begins = {bounds.first: number for number, bounds in enumerate(looked_at)}
        self._inside: tuple[int, dict[str, str]] | None = None

    def add(self, table: pa.Table) -> Iterator[pa.Table]:
        """The windows that are full with `table`."""
        if not self._is_new:
            table = self._after_known(table)
        if table.num_rows:
            self._pending.append(table)
        if self._is_new:
            yield from self._full()

    def rest(self) -> Iterator[pa.Table]:
        """Those of texts that were read after the last known one, where that one is kept no more."""
        if not self._is_new:
            yield from self._full()

    def _full(self) -> Iterator[pa.Table]:
        import pyarrow as pa

        while sum(each.num_rows for each in self._pending) >= self._size:
            whole = pa.concat_tables(self._pending)
            yield whole.slice(0, self._size)
            self._pending = [whole.slice(self._size)]

    def _after_known(self, table: pa.Table) -> pa.Table:
        """Of `table`, the texts after the last known one; before it was seen, those that were read later.

        The latter are forgotten when it is seen, as they come before it: a clock that was set back.
        """
        import pyarrow.compute as pc

        last = self._looked_at[-1]
        end = pc.index(table["id"], last.last).as_py()
        self._note_labelled(table if end < 0 else table.slice(0, end + 1))
        if end < 0:
            return table.filter(pc.greater(table["read"], last.read))
        self._is_new, self._pending = True, []
        return table.slice(end + 1)

    def _note_labelled(self, table: pa.Table) -> None:
        """Remember the answers to labelled texts of known windows."""
        import pyarrow as pa
        import pyarrow.compute as pc

        wanted = pa.concat_arrays([self._labelled, pa.array([*self._begins, *self._ends], pa.string())])
        few = table.filter(pc.is_in(table["id"], value_set=wanted))
        labelled = pc.is_in(few["id"], value_set=self._labelled).to_pylist()
        for key, answer, has_label in zip(few["id"].to_pylist(), few["label"].to_pylist(), labelled, strict=True):
            if key in self._begins:
                self._inside = self._begins[key], {}
            if self._inside is None:
                continue
            if has_label:
                self._inside[1][key] = answer
            if self._ends.get(key) == self._inside[0]:
                self._answers[self._inside[0]] = self._inside[1]
                self._inside = None
