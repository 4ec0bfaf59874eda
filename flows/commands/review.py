"""What `perennial review` does and answers."""

from pathlib import Path
from typing import Any

from perennial.core import progress
from perennial.core.home import Home
from perennial.evaluation import label_review
from perennial.evaluation.label_review import Reviewed
from perennial.ingest import differing
from perennial.pipeline_file import loader
from perennial.registry import evidence


def write(pipeline: str, version: str | None, out: Path | None, limit: int) -> tuple[str, str, Reviewed]:
    """Write the file to correct; returns the model's name, the version's number and what was written."""
    home, name = Home.from_environment(), loader.read_pipeline(loader.find_pipeline(pipeline)).name
    with progress.step("review"):
        number, stored = evidence.evidence(home, name, version)
        path = out or Path(f"{name}-v{number}-review.csv")
        kept = differing.read(home, name)
        reviewed = label_review.write_label_review(stored.spec, stored.evidence, home.store, path, limit, kept)
        return name, number, reviewed


def review_as_json(model: str, version: str, done: Reviewed) -> dict[str, Any]:
    """What was written, as one JSON-ready object."""
    return {"status": "done", "model": model, "version": version, **done.model_dump(mode="json")}


def review_in_words(model: str, version: str, done: Reviewed) -> str:
    """What was written, and what to do with it."""
    if done.path is None:
        return (
            f"Version {version} of {model} contradicts the label of none of {done.looked_at:,} rows: nothing to review."
        )
    sentence = (
        f"Version {version} of {model} contradicts the label of {done.found:,} of the {done.looked_at:,} test and "
        "validation rows. (Train rows it learned, so it can't judge them.)"
    )
    people = (
        f" It begins with {done.differing:,} texts of which the people who labelled them said different things; one "
        "without a suggested label is no row until it has one here, or they agree."
        if done.differing
        else ""
    )
    most = f"The {done.written:,} it contradicts most are in {done.path}." if done.written else f"Wrote {done.path}."
    return (
        f"{sentence} {most}{people} Write the right label, or "
        "`drop`, into the column `label` where the given one is wrong, leave the others empty, and name the file in "
        f"data.corrections (its path from the pipeline's folder); the next `perennial run {model}` takes it in."
    )
