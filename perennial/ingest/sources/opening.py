"""Files opened: unpacked where they are gzipped, and what can go wrong told in a sentence."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from perennial.core.errors import SourceError


@contextmanager
def opened(path: Path, name: str) -> Iterator[BinaryIO]:
    """The bytes of the file at `path`, unpacked. Raises SourceError as `clear_errors` does."""
    with clear_errors(name), path.open("rb") as file:
        yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if path.suffix.lower() == ".gz" else file


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
            f"{name} ends in the middle of its gzip stream: it is truncated.",
            remedy="Copy or write the file again; nothing of it was taken in.",
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(
            f"{name} is no sound gzip file: {error}.", remedy="Write the file again, or drop the .gz if it is plain."
        ) from error
    except OSError as error:
        raise SourceError(
            f"{name} can't be read: {error.strerror or error}.", remedy="Look at the disk or the mount."
        ) from error
