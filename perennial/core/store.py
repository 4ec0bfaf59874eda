"""The content-addressed, crash-safe store of step outputs.

An entry is a folder `store/<step>/<key>/`: the step's files, `record.json` (the frozen record the step gave) and
`manifest.json` (sha256 and size of every file). It is written beside its place, fsynced, and renamed into it, so an
entry is whole or not there at all.
"""

import errno
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO, TypeVar
from uuid import uuid4

from pydantic import TypeAdapter
from pydantic import ValidationError as RecordMismatch

from perennial.core import digest, progress
from perennial.core.errors import StoreError, listing
from perennial.core.record import Record

R = TypeVar("R", bound=Record)

RECORD = "record.json"
MANIFEST = "manifest.json"
CHANGED = "changed since it was written"
DISCARDED = ".removed-"
"""How the name starts of what is on its way out."""
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_ACCESS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}


class Seal(Record):
    """What a file was when its entry was sealed."""

    sha256: str
    bytes: int
    mtime_ns: int | None = None
    """When it was written; None: an older Perennial sealed it."""


Manifest = TypeAdapter(dict[str, Seal])


class Store:
    """Step outputs under one folder, each under the key of what it was made from."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, step: str, key: str) -> Path:
        """Where the entry of `step` under `key` is, or would be."""
        return self.root / step / key

    def relative(self, path: Path) -> str:
        """`path` inside the store as records name it: relative to the root, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def get_or_make(
        self, step: str, key: str, record: type[R], make: Callable[[Path], R], *, by_stamp: bool = False
    ) -> R:
        """The record stored under `key`; if it is not there whole, `make(folder)` writes its files and returns it.

        A damaged entry is set aside and made again; `by_stamp`: as in `get`. Raises StoreError when the disk is full or
        not writable.
        """
        stored = self.get(step, key, record, by_stamp=by_stamp)
        if stored is not None:
            return stored
        with self._writing(step, key) as folder:
            made = make(folder)
            self._seal(folder, made)
            ours = self._rename(folder, self.folder(step, key))
        # A training is never the same twice, bit by bit: what counts is what is stored.
        return made if ours else self.get(step, key, record) or made

    def put(self, step: str, record: type[R], write: Callable[[Path], tuple[str, R]]) -> R:
        """Store what `write(folder)` writes under the key it then returns with its record: one made of the content.

        For streams, whose key is only known at their end. Raises StoreError when the disk is full or not writable.
        """
        with self._writing(step, "new") as folder:
            key, made = write(folder)
            if self.get(step, key, record) is None:
                self._seal(folder, made)
                self._rename(folder, self.folder(step, key))
        return made

    def get(self, step: str, key: str, record: type[R], *, by_stamp: bool = False) -> R | None:
        """The record stored under `key`, its files' digests checked; None if it is not there or was damaged.

        `by_stamp`: a file whose size and time are those it was sealed with is not read, for entries of which there are
        ever more; `perennial doctor` reads them all.
        """
        # Damaged entries go to a folder beside the store.
        with clear_disk_errors(self.root.parent, step):
            return self._get(step, key, record, by_stamp)

    def _get(self, step: str, key: str, record: type[R], by_stamp: bool) -> R | None:
        folder = self.folder(step, key)
        if not folder.exists():
            return None
        damage = self.damage(folder, by_stamp=by_stamp)
        if not damage:
            try:
                return record.model_validate_json((folder / RECORD).read_bytes())
            except RecordMismatch:
                damage = [f"{RECORD} is not a {record.__name__}"]
        aside = self._set_aside(folder)
        progress.note(f"{step} entry {key[:12]} was damaged ({listing(damage)}); set aside in {aside}, made again")
        return None

    def forget(self, step: str, key: str) -> None:
        """Remove the entry under `key`, so that it is made again; killed on the way, it is whole or not there."""
        with clear_disk_errors(self.root, step):
            discard(self.folder(step, key))

    def damage(self, folder: Path, *, by_stamp: bool = False) -> list[str]:
        """What is wrong with the entry at `folder`, file by file; empty if it is whole. `by_stamp`: as in `get`."""
        try:
            manifest = Manifest.validate_json((folder / MANIFEST).read_bytes())
        except (OSError, ValueError):
            return [f"{MANIFEST} can't be read"]
        if RECORD not in manifest:
            return [f"{MANIFEST} does not name {RECORD}"]
        faults = ((name, _fault(folder / name, seal, by_stamp)) for name, seal in manifest.items())
        return [f"{name} is {fault}" for name, fault in faults if fault]

    def entries(self) -> Iterator[Path]:
        """Every entry's folder."""
        for manifest in sorted(self.root.glob(f"*/*/{MANIFEST}")):
            # What a killed run left half made starts with a dot.
            if not manifest.parent.name.startswith("."):
                yield manifest.parent

    @contextmanager
    def _writing(self, step: str, key: str) -> Iterator[Path]:
        temporary: Path | None = None
        try:
            with clear_disk_errors(self.root, step):
                (self.root / step).mkdir(parents=True, exist_ok=True)
                temporary = Path(tempfile.mkdtemp(prefix=f".{key[:12]}-", dir=self.root / step))
                yield temporary
        finally:
            if temporary is not None:
                shutil.rmtree(temporary, ignore_errors=True)

    def _seal(self, folder: Path, record: Record) -> None:
        (folder / RECORD).write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        manifest = {path.relative_to(folder).as_posix(): _sealed(path).model_dump() for path in files}
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        sync(folder)

    def _rename(self, folder: Path, target: Path) -> bool:
        """False: another process made the same entry meanwhile, and theirs serves."""
        try:
            folder.rename(target)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
            return False
        put_on_disk(target.parent)
        return True

    def _set_aside(self, folder: Path) -> Path:
        aside = self.root.parent / "damaged"
        aside.mkdir(exist_ok=True)
        target = Path(tempfile.mkdtemp(prefix=f"{folder.parent.name}-{folder.name[:12]}-", dir=aside))
        return folder.rename(target / folder.name)


@contextmanager
def clear_disk_errors(root: Path, step: str) -> Iterator[None]:
    """Turn what the disk under `root` refuses `step` (no space, no right to write) into a StoreError."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise _full(root, step) from error
        if error.errno in NO_ACCESS and _concerns(error, root):
            raise StoreError(
                f"The store {root} can't be written: {error.strerror}.",
                remedy="Give yourself the right to write there, or set PERENNIAL_HOME to another folder.",
            ) from error
        raise
    except Exception as error:
        # safetensors and Arrow say it in an exception of their own, and name the number in its text.
        number = re.search(r"\(os error (\d+)\)|\[errno (\d+)\]", str(error))
        if number and int(number[1] or number[2]) in NO_SPACE:
            raise _full(root, step) from error
        raise


def _full(root: Path, step: str) -> StoreError:
    return StoreError(
        f"The disk that holds {root} is full: step '{step}' could not write its output.",
        remedy="Free some space, or set PERENNIAL_HOME to a larger disk, and run the same command again; finished "
        "steps are kept.",
    )


@contextmanager
def written_atomically(path: Path) -> Iterator[TextIO]:
    """A file to write text to that takes the place of `path` when the block ends well; else `path` is as it was."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # Readable as any file of this user's, not only by them, as temporary files are.
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    put_on_disk(path.parent)


def write_atomically(path: Path, text: str) -> None:
    """Replace the file at `path` by `text`, or leave it as it was: never half of either."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_atomically(path) as file:
        file.write(text)


def _concerns(error: OSError, root: Path) -> bool:
    """Whether `error` is about something under `root`, or about a folder on the way to it."""
    path = Path(str(error.filename))
    return path.is_relative_to(root) or root.is_relative_to(path)


def discard(path: Path) -> None:
    """Remove a folder or file: renamed first, so that nobody ever finds half of it. Raises OSError."""
    aside = path.with_name(f"{DISCARDED}{path.name[:12]}-{uuid4().hex[:8]}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    if aside.is_dir():
        shutil.rmtree(aside)
    else:
        aside.unlink()


def sync(folder: Path) -> None:
    """Put everything in `folder` on the disk, so that a loss of power after it is renamed leaves it whole."""
    for path in [*folder.rglob("*"), folder]:
        put_on_disk(path)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _sealed(path: Path) -> Seal:
    status = path.stat()
    return Seal(sha256=digest.of_file(path), bytes=status.st_size, mtime_ns=status.st_mtime_ns)


def _fault(path: Path, seal: Seal, by_stamp: bool) -> str:
    try:
        status = path.stat()
    except OSError:
        return "missing"
    if not stat.S_ISREG(status.st_mode):
        return "missing"
    if status.st_size != seal.bytes:
        return f"{status.st_size:,} bytes, {seal.bytes:,} expected"
    return "" if (by_stamp and status.st_mtime_ns == seal.mtime_ns) or is_whole(path, seal) else CHANGED


def is_whole(path: Path, seal: Seal) -> bool:
    """Whether the file at `path` is what was sealed; reads all of it. If so, it has the time again that it had."""
    if digest.of_file(path) != seal.sha256:
        return False
    if seal.mtime_ns is not None and path.stat().st_mtime_ns != seal.mtime_ns:
        # A copied home has other times: read once, not in every run.
        with suppress(OSError):
            os.utime(path, ns=(seal.mtime_ns, seal.mtime_ns))
    return True


def put_on_disk(path: Path) -> None:
    """Let a file's content, or a folder's names, outlast a loss of power. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
