"""Where Perennial keeps what it makes: rights, space, damage and what killed runs left behind."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from perennial.core import progress
from perennial.core.errors import listing
from perennial.core.home import Home
from perennial.doctor.finding import HealthFinding

LITTLE_SPACE = 5e9
TOO_LITTLE_SPACE = 1e9
STALE_SECONDS = 24 * 3600
"""A temporary folder as old as this belongs to no run that is still going."""


def home_folder(home: Home) -> Iterator[HealthFinding]:
    """The home can be written."""
    existing = _nearest(home.root)
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        remedy = "Give yourself the right to write there, or set PERENNIAL_HOME to another folder."
        yield HealthFinding.problem("home", f"{home.root} can't be written: {error.strerror}", remedy)
    else:
        state = "can be written" if home.root.is_dir() else "is not there yet; the first run makes it"
        yield HealthFinding.ok("home", f"{home.root} {state}")


def disk(home: Home) -> Iterator[HealthFinding]:
    """There is space for the next run."""
    free = shutil.disk_usage(_nearest(home.root)).free
    observed = f"{_size(free)} free on the disk that holds {home.root}"
    remedy = "Free some space, or set PERENNIAL_HOME to a larger disk."
    if free < TOO_LITTLE_SPACE:
        yield HealthFinding.problem("disk", observed, remedy)
    elif free < LITTLE_SPACE:
        yield HealthFinding.warning("disk", observed, remedy)
    else:
        yield HealthFinding.ok("disk", observed)


def leftovers(home: Home) -> Iterator[HealthFinding]:
    """What killed runs left: temporary folders, checkpoints, damaged entries that were set aside."""
    temporary = [folder for folder in home.store.root.glob("*/.*") if folder.is_dir() and _is_stale(folder)]
    checkpoints = [folder for folder in home.checkpoints("").glob("*") if folder.is_dir()]
    damaged = list((home.root / "damaged").glob("*"))
    if temporary:
        remedy = f"`perennial gc` removes them: {listing(temporary)}"
        yield HealthFinding.warning("leftovers", f"{_counted(temporary, 'temporary folder')} of a killed run", remedy)
    if checkpoints:
        remedy = "The same command resumes from them; `perennial gc` removes those that nothing resumes for weeks."
        yield HealthFinding.warning(
            "leftovers", f"{_counted(checkpoints, 'checkpoint')} of an unfinished training", remedy
        )
    if damaged:
        remedy = (
            f"They were made again. Check the disk, then remove {home.root / 'damaged'}, or leave it to `perennial gc`."
        )
        yield HealthFinding.warning("leftovers", f"{_counted(damaged, 'damaged store entry', 'ies')} set aside", remedy)
    if not (temporary or checkpoints or damaged):
        yield HealthFinding.ok("leftovers", "nothing was left behind by killed runs")


def store(home: Home) -> Iterator[HealthFinding]:
    """Every file of the store is what was written."""
    entries = list(home.store.entries())
    faults: list[str] = []
    for number, folder in enumerate(entries):
        progress.advance(number, len(entries), unit="entries", detail="checking the store's digests")
        name = folder.relative_to(home.store.root).as_posix()
        faults += [f"{name}: {fault}" for fault in home.store.damage(folder)]
    if faults:
        remedy = "Check the disk. Derived entries are made again by the next run; for parts run with --reread."
        yield HealthFinding.problem("store", f"{len(faults):,} damaged files: {listing(faults)}", remedy)
    else:
        size = _size(_bytes(home.store.root))
        yield HealthFinding.ok("store", f"{len(entries):,} entries, {size}, all whole" if entries else "empty")


def _nearest(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.is_dir())


def _is_stale(folder: Path) -> bool:
    return time.time() - folder.stat().st_mtime > STALE_SECONDS


def _counted(folders: list[Path], noun: str, plural: str = "s") -> str:
    many = f"{noun.removesuffix('y') if plural == 'ies' else noun}{plural}"
    return f"{len(folders):,} {noun if len(folders) == 1 else many} ({_size(sum(map(_bytes, folders)))})"


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _size(size: float) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
