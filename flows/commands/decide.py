"""What `perennial decide` does and answers."""

from pathlib import Path
from typing import Any

from perennial.core import progress
from perennial.core.errors import SpecError
from perennial.core.home import Home
from perennial.pipeline_file import loader
from perennial.promotion import redecide
from perennial.promotion.redecide import Redecided


def decide(run: str, version: str | None, pipeline: str | None, judging: int | None = None) -> Redecided:
    """Make the decision on a run, a version, or the answers in a folder again; `judging`: of several, which, from 1."""
    spec = loader.read_pipeline(loader.find_pipeline(pipeline)) if pipeline else None
    with progress.step("decide"):
        if version is None and Path(run).is_dir():
            if spec is None:
                raise SpecError(
                    f"{run} is a folder with answers, which does not say by which gates to judge them.",
                    remedy="Name the pipeline: --pipeline NAME.",
                )
            if judging is not None:
                raise SpecError(
                    f"{run} is a folder with the answers of one judging, so there is none to choose.",
                    remedy="Leave --judging out, or name the model and its version.",
                )
            return redecide.redecide_folder(Path(run), spec)
        return redecide.redecide_version(Home.from_environment(), run, version, spec, judging)


def decision_as_json(redecided: Redecided) -> dict[str, Any]:
    """The decision as one JSON-ready object."""
    return {"status": "done", **redecided.model_dump(mode="json")}


def show_decision(redecided: Redecided) -> None:
    """The decision as a page for people."""
    from flows import summary
    from flows.console import say, terminal

    console = terminal()
    say(console, _in_words(redecided))
    say(console, "\n".join(f"  {reason}" for reason in redecided.decision.reasons) + "\n")
    console.print(summary.checks(redecided.decision))


def _in_words(redecided: Redecided) -> str:
    came = f"{redecided.name[:1].upper()}{redecided.name[1:]}: {redecided.decision.outcome.value}"
    if redecided.agrees:
        return f"{came}, the very decision that is registered ({redecided.decision.digest[:12]}…)."
    if redecided.agrees is False:
        return (
            f"{came}, and this is NOT the decision that is registered: its digest is "
            f"{redecided.decision.digest[:12]}…, {(redecided.registered or 'none')[:12]}… was registered. Either was "
            "made by another Perennial, or changed."
        )
    return f"{came}, by the gates that were named ({redecided.decision.digest[:12]}…)."
