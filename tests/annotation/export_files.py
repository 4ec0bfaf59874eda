"""Exports read as a source reads them, for tests."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perennial.ingest.sources.annotation.opinions import Export
from perennial.ingest.sources.annotation.reading import ExportOutcome, Manner, Open, rows_of_exports
from perennial.ingest.sources.annotation.recognition import BLANK, recognised_form
from perennial.ingest.sources.annotation.tools import FORMS


@dataclass(frozen=True)
class Read:
    rows: list[dict[str, Any]]
    outcome: ExportOutcome
    forms: list[str | None]

    @property
    def left_out(self) -> int:
        return self.outcome.tally.left_out.total()

    @property
    def changed(self) -> int:
        return self.outcome.tally.changed.total()


def opener(path: Path) -> Open:
    @contextmanager
    def opened() -> Iterator[Export]:
        with path.open("rb") as stream:
            yield Export(path, path.name, stream)

    def open_export() -> AbstractContextManager[Export]:
        return opened()

    return open_export


def read(paths: Sequence[Path], wanted: Sequence[str] | None = None, **manner: Any) -> Read:
    """Recognise the files and read their rows; all must be of one form, or blank."""
    forms = []
    for path in paths:
        with opener(path)() as export:
            forms.append(recognised_form(export))
            assert export.stream.tell() == 0
    names = {form for form in forms if form != BLANK}
    assert len(names) == 1
    form = names.pop()
    assert form is not None
    outcome = ExportOutcome()
    told = [opener(path) for path, form_of_path in zip(paths, forms, strict=True) if form_of_path != BLANK]
    settings = Manner(**{"default_offsets": FORMS[form].tool.offsets, **manner})
    rows = [
        {name: cells[index] for name, cells in batch.columns.items()}
        for batch in rows_of_exports(told, FORMS[form].reader, settings, wanted, outcome)
        for index in range(len(batch.numbers))
    ]
    return Read(rows, outcome, forms)


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
