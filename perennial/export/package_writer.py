"""Writing the package: the files, what they are, and the seal."""

import dataclasses
import os
from pathlib import Path

from perennial.inference.package import DESCRIPTION, PackageInfo, render, sha256


def write_package(folder: Path, info: PackageInfo) -> PackageInfo:
    """Write package.json for the files that lie in `folder`; `info` with their digests and its own.

    The same files and the same `info` give the same bytes.
    """
    files = {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.name != DESCRIPTION}
    complete = dataclasses.replace(info, files=files)
    path = folder / DESCRIPTION
    path.write_bytes(render(complete))
    return dataclasses.replace(complete, digest=sha256(path))


def package_size(folder: Path) -> int:
    """Bytes of all files of the package in `folder`."""
    return sum(entry.stat().st_size for entry in os.scandir(folder))
