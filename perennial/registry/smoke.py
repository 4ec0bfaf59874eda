"""Asking a registered version before it serves: fetched from the registry, compared, loaded, and made to answer."""

from pathlib import Path

from perennial import progress
from perennial.errors import PackageError, RegistryError
from perennial.registry import packages, tags, tracking
from perennial.registry.guard import Desk

TEXTS = ("The new timetable starts on Monday.", "Nobody liked the soup, but the bread was excellent.", "")
"""What must be answered; with what does not matter."""


def check(desk: Desk, version: str, remedy: str) -> None:
    """Raises RegistryError, with `remedy`, when the package in the registry is not what was registered or does not
    answer."""
    found = desk.client.get_model_version(desk.model, version)
    with packages.fetched_anew(desk.client, desk.home, found) as folder:
        progress.advance(0, None, detail=f"asking version {version}")
        try:
            ask(folder, found.tags[tags.PACKAGE_DIGEST])
        except PackageError as error:
            raise RegistryError(
                f"Version {version} of {desk.model} can't serve: {error.problem} {tracking.UNTOUCHED}", remedy=remedy
            ) from error


def ask(folder: Path, package_digest: str) -> None:
    """Raises PackageError when the package in `folder` can't be loaded or does not answer each text."""
    from perennial.inference.predictor import Predictor

    predictor = Predictor(folder, digest=package_digest)
    answers = predictor.predict_columns({name: list(TEXTS) for name in predictor.decoder.columns[-1]})
    if len(answers) != len(TEXTS):
        raise PackageError(f"It gave {len(answers)} answers to {len(TEXTS)} texts.")
