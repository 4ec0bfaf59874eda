"""Judging a registered candidate once more, beside the champion that there is now: no training, no export."""

from perennial.core import digest
from perennial.core.home import Home
from perennial.records.evaluation import Evaluation
from perennial.records.package import Anchor, Champion
from perennial.records.run import Evidence
from perennial.registry.versions import StoredEvidence
from perennial.runs import look_budget

ALONE: dict[str, object] = {
    "champion": None, "champion_version": None, "champion_problem": None, "shared": None, "comparison": None,
    "new_labels": (), "dropped_labels": (), "champion_serving": None, "champion_behaviours": (),
    "anchor": None, "look": None,
}  # fmt: skip
"""What an evaluation says of the champion where there is none."""


def missing(evidence: Evidence, home: Home) -> str | None:
    """What this store lacks of the data that the candidate was judged on, in words; None: nothing."""
    validated = evidence.validated
    places = [part.path for part in validated.parts] + [one.path for one in validated.retired] + [validated.report_path]
    gone = [place for place in places if not (home.store.root / place).exists()]
    if not gone:
        return None
    return f"its data is not in the store of {home.root} ({len(gone):,} of {len(places):,} places missing)"


def rejudge(stored: StoredEvidence, rival: Champion | None, bar: Anchor | None, home: Home) -> Evidence:
    """The evidence after `rival`, the anchor `bar` and the candidate were run on the rows of its run; their packages
    are in the store. It is another look at these rows.

    None: there is no champion, no anchor.
    """
    from perennial.evaluation.package_evaluation import evaluate

    spec, package, data = stored.spec, stored.evidence.package, stored.evidence.validated
    measured = evaluate(spec, package, data, rival, home, bar)
    return _decided(stored, look_budget.with_look(spec, measured, package, data, rival, bar, home))


def beside_none(stored: StoredEvidence) -> Evidence:
    """The evidence where there is no champion yet: the candidate's own figures stay as they were measured."""
    return _decided(stored, _renewed(stored, _alone(stored.evidence.evaluation)))


def beside_its_like(stored: StoredEvidence, version: str) -> Evidence:
    """The evidence where the champion is the very package that the candidate was judged beside, called `version`."""
    changes: dict[str, object] = {"champion_version": version}
    if anchor := stored.evidence.evaluation.anchor:
        changes["anchor"] = anchor.model_copy(update={"version": version})
    return _decided(stored, _renewed(stored, changes))


def same_bar(stored: StoredEvidence, rival: Champion, bar: Anchor | None) -> bool:
    """Whether the anchor says nothing that `rival` does not, neither where the candidate was judged nor now."""
    before = stored.evidence.evaluation.anchor
    was_champion = before is None or before.version == stored.evidence.evaluation.champion_version
    return was_champion and (bar is None or (before is not None and bar.version == rival.version))


def unjudged(stored: StoredEvidence, version: str, problem: str) -> Evidence:
    """The evidence where `problem` keeps the candidate from being judged beside the champion, `version`: a HOLD."""
    changes = {"champion_version": version, "champion_problem": problem}
    return _decided(stored, _renewed(stored, _alone(stored.evidence.evaluation) | changes))


def _alone(evaluation: Evaluation) -> dict[str, object]:
    slices = [part.model_copy(update={"champion": None, "comparison": None}) for part in evaluation.slices]
    return ALONE | {"slices": slices}


def _renewed(stored: StoredEvidence, changes: dict[str, object]) -> Evaluation:
    evaluation = stored.evidence.evaluation
    key = digest.of_values(evaluation=evaluation.digest, **changes)
    return Evaluation.model_validate(dict(evaluation) | changes | {"digest": key})


def _decided(stored: StoredEvidence, evaluation: Evaluation) -> Evidence:
    from perennial.evaluation.gates import decide

    changes = {"evaluation": evaluation, "decision": decide(stored.spec, evaluation)}
    return Evidence.model_validate(dict(stored.evidence) | changes)
