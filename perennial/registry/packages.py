"""Packages on their way to and from the registry: whole, or not at all."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from perennial.core import progress
from perennial.core.errors import PackageError, RegistryError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.inference.package import DESCRIPTION, PackageInfo, read_package
from perennial.records.package import Champion
from perennial.registry import tags, tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

STEP = "packages"
FOLDER = "package"


class StoredPackage(Record):
    """A package that was downloaded into the store."""

    digest: str
    """sha256 of package.json."""


def fetch(client: "MlflowClient", home: Home, version: "ModelVersion") -> Champion:
    """The package of a registered version, in the store of `home`; downloaded only if it is not there whole.

    Raises RegistryError when the version is not Perennial's, or when its package is missing, incomplete or changed.
    """

    def write(folder: Path) -> None:
        progress.note(f"Downloading the package of version {version.version} of {version.name}.")
        _download(client, home, version, folder)

    return _kept(home, version, write)


def fetch_anew(client: "MlflowClient", home: Home, version: "ModelVersion", into: Home | None = None) -> Champion:
    """As `fetch`, but what the registry holds is downloaded and compared even if the store has it whole.

    `into`: the home whose store it goes to; None: `home`.
    """
    with fetched_anew(client, home, version) as whole:
        return _kept(into or home, version, lambda folder: shutil.copytree(whole, folder))


def _kept(home: Home, version: "ModelVersion", write: Callable[[Path], object]) -> Champion:
    expected = _digest_of(version)

    def make(folder: Path) -> StoredPackage:
        write(folder / FOLDER)
        return StoredPackage(digest=expected)

    home.store.get_or_make(STEP, expected, StoredPackage, make)
    return Champion(
        version=str(version.version),
        package_digest=expected,
        path=f"{STEP}/{expected}/{FOLDER}",
        splits=version.tags.get(tags.SPLITS),
    )


@contextmanager
def fetched_anew(client: "MlflowClient", home: Home, version: "ModelVersion") -> Iterator[Path]:
    """The package of a registered version for the block, from the registry whatever the store has of it.

    What other machines will get. Raises RegistryError as `fetch` does.
    """
    _digest_of(version)
    with TemporaryDirectory(prefix="perennial-") as scratch:
        folder = Path(scratch) / FOLDER
        progress.advance(0, None, detail=f"verifying the package of version {version.version}")
        _download(client, home, version, folder)
        yield folder


def copy(package: Path, folder: Path, expected: str) -> Path:
    """Copy the files of `package`, and nothing that lies beside them, to `folder`. Raises RegistryError if not
    whole."""
    info = _whole(package, expected, f"The package in {package}")
    folder.mkdir(parents=True)
    for name in (DESCRIPTION, *info.files):
        shutil.copy(package / name, folder / name)
    return folder


def _digest_of(version: "ModelVersion") -> str:
    if removed := version.tags.get(tags.REMOVED):
        when = "" if removed == tags.REMOVING else f" on {removed[:10]}"
        raise RegistryError(
            f"The package of version {version.version} of {version.name} was removed by `perennial gc`{when}: it can't "
            f"serve, be promoted or be rolled back to any more. {tracking.UNTOUCHED}",
            remedy=f"Name another version; `perennial history {version.name}` says which were champion.",
        )
    expected = version.tags.get(tags.PACKAGE_DIGEST)
    if not expected:
        raise RegistryError(
            f"Version {version.version} of {version.name} has no tag {tags.PACKAGE_DIGEST}: it was not registered by "
            "Perennial, or the tag was removed, so its package can't be verified.",
            remedy=f"Point the alias or --version at a version that `perennial run {version.name}` registered.",
        )
    return str(expected)


def _download(client: "MlflowClient", home: Home, version: "ModelVersion", folder: Path) -> None:
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    what = f"The package of version {version.version} of {version.name}"
    source = client.get_model_version_download_uri(version.name, version.version)
    try:
        download_artifacts(
            artifact_uri=f"{source.rstrip('/')}/artifacts/{FOLDER}",
            dst_path=str(folder.parent),
            tracking_uri=tracking.uri(home),
            registry_uri=tracking.registry_uri(home),
        )
    except (MlflowException, OSError) as error:
        raise _unusable(what, f"it can't be downloaded ({tracking.reason(error)})") from error
    _whole(folder, expected=version.tags[tags.PACKAGE_DIGEST], what=what)


def _whole(folder: Path, expected: str, what: str) -> PackageInfo:
    try:
        info = read_package(folder)
    except PackageError as error:
        raise _unusable(what, error.problem) from error
    if info.digest != expected:
        raise _unusable(what, f"its digest is {info.digest[:12]}…, but {expected[:12]}… was registered")
    return info


def _unusable(what: str, problem: str) -> RegistryError:
    return RegistryError(
        f"{what} can't be used: {problem.rstrip('.')}. {tracking.UNTOUCHED}",
        remedy="Restore MLflow's artifacts from a backup, or point the alias at a version whose package is whole.",
    )
