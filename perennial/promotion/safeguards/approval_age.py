"""How old the judging is that a person relies on: one that is too old, or has missed test rows, is made again.

What a candidate was shown to be, it was shown to be on the rows of its day.
"""

from perennial.core.home import Home
from perennial.core.store import RECORD
from perennial.promotion.session import AliasSession
from perennial.records.data import ValidatedData
from perennial.registry import history, versions
from perennial.registry.versions import Candidate, StoredEvidence
from perennial.validation import snapshot_validation
from perennial.validation.snapshot_validation import ValidationReport

DAY_SECONDS = 86_400
CLOCK_DAYS = 1 / 24
"""By which clocks may differ; a judging that lies further ahead was dated by a clock that was wrong then, or is now."""
TEST = "test"


def why_again(session: AliasSession, candidate: Candidate, stored: StoredEvidence) -> str | None:
    """Why a candidate has to be judged again before a person lets it serve, in a sentence; None: it need not be.

    Raises RegistryError when the evidence of a newer version, which knows of newer rows, can't be had.
    """
    number, against = candidate.registered.version, candidate.registered.champion_version
    if session.champion() != against:
        return (
            f"The champion is {history.named(session.champion())} now, and version {number} was judged against "
            f"{history.named(against)}."
        )
    if rows := _test_rows_since(session, candidate, stored):
        return f"{rows:,} test rows came since version {number} was judged."
    days, limit = _days(session, candidate), stored.spec.registry.approval_days
    if days is not None and days < -CLOCK_DAYS:
        return (
            f"By the ledger's clock version {number} was judged {-days:,.1f} days from now: the clock was set back, so "
            "how long ago that was is not known."
        )
    if days is not None and days > limit:
        return f"Version {number} was judged {days:,.0f} days ago, and registry.approval_days is {limit:g}."
    return None


def newest_rows(home: Home, stored: StoredEvidence) -> ValidatedData | None:
    """The newest validated rows in this store that begin with those that a version was judged on; None: no others."""
    judged = stored.evidence.judged
    mine = _sources(judged)
    newer = [
        report.data
        for report in _reports(home)
        if report.passed and len(report.data.parts) > len(mine) and _sources(report.data)[: len(mine)] == mine
    ]
    return max(newer, key=lambda data: len(data.parts), default=None)


def _test_rows_since(session: AliasSession, candidate: Candidate, stored: StoredEvidence) -> int:
    """Test rows that came since, by what was validated in this store, or where the newest version was made."""
    had = stored.evidence.judged.rows.get(TEST, 0)
    here = newest_rows(session.home, stored)
    rows = [here.rows.get(TEST, 0)] if here else []
    if newest := _newest_judged(session, candidate):
        evidence = versions.evidence_of(session.client, session.home, newest).evidence
        if _sources(evidence.judged)[: len(stored.evidence.judged.parts)] == _sources(stored.evidence.judged):
            rows.append(evidence.judged.rows.get(TEST, 0))
    return max(0, max(rows, default=0) - had)


def _newest_judged(session: AliasSession, candidate: Candidate) -> Candidate | None:
    """The newest version after `candidate` that the ledger has a judging of, and MLflow still has; None: none."""
    statuses = session.statuses()
    there = session.client.search_model_versions(f"name = '{session.model}'")
    later = [
        versions.candidate_of(version, statuses)
        for version in there
        if int(version.version) > int(candidate.registered.version)
    ]
    judged = [one for one in later if one.judging is not None]
    return max(judged, key=lambda one: int(one.registered.version), default=None)


def _days(session: AliasSession, candidate: Candidate) -> float | None:
    """Since it was judged, by the ledger's clock; None: the ledger does not say when that was."""
    version = candidate.registered.version
    entries = [entry for entry in session.ledger.entries(session.model) if entry.to_version == version]
    moment = candidate.judging.moment if candidate.judging else entries[-1].moment if entries else None
    return None if moment is None else (session.ledger.now() - moment).total_seconds() / DAY_SECONDS


def _reports(home: Home) -> list[ValidationReport]:
    reports = []
    for path in (home.store.root / snapshot_validation.REPORT_STEP).glob(f"*/{RECORD}"):
        report = home.store.get(snapshot_validation.REPORT_STEP, path.parent.name, ValidationReport)
        if report is not None:
            reports.append(report)
    return reports


def _sources(data: ValidatedData) -> list[str]:
    return [part.source.sha256 for part in data.parts]
