"""The exception family. Every message says what was seen, where, what was expected and what to do."""

from collections.abc import Iterable
from typing import ClassVar

from perennial.core.masking import mask_secrets


class PerennialError(Exception):
    """An error a user can cause and mend; shown as one paragraph, never as a traceback."""

    exit_code: ClassVar[int] = 1
    status: ClassVar[str] = "failed"
    """What `--json` calls the outcome."""

    def __init__(self, problem: str, *, remedy: str = "") -> None:
        """`problem`: what was seen, where, and what was expected. `remedy`: what to do now. Both without secrets."""
        self.problem = mask_secrets(problem)
        self.remedy = mask_secrets(remedy)
        super().__init__(f"{self.problem} {self.remedy}".strip())


class SpecError(PerennialError):
    """pipeline.yaml, an override or the command line asks for something that can't be."""

    exit_code = 2


class SourceError(PerennialError):
    """A data source can't be read: missing, empty, malformed, unreachable."""


class UnreachableError(SourceError):
    """A data source does not answer now: its server is down, restarting or locked. It may answer in a minute."""


class ValidationError(PerennialError):
    """The data broke an expectation of severity `critical`, or too much of it is quarantined."""


class StoreError(PerennialError):
    """The store can't be written, or holds a damaged entry that can't be made again."""


class BaseModelError(PerennialError):
    """The pretrained base model can't be found or is not what it claims to be."""


class TrainingError(PerennialError):
    """Training diverged, collapsed or can't start."""


class ExportError(PerennialError):
    """The exported graph does not agree with the trained model."""


class PackageError(PerennialError):
    """A package is missing, damaged or can't be run, or its model gave no usable answer."""


class RegistryError(PerennialError):
    """MLflow can't be reached, or its answer can't be trusted."""


class DisagreementError(RegistryError):
    """Ledger and registry disagree about a champion: nothing is promoted until a person says which is right."""

    exit_code = 3
    status = "held"


class SignatureError(RegistryError):
    """A version is not signed by a key that is trusted, or what was signed is not what is there."""


class KeyFileError(PerennialError):
    """A file of keys can't be read, holds none, or others may read or write it."""


class ServingError(PerennialError):
    """The HTTP server can't start where it was told to."""


def listing(items: Iterable[object], limit: int = 5) -> str:
    """`items` joined by commas, cut after `limit` with the count of the rest."""
    shown = [str(item) for item in items]
    rest = len(shown) - limit
    return ", ".join(shown[:limit]) + (f" and {rest:,} more" if rest > 0 else "")


class BusyError(PerennialError):
    """Another run of the same pipeline is at work."""


class OverlapError(BusyError):
    """A run that need not be: another one of the same pipeline is at work on the same home."""
