"""Judging a registered candidate once more, beside the champion that there is now: no training, no export."""

from dataclasses import dataclass

from perennial.core import digest, progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.promotion import registration
from perennial.promotion.safeguards import approval_age
from perennial.promotion.session import AliasSession
from perennial.records.decision import Decision
from perennial.records.evaluation import Evaluation
from perennial.records.package import Anchor, Champion
from perennial.records.run import Evidence, RegisteredVersion
from perennial.registry import aliases, packages, tags, tracking
from perennial.registry.ledger import Action
from perennial.registry.versions import Candidate, StoredEvidence
from perennial.runs import anchor, look_budget

ALONE: dict[str, object] = {
    "champion": None, "champion_version": None, "champion_problem": None, "shared": None, "comparison": None,
    "new_labels": (), "dropped_labels": (), "champion_serving": None, "champion_behaviours": (),
    "anchor": None, "look": None,
}  # fmt: skip
"""What an evaluation says of the champion where there is none."""


def missing(evidence: Evidence, home: Home) -> str | None:
    """What this store lacks of the data that the candidate was judged on, in words; None: nothing."""
    validated = evidence.judged
    paths = [part.path for part in validated.parts] + [one.path for one in validated.retired] + [validated.report_path]
    gone = [path for path in paths if not (home.store.root / path).exists()]
    if not gone:
        return None
    return f"its data is not in the store of {home.root} ({len(gone):,} of {len(paths):,} places missing)"


def rejudge(stored: StoredEvidence, rival: Champion | None, bar: Anchor | None, home: Home) -> Evidence:
    """The evidence after `rival`, the anchor `bar` and the candidate were run on the rows it is to be judged on; their
    packages are in the store. It is another look at these rows.

    None: there is no champion, no anchor.
    """
    from perennial.evaluation.package_evaluation import evaluate

    spec, package, data = stored.spec, stored.evidence.package, stored.evidence.judged
    measured = evaluate(spec, package, data, rival, home, bar)
    return _decided(stored, look_budget.with_look(spec, measured, package, data, rival, bar, home))


@dataclass(frozen=True)
class JudgingMaterial:
    """What judging a registered candidate again takes, all of it in this store."""

    candidate: Candidate
    stored: StoredEvidence
    """With the rows that it is to be judged on: the newest there are."""
    rival: Champion | None
    newest_entry: int
    """The ledger's then: what people said since was said while models were running."""


def gather(session: AliasSession, candidate: Candidate, stored: StoredEvidence, why: str) -> JudgingMaterial:
    """What it takes to judge `candidate` again, because of `why` (a sentence); its evidence is `stored`.

    Raises RegistryError when its rows are not in this store.
    """
    number, client, home = candidate.registered.version, session.client, session.home
    progress.note(f"{why} So it is judged again.")
    if newer := approval_age.newest_rows(home, stored):
        changes = {"evidence": stored.evidence.model_copy(update={"judged_on": newer})}
        stored = stored.model_copy(update=changes)
    if lacking := missing(stored.evidence, home):
        raise RegistryError(
            f"Version {number} of {session.model} has to be judged again, but {lacking}. {why} {tracking.UNTOUCHED}",
            remedy=f"Do it where it was made, or run `perennial run {session.model}`, which judges it again.",
        )
    mine = packages.fetch(client, home, client.get_model_version(session.model, number))
    package = stored.evidence.package.model_copy(update={"path": mine.path})
    evidence = stored.evidence.model_copy(update={"package": package})
    champion = aliases.version_of_champion(client, home, session.model)
    rival = packages.fetch(client, home, champion) if champion else None
    newest_entry = session.ledger.entries(session.model)[-1].id
    return JudgingMaterial(candidate, stored.model_copy(update={"evidence": evidence}), rival, newest_entry)


def judge_again(home: Home, material: JudgingMaterial) -> tuple[RegisteredVersion, Decision]:
    """Judge it, and register what that came to; the lease is not held, for models are running."""
    bar = anchor.find_anchor(material.stored.spec, material.rival, home)
    evidence = rejudge(material.stored, material.rival, bar, home)
    registered = registration.register(material.stored.spec, material.candidate.run_key, evidence, home)
    return registered, evidence.decision


def check_unsaid(session: AliasSession, material: JudgingMaterial) -> None:
    """Raises RegistryError when the candidate was refused, or another took its place, while it was judged again."""
    version = material.candidate.registered.version
    since = [one for one in session.ledger.entries(session.model) if one.id > material.newest_entry]
    refused = next((one for one in since if one.action is Action.REJECT and one.to_version == version), None)
    replaced = next((one for one in since if one.action is Action.PARK and one.to_version != version), None)
    if refused:
        # Once more, after the judging that it came before: else the version would count as one that nobody refused.
        session.note(Action.REJECT, version, refused.reason, before=session.champion(), digest=refused.decision_digest)
        session.mark(version, tags.REJECTED)
        raise RegistryError(
            f"Version {version} of {session.model} was rejected by {refused.who} while it was judged again "
            f"({refused.reason}). {tracking.UNTOUCHED}",
            remedy=f"`perennial run {session.model}` trains and judges a new one.",
        )
    if replaced and material.candidate.status == tags.PARKED:
        raise RegistryError(
            f"Version {version} of {session.model} does not await approval any more: version {replaced.to_version} "
            f"passed its gates and took its place while it was judged again. {tracking.UNTOUCHED}",
            remedy=f"`perennial approve {session.model} {replaced.to_version}` lets that one serve.",
        )


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
