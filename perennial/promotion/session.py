"""All that is needed to move the aliases of one model, while its lease is held."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perennial.core.home import Home
from perennial.registry import aliases, lease, tags, tracking, versions
from perennial.registry.agreement import Disagreement
from perennial.registry.judged.judgings import judgings
from perennial.registry.judged.version_status import VersionStatus, version_statuses
from perennial.registry.ledger import Action, Ledger, State
from perennial.registry.versions import Candidate

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class AliasSession:
    """All that is needed to move the aliases of one model, for as long as the lease is held."""

    home: Home
    client: "MlflowClient"
    ledger: Ledger
    lease: lease.Lease
    model: str
    disagreement: Disagreement | None = None
    """How ledger and registry disagree: then nothing is promoted."""

    def require_agreement(self) -> None:
        """Raises DisagreementError where ledger and registry disagree."""
        if self.disagreement:
            raise self.disagreement.error(tracking.UNTOUCHED)

    def champion(self) -> str | None:
        """The version serving now, as the registry says."""
        return self.at(aliases.CHAMPION)

    def at(self, alias: str) -> str | None:
        """The version that `alias` points to; None: there is no such alias."""
        holder = aliases.version_of(self.client, self.home, self.model, alias)
        return str(holder.version) if holder else None

    def note(
        self,
        action: Action,
        version: str | None,
        reason: str,
        *,
        before: str | None = None,
        digest: str | None = None,
        status: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Write down what is no move; `status`: what the version is by it, where `action` does not say it."""
        self.ledger.append(
            self.lease,
            action,
            State.DONE,
            from_version=before,
            to_version=version,
            reason=self.reason_for(action, version, reason),
            decision_digest=digest,
            status=status,
            detail=detail,
        )

    def reason_for(self, action: Action, version: str | None, reason: str) -> str:
        """`reason`, and what `--set` changed of gates, approval or splits where that version was judged."""
        if action is Action.RECONCILE:
            return reason  # a person's word on the alias, not on how the version came in
        status = self.statuses().get(version or "")
        overrides = status.judging.overrides if status and status.judging else None
        return f"{reason} {overrides}.".strip() if overrides else reason

    def statuses(self) -> dict[str, VersionStatus]:
        """What the ledger says of the model's versions, by number."""
        return version_statuses(self.ledger.entries(self.model), judgings(self.ledger, self.model))

    def candidate(self, version: str) -> Candidate:
        """What is known of `version`. Raises RegistryError when there is no such version."""
        return versions.candidate(self.client, self.home, self.model, version)

    def mark(self, version: str, status: str) -> None:
        """Put `status` on a version, for people: what counts is in the ledger."""
        self.client.set_model_version_tag(self.model, version, tags.STATUS, status)

    def mark_as_in_ledger(self, version: str) -> None:
        """Put on a version what it is by the ledger."""
        status = self.statuses().get(version)
        if status and status.status:
            self.mark(version, status.status)

    def has_model(self) -> bool:
        """Whether the registry knows the model at all."""
        return aliases.registered_model(self.client, self.home, self.model) is not None

    def point(self, alias: str, version: str) -> None:
        """Let `alias` point to `version`."""
        self.client.set_registered_model_alias(self.model, alias, version)

    def release(self, alias: str, version: str) -> None:
        """Take `alias` away from `version`, if it points there."""
        if self.at(alias) == version:
            self.client.delete_registered_model_alias(self.model, alias)
