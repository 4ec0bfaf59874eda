"""What serves now: one object that the thread that follows the registry writes and every request reads."""

from dataclasses import dataclass
from typing import Literal

from perennial.inference.predictor import Predictor

Problem = Literal["registry", "missing", "package", "signature", "ledger"]
"""The registry can't be asked; it says that there is no champion; the champion can't be had whole, or can't serve; no
trusted key signed it; the ledger has another champion."""


@dataclass(frozen=True)
class LoadedVersion:
    """A version, loaded."""

    model: str
    version: str
    predictor: Predictor

    @property
    def digest(self) -> str:
        """sha256 of its package.json."""
        return self.predictor.package.digest


class CurrentVersion:
    """The version that serves. Putting another there is one assignment: a request has either the one or the other, and
    keeps it to its end.
    """

    def __init__(self) -> None:
        self.served: LoadedVersion | None = None
        self.problem: Problem | None = None
        """Why it is none, or not the champion of now; None: nothing is known to be wrong."""
