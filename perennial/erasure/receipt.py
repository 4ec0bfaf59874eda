"""What is told of forgotten rows: where they were, what holds something of them and until when. No id, no text."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import Field

from perennial.core.home import Home
from perennial.core.record import Record
from perennial.core.store import write_atomically

NOT_LOOKED_AT = (
    "Not looked at: files that you made with `perennial review`, `predict`, `dashboard` or `export-annotations`, "
    "backups, and homes and registries elsewhere; the same command erases there what those hold."
)


class TracePlace(Record):
    """Something that holds, or held, forgotten rows or names them."""

    what: str
    where: str
    """Relative to the home, or the artifact of an MLflow run."""
    rows: int
    """How many of the rows, or how often one is named."""
    stays: str = ""
    """Why it can't be erased now, and until when; "": it is erased at once."""


class LearnedVersion(Record):
    """A version whose weights were made with forgotten rows."""

    model: str
    version: str
    role: str
    """champion, previous, or what its status is."""
    rows: int
    """Train rows among the forgotten ones that were in the parts it was made from."""
    until: str


class Receipt(Record):
    """What became of one request."""

    pipeline: str
    number: int
    moment: datetime
    who: str
    reason: str
    asked_ids: int
    asked_texts: int
    digests: tuple[str, ...]
    """Keyed digests of the ids and texts that were given; `--id` or `--text-file` shows which they are of."""
    unmatched: int
    """How many of the given ids and texts are of no row of a snapshot."""
    rows: int
    """Rows of snapshots that were matched."""
    places: tuple[TracePlace, ...]
    erased: dict[str, int] = Field(default={})
    """How many rows or mentions were erased so far, by what held them; earlier attempts included."""
    learned: tuple[LearnedVersion, ...]
    not_reproducible: tuple[str, ...]
    """Versions, as `model N`, that can't be made again without the rows."""
    yours: tuple[str, ...]
    """What only the user can take out: the source, files of corrections."""
    dry_run: bool
    finished: datetime | None
    """When all was erased that can be; None: not yet."""

    @property
    def stays(self) -> tuple[TracePlace, ...]:
        """What is not erased at once."""
        return tuple(one for one in self.places if one.stays)


class ForgetStatus(Record):
    """What still holds something of what was forgotten, looked for now."""

    pipeline: str
    checked: datetime
    requests: tuple[Receipt, ...]

    @property
    def is_clear(self) -> bool:
        """Whether nothing is left anywhere, in no model either."""
        return not any(one.places or one.learned or one.yours for one in self.requests)


def write_receipt(home: Home, receipt: Receipt) -> Path:
    """Keep a receipt in the home, for machines and for people; gives the path of the latter."""
    page = page_path(home, receipt)
    write_atomically(page.with_suffix(".json"), receipt.model_dump_json(indent=1) + "\n")
    write_atomically(page, "\n".join(receipt_in_words(receipt)) + "\n")
    return page


def page_path(home: Home, receipt: Receipt) -> Path:
    """Where the receipt for people is kept."""
    return home.root / "forgotten" / receipt.pipeline / f"{receipt.number:04}.txt"


def receipt_in_words(receipt: Receipt) -> Iterator[str]:
    """The receipt, a line each."""
    yield _heading(receipt)
    if receipt.unmatched:
        yield f"{receipt.unmatched:,} of the given ids and texts are of no row of a snapshot."
    done = "Would be erased" if receipt.dry_run else "Erased"
    now = _sums(one for one in receipt.places if not one.stays) if receipt.dry_run else receipt.erased
    yield from (f"{done}: {what} ({count:,})." for what, count in now.items())
    yield from _held(receipt)
    if receipt.finished and not receipt.dry_run:
        yield f"All that can be erased was, at {receipt.finished:%Y-%m-%d %H:%M:%SZ}."
    yield NOT_LOOKED_AT


def status_in_words(status: ForgetStatus) -> Iterator[str]:
    """What still holds something, a line each."""
    if not status.requests:
        yield f"Nothing was ever forgotten of {status.pipeline}."
        return
    for receipt in status.requests:
        yield _heading(receipt)
        for what, count in _sums(one for one in receipt.places if not one.stays).items():
            yield f"Still there: {what} ({count:,}). The same `perennial forget` command erases it."
        yield from _held(receipt)
        if not receipt.places and not receipt.learned and not receipt.yours:
            yield f"Nothing is left (checked {status.checked:%Y-%m-%d %H:%M:%SZ})."
        elif not receipt.places and not receipt.yours:
            yield f"No row is left, in weights alone (checked {status.checked:%Y-%m-%d %H:%M:%SZ})."
    yield NOT_LOOKED_AT


def _heading(receipt: Receipt) -> str:
    asked = [
        f"{count:,} {noun}{'s' * (count != 1)}"
        for count, noun in ((receipt.asked_ids, "id"), (receipt.asked_texts, "text"))
        if count
    ]
    rows = f"{receipt.rows:,} row{'s' * (receipt.rows != 1)}"
    reason = f": {receipt.reason.rstrip('.')}" if receipt.reason else ""
    return (
        f"Forgetting {receipt.number} of {receipt.pipeline}, {' and '.join(asked)} ({rows}), asked for "
        f"by {receipt.who} at {receipt.moment:%Y-%m-%d %H:%M:%SZ}{reason}."
    )


def _held(receipt: Receipt) -> Iterator[str]:
    for one in receipt.stays:
        yield f"Stays: {one.what} ({one.where}): {one.stays}."
    for learned in receipt.learned:
        yield (
            f"Stays: what version {learned.version} of {learned.model} ({learned.role}) learned from up to "
            f"{learned.rows:,} of the rows, in its weights, {learned.until}."
        )
    if receipt.not_reproducible:
        shown = ", ".join(receipt.not_reproducible)
        yield f"Can't be reproduced without these rows, and serves all the same: {shown}."
    yield from receipt.yours


def _sums(places: Iterator[TracePlace] | Sequence[TracePlace]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for one in places:
        sums[one.what] += one.rows
    return dict(sums)
