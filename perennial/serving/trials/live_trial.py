"""A trial as a server runs it: the challenger, loaded, and which requests it is about."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from perennial.inference.decoders import Input
from perennial.registry.judged.challenges import Challenge
from perennial.rollout.assignment import is_in_share
from perennial.serving.batches.fair_queue import Answers
from perennial.serving.current import LoadedVersion
from perennial.settings.rollout import RolloutSpec

KEYS = ("authorization", "x-api-key")
"""Headers by which users are told apart who send no header of their own. Only a hash of them is looked at."""


@dataclass(frozen=True)
class LiveTrial:
    """A challenge that is under way here."""

    challenge: Challenge
    challenger: LoadedVersion

    def is_about(self, request: Request) -> bool:
        """Whether it is asked of both versions: the same for all requests of a user."""
        return is_in_share(self.challenge.salt, user_of(request, self.challenge.terms), self.challenge.terms.share)

    def answering(self, request: Request, champion: LoadedVersion) -> LoadedVersion:
        """The version that answers a request, where `champion` serves."""
        is_canary = self.challenge.terms.mode == "canary"
        if is_canary and self.is_beside(champion) and self.is_about(request):
            return self.challenger
        return champion

    def is_beside(self, champion: LoadedVersion) -> bool:
        """Whether `champion` is the version that it is compared with."""
        return champion.version == self.challenge.champion_version


@dataclass(frozen=True)
class AskedOnce:
    """Rows that one version has answered, or failed to, and that the other one is to be asked as well."""

    trial: LiveTrial
    champion: LoadedVersion
    request_id: str
    by_challenger: bool
    inputs: Sequence[Input]
    answers: Answers | None
    """None: it could not answer."""


def user_of(request: Request, terms: RolloutSpec) -> str:
    """By what the user who asks is known: the header, else a key, else the address."""
    names = (terms.user_header, *KEYS)
    named = next((request.headers[name] for name in names if name in request.headers), None)
    return named or (request.client.host if request.client else "")
