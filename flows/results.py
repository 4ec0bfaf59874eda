"""What a run came to, as one record."""

from perennial.promotion.conclusion import Conclusion
from perennial.records.data import Snapshot
from perennial.records.run import Evidence, RegisteredVersion, Report, RunResult, Status, Trigger
from perennial.registry import tags
from perennial.registry.versions import FinishedVersion


def skipped(finished: FinishedVersion, snapshot: Snapshot, trigger: Trigger, seconds: dict[str, float]) -> RunResult:
    """A run that had nothing to do: an earlier one under the same key came to `finished`."""
    version = finished.registered
    reason = f"Already trained: version {version.version} ({finished.status})."
    if finished.status == Status.PROMOTED.value and not finished.serves:
        reason += (
            f" It serves no more; `perennial rollback {version.model} --to {version.version} --reason …` goes back."
        )
    if finished.status == tags.PARKED:
        reason += f" `perennial approve {version.model} {version.version}` lets it serve."
    return RunResult(
        status=Status.SKIPPED,
        model=version.model,
        version=version.version,
        run_id=version.run_id,
        reasons=(reason,),
        snapshot=snapshot,
        trigger=trigger,
        seconds=seconds,
    )


def not_begun(
    status: Status, model: str, reason: str, snapshot: Snapshot, trigger: Trigger, seconds: dict[str, float]
) -> RunResult:
    """A run that trained nothing, because of `reason`: skipped as not worth it, or held as nothing can be promoted."""
    return RunResult(
        status=status,
        model=model,
        version=None,
        run_id=None,
        reasons=(reason,),
        snapshot=snapshot,
        trigger=trigger,
        seconds=seconds,
    )


def concluded(
    conclusion: Conclusion, version: RegisteredVersion, evidence: Evidence, report: Report, seconds: dict[str, float]
) -> RunResult:
    """A run that registered `version` on `evidence` and ended in `conclusion`."""
    # First of all: whoever reads one sentence of a promotion must read this one.
    overridden = [f"{evidence.overrides}."] if evidence.overrides else []
    return RunResult(
        status=conclusion.status,
        model=version.model,
        version=version.version,
        run_id=version.run_id,
        reasons=(*overridden, *evidence.decision.reasons, *conclusion.reasons),
        snapshot=evidence.snapshot,
        evidence=evidence,
        report=report,
        trigger=evidence.trigger,
        seconds=seconds,
    )
