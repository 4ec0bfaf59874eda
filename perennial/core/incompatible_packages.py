"""Pairs of packages that don't work together in versions that their own requirements allow."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata

Version = tuple[int, ...]


@dataclass(frozen=True)
class IncompatiblePair:
    """Versions of `package` below `below` fail with `other` in version `since` or newer."""

    package: str
    below: Version
    other: str
    since: Version
    fails: str
    """What does not work, as the end of a sentence that names both."""

    @property
    def sentence(self) -> str:
        """Which versions it is about, and what fails."""
        return (
            f"{self.package} below {_dotted(self.below)} with {self.other} {_dotted(self.since)} or newer: {self.fails}"
        )

    @property
    def remedy(self) -> str:
        """What to do."""
        bound = f"{self.other}<{_dotted(self.since)}"
        return f"Run `make setup`, or `python -m pip install '{bound}'`, then start again what was running."


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


NO_RUNS = IncompatiblePair(
    # findings/prefect-sqlalchemy-2-1.sh; 3.9.1 with 2.1.9 makes runs.
    "prefect",
    (3, 9, 1),
    "SQLAlchemy",
    (2, 1),
    "scheduled runs are never made, for the server fails at each attempt",
)
BAD = (
    NO_RUNS,
    # FastAPI dropped an argument of Body() that Prefect's server gives it.
    IncompatiblePair("prefect", (3, 9, 0), "fastapi", (0, 155), "Prefect's server does not start"),
)


@dataclass(frozen=True)
class InstalledPair:
    """A bad pair that is installed."""

    pair: IncompatiblePair
    observed: str
    """Both with their versions, and what fails."""


def installed_version(package: str) -> str | None:
    """The installed version; None: it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def installed_pairs(version_of: Callable[[str], str | None] = installed_version) -> Iterator[InstalledPair]:
    """The bad pairs among the versions that `version_of` gives."""
    for pair in BAD:
        one, other = version_of(pair.package), version_of(pair.other)
        if one and other and version_number(one) < pair.below and version_number(other) >= pair.since:
            yield InstalledPair(pair, f"{pair.package} {one} with {pair.other} {other}: {pair.fails}")


def version_number(version: str) -> Version:
    """The numbers of a version: (2, 1, 9) of 2.1.9, (2, 1) of 2.1rc1+local."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in release[0].split(".")) if release else ()
