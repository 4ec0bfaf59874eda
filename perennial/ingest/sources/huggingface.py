"""Data sets of the `datasets` library: a hub name with a pinned revision, or a local folder; streamed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial.core import digest, progress, telemetry
from perennial.core.errors import SourceError, UnreachableError
from perennial.ingest.sources import dotted, parquet, saved_dataset, text_files
from perennial.ingest.sources.base import BATCH_ROWS, Piece, reread_remedy, wanted_columns
from perennial.rows.batch import Batch
from perennial.settings.data import HuggingFaceSource
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import datasets

FETCH_ROWS = BATCH_ROWS // 10
_AWAY = ("ConnectionError", "ConnectError", "ConnectTimeout", "ReadTimeout")
"""Of requests and httpx."""
COMMIT = re.compile(r"[0-9a-f]{40}")
"""A revision that can't move; a tag or branch can."""
SECONDS = 10
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+$")


def pieces(spec: PipelineSpec, source: HuggingFaceSource) -> list[Piece]:
    """The one piece a data set's split is.

    Raises SourceError for a folder that is not there and for a hub name without a revision.
    """
    folder = spec.folder / source.name
    local = folder.is_dir()
    pinned, moves = source, {}
    if not local:
        _require_pinned(source, folder)
        commit = hub_commit(source)
        if commit != source.revision:
            pinned, moves = source.model_copy(update={"revision": commit}), {"commit": commit}

    def read(_: datetime | None) -> Iterator[Batch]:
        return _read(pinned, folder if local else None, wanted_columns(spec))

    stamp = digest.of_values(source=source, files=_files(folder) if local else [], **moves)
    return [Piece(f"{source.name}:{source.split}", stamp, None, read, reread_remedy(spec.name))]


def _require_pinned(source: HuggingFaceSource, folder: Path) -> None:
    if not _HUB_NAME.match(source.name) or source.name.startswith("."):
        raise SourceError(
            f"There is no folder {folder}, which data.source.name leads to, and {source.name!r} is no hub name "
            "(owner/name).",
            remedy="Correct data.source.name, or put the folder there.",
        )
    if source.revision is None:
        raise SourceError(
            f"data.source.name {source.name!r} is no folder in the pipeline's, so it is a name on the hub; "
            "there it needs a revision, so that every run reads the same rows.",
            remedy="Set data.source.revision to a commit or tag, or put the folder where the name leads to.",
        )


def hub_commit(source: HuggingFaceSource, endpoint: str | None = None) -> str | None:
    """The commit that the revision of a data set on the hub is now, so that one that moved is read anew.

    Where the hub does not answer, the commit that this machine fetched last; if there is none, the revision itself,
    which is told. `endpoint`: the hub's address; None: the usual one.
    """
    revision = source.revision
    if revision is None or COMMIT.fullmatch(revision):
        return revision
    telemetry.off()
    import huggingface_hub

    try:
        hub = huggingface_hub.HfApi(endpoint=endpoint)
        return hub.dataset_info(source.name, revision=revision, timeout=SECONDS).sha or revision
    except Exception as error:  # noqa: BLE001 - whatever its clients raise; reading says what is wrong, if it fails too
        reason = type(error).__name__
    cached = _cached_commit(source.name, revision)
    progress.note(
        f"What revision {revision!r} of {source.name} is now could not be asked ({reason}); "
        + (f"commit {cached[:12]}, which was fetched last, is read." if cached else "it is taken not to have moved.")
    )
    return cached or revision


def _cached_commit(name: str, revision: str) -> str | None:
    from huggingface_hub import constants

    ref = Path(constants.HF_HUB_CACHE) / f"datasets--{name.replace('/', '--')}" / "refs" / revision
    try:
        commit = ref.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return commit if COMMIT.fullmatch(commit) else None


def _files(folder: Path) -> list[tuple[str, int, int]]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


def _read(source: HuggingFaceSource, folder: Path | None, names: tuple[str, ...]) -> Iterator[Batch]:
    name, start = f"{source.name}:{source.split}", 1
    with _clear_errors(source):
        if folder and (files := text_files.files_of_split(folder, source)):
            yield from text_files.read(files, name, names)
            return
        rows = _load(source, folder, names)
        features = dict(rows.features or {})
        checked = False
        for table in rows.with_format("arrow").iter(batch_size=FETCH_ROWS):
            if not checked:
                parquet.require_fields(name, table.schema, names)
                checked = True
            for arrow in table.select(dotted.roots_of(names, table.column_names)).to_batches():
                batch = parquet.batch_of(arrow, name, start, names)
                yield Batch(name, "row", batch.numbers, _named(batch.columns, features))
                start += arrow.num_rows
            progress.advance(start - 1, unit="rows", detail=f"reading {name}")


def _load(source: HuggingFaceSource, folder: Path | None, names: tuple[str, ...]) -> datasets.IterableDataset:
    telemetry.off()
    import datasets

    if folder and (folder / saved_dataset.STATE).is_file():
        # One that `load_dataset` refuses: a data set without splits, as `Dataset.save_to_disk` writes it.
        return datasets.load_from_disk(str(folder)).to_iterable_dataset()
    where = str(folder or source.name)
    settings: dict[str, object] = {"revision": source.revision} if folder is None else {}
    if folder and hasattr(datasets.load_dataset_builder(where, source.config).config, "keep_default_na"):
        # A folder of CSV: pandas would read 007 as 7 and NA as nothing.
        settings = {"keep_default_na": False, "converters": dict.fromkeys(names, _cell)}
    return datasets.load_dataset(where, source.config, split=source.split, streaming=True, **settings)


def _cell(text: str) -> str | None:
    return text or None


def _named(columns: Any, features: dict[str, Any]) -> dict[str, list[object]]:
    """Class labels by their names: their numbers mean nothing outside the data set."""
    named: dict[str, list[object]] = {}
    for column, values in columns.items():
        names = getattr(features.get(column), "names", None)
        labels = dict(enumerate(names)) if names else None
        named[column] = [labels.get(value) for value in values] if labels else values
    return named


@contextmanager
def _clear_errors(source: HuggingFaceSource) -> Iterator[None]:
    try:
        yield
    except SourceError as error:
        raise SourceError(
            f"The data set {source.name!r} (split {source.split!r}) can't be read: {error.problem}", remedy=error.remedy
        ) from error
    except (OSError, ValueError, TypeError, KeyError, ImportError, EOFError) as error:
        first = str(error).strip().partition("\n")[0][:300].rstrip(".")
        raise (UnreachableError if _may_pass(error) else SourceError)(
            f"The data set {source.name!r} (split {source.split!r}) can't be read: {first or type(error).__name__}.",
            remedy="Check data.source's name, config, split and revision; a name on the hub needs the network "
            "unless it is in the local cache.",
        ) from error


def _may_pass(error: BaseException | None) -> bool:
    """Whether the hub was not there: the reason lies somewhere down the chain, as this or that library's own class."""
    while error is not None:
        if isinstance(error, (ConnectionError, TimeoutError)) or type(error).__name__ in _AWAY:
            return True
        error = error.__cause__ or error.__context__
    return False
