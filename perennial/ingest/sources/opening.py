"""Files opened: unpacked where they are packed, and what can go wrong told in a sentence."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from perennial.core.errors import SourceError, listing

PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""Endings of packed files; what is in them, the ending before tells, of a zip the name inside."""


@contextmanager
def opened(path: Path, name: str) -> Iterator[BinaryIO]:
    """The bytes of the file at `path`, unpacked. Raises SourceError as `clear_errors` does."""
    with clear_errors(name), path.open("rb") as file:
        yield unpacked(file, path.suffix.lower(), name)


def unpacked(file: BinaryIO, ending: str, name: str) -> BinaryIO:
    """The bytes in `file`, whose name has this ending, unpacked as they are read. Raises SourceError for a zip of
    several files."""
    if ending == ".gz":
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if ending == ".bz2":
        return cast(BinaryIO, bz2.BZ2File(file))
    if ending == ".xz":
        return cast(BinaryIO, lzma.LZMAFile(file))
    if ending == ".zst":
        return cast(BinaryIO, _Zstandard(file))
    if ending == ".zip":
        archive = zipfile.ZipFile(file)
        return cast(BinaryIO, archive.open(_member(archive, name)))
    return file


def inner_name(path: Path) -> str:
    """The name of `path` without the ending of a packed file; of a zip, the name of the file in it.

    Raises SourceError for a zip that is damaged or holds several files.
    """
    if path.suffix.lower() not in PACKED:
        return path.name
    if path.suffix.lower() == ".zip" and path.is_file():
        with clear_errors(str(path)), zipfile.ZipFile(path) as archive:
            return _member(archive, str(path))
    return path.stem


def is_packed(path: Path) -> bool:
    """Whether the file's name says that it is packed."""
    return path.suffix.lower() in PACKED


def _member(archive: zipfile.ZipFile, name: str) -> str:
    names = [one.filename for one in archive.infolist() if not one.is_dir()]
    names = [one for one in names if not one.startswith("__MACOSX/") and not Path(one).name.startswith(".")]
    if len(names) == 1:
        return names[0]
    raise SourceError(
        f"{name} holds {len(names):,} files{f' ({listing(names)})' if names else ''}; one was expected.",
        remedy=f"Unpack it, for example with: unzip {name} -d data, and name the files that are meant.",
    )


class _Zstandard(io.RawIOBase):
    """A Zstandard stream, which can begin anew but not seek elsewhere."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._stream = self._begun()

    def read(self, size: int = -1) -> bytes:
        return cast(bytes, self._stream.read(size if size >= 0 else None))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if offset or whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only the beginning of a Zstandard stream can be sought")
        self._file.seek(0)
        self._stream = self._begun()
        return 0

    def _begun(self) -> Any:
        import pyarrow as pa

        return pa.CompressedInputStream(pa.PythonFile(self._file, mode="r"), "zstd")


@contextmanager
def clear_errors(name: str) -> Iterator[None]:
    """Inside the block, what goes wrong with the file `name` is raised as SourceError."""
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError(f"{name} has gone while it was to be read.", remedy="Put it back and run again.") from error
    except PermissionError as error:
        raise SourceError(f"{name} may not be read: permission denied.", remedy=f"Try: chmod u+r {name}") from error
    except EOFError as error:
        raise SourceError(
            f"{name} ends in the middle of its packed stream: it is truncated.",
            remedy="Copy or write the file again; nothing of it was taken in.",
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(
            f"{name} is no sound gzip file: {error}.", remedy="Write the file again, or drop the .gz if it is plain."
        ) from error
    except (zipfile.BadZipFile, lzma.LZMAError) as error:
        raise SourceError(
            f"{name} is no sound packed file: {error}.",
            remedy="Write the file again, or give it the ending that it is.",
        ) from error
    except OSError as error:
        raise SourceError(
            f"{name} can't be read: {error.strerror or error}.", remedy="Look at the disk or the mount."
        ) from error
    except RuntimeError as error:
        # What zipfile raises for a password.
        if "encrypted" not in str(error):
            raise
        raise SourceError(f"{name} is a zip with a password.", remedy="Unpack it and name what was in it.") from error
