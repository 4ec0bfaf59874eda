"""What took the place of files in MLflow when rows were forgotten: the ledger has both digests."""

from collections.abc import Mapping, Sequence

from pydantic import Field

from perennial.core.record import Record
from perennial.registry.ledger import Action, Entry


class Replacements(Record):
    """The detail of a ledger entry about forgotten rows."""

    replaced: dict[str, str] = Field(default={})
    """By the sha256 of a file that named forgotten rows, that of the file without them; "": nothing is left of it."""
    rows: dict[str, int] = Field(default={})
    """Of files of rows, by the sha256 of the new file, how many are left."""
    request: str = ""
    """Which request it was, as `pipeline/number`."""
    digests: tuple[str, ...] = ()
    """Keyed digests of the ids and texts that were given."""
    requests: tuple[str, ...] = ()
    """Of several entries, their requests."""

    def has(self, request: str) -> bool:
        """Whether an entry is about that request."""
        return request in self.requests


def replacements(entries: Sequence[Entry]) -> Replacements:
    """What `entries` say, all together."""
    replaced: dict[str, str] = {}
    rows: dict[str, int] = {}
    requests: list[str] = []
    for entry in entries:
        if entry.action is Action.FORGET and entry.detail:
            detail = Replacements.model_validate_json(entry.detail)
            replaced |= detail.replaced
            rows |= detail.rows
            requests.append(detail.request)
    return Replacements(replaced=replaced, rows=rows, requests=tuple(requests))


def successors(digest: str, replaced: Mapping[str, str]) -> tuple[str, ...]:
    """The digests that a file may have which had `digest` once, the oldest first."""
    after: list[str] = []
    while (digest := replaced.get(digest, "")) and digest not in after:
        after.append(digest)
    return tuple(after)
