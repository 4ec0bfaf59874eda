"""What `perennial challenger` does and answers: a trial begun, ended, or how it stands."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from perennial.core import progress
from perennial.core.errors import SpecError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.pipeline_file import loader
from perennial.promotion.challenge import beginning, ending
from perennial.registry.judged.challenges import Challenge, current_challenge
from perennial.registry.ledger import Ledger
from perennial.rollout.trial_counts import TrialCounts
from perennial.rollout.verdict import TrialStanding, trial_standing
from perennial.settings.rollout import RolloutSpec

DAY = 86_400.0


class ChallengerShown(Record):
    """What is tried of a model, and what this home has counted of it."""

    status: str
    """trying; stopped: just now; none."""
    model: str
    challenge: Challenge | None = None
    standing: TrialStanding | None = None
    """Of this home's servers."""


def begin(model: str, version: str, reason: str, overrides: Sequence[str]) -> ChallengerShown:
    """Let `version` be tried, on the terms of the model's pipeline and `overrides`."""
    terms = terms_of(model, overrides)
    home = Home.from_environment()
    with progress.step("challenge"):
        challenge = beginning.begin_challenge(home, model, version, terms, reason)
    return _shown(home, model, challenge, "trying")


def stop(model: str, reason: str) -> ChallengerShown:
    """End the trial."""
    home = Home.from_environment()
    shown = show(model)
    evidence = shown.standing.model_dump(mode="json") if shown.standing else {}
    with progress.step("challenge"):
        ending.stop_challenge(home, model, reason or "By command.", evidence)
    return shown.model_copy(update={"status": "stopped"})


def show(model: str) -> ChallengerShown:
    """How the trial stands."""
    home = Home.from_environment()
    challenge = current_challenge(Ledger.open(home).entries(model))
    return _shown(home, model, challenge, "trying" if challenge else "none")


def terms_of(model: str, overrides: Sequence[str]) -> RolloutSpec:
    """The settings `rollout` of the pipeline of the same name, if it is here, with `overrides`."""
    if others := [one for one in overrides if not one.startswith(("rollout.", "rollout="))]:
        raise SpecError(
            f"--set {others[0]!r} is no setting of `rollout`, which alone says how a challenger is tried.",
            remedy="Example: --set rollout.share=0.05.",
        )
    try:
        path = loader.find_pipeline(model)
    except SpecError:
        return loader.read_rollout(overrides)
    return loader.read_pipeline(path, overrides).rollout


def _shown(home: Home, model: str, challenge: Challenge | None, status: str) -> ChallengerShown:
    if challenge is None:
        return ChallengerShown(status=status, model=model)
    return ChallengerShown(
        status=status, model=model, challenge=challenge, standing=standing_of(home, model, challenge)
    )


def standing_of(home: Home, model: str, challenge: Challenge) -> TrialStanding:
    """What the servers of `home` have counted, and what that has come to."""
    counts = TrialCounts(home, model)
    days = (datetime.now(UTC) - challenge.since).total_seconds() / DAY
    return trial_standing(counts.counts(challenge.salt), counts.findings(challenge.salt), challenge.terms, days)


def shown_as_json(shown: ChallengerShown) -> dict[str, Any]:
    """The same as one JSON-ready object."""
    return shown.model_dump(mode="json")


def shown_in_words(shown: ChallengerShown) -> str:
    """The same in sentences."""
    challenge, standing = shown.challenge, shown.standing
    if challenge is None or standing is None:
        return f"{shown.model}: no version is being tried. `perennial challenger {shown.model} VERSION` begins a trial."
    head = (
        f"{shown.model}: version {challenge.version} is tried beside version {challenge.champion_version} since "
        f"{challenge.since:%Y-%m-%d %H:%M:%SZ}. {beginning.in_words(challenge.terms)}"
        if shown.status == "trying"
        else f"{shown.model}: version {challenge.version} is tried no more; the champion answers everybody."
    )
    seen_here = f"The servers of this home compared {standing.rows:,} rows. {standing.words}"
    return f"{head} {seen_here}"
