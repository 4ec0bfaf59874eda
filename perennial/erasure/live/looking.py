"""Every place of a home in which texts lie that nobody labelled, looked through for forgotten ones."""

from __future__ import annotations

from collections.abc import Iterator

from perennial.core.home import Home
from perennial.erasure.live import logged_answers, stored_texts, surge_headlines, waiting_texts
from perennial.erasure.receipt import TracePlace
from perennial.ingest.forgotten import ForgottenRows, Sieve
from perennial.settings.pipeline import PipelineSpec


def live_places(spec: PipelineSpec, home: Home, rows: ForgottenRows, *, erases: bool) -> Iterator[TracePlace]:
    """Where live texts are, or hold, what `rows` name by id or text; `erases`: it is gone when its place is given.

    What can't be erased now says why it stays. Raises OverlapError where a monitor is at work, StoreError where a place
    can't be read, ServingError where the database of logged answers can't.
    """
    sieve = Sieve(rows, beside=True)
    if sieve:
        yield from stored_texts.places(spec, home, sieve, erases=erases)
        yield from waiting_texts.places(spec, home, sieve, erases=erases)
        yield from surge_headlines.places(spec, home, sieve, erases=erases)
        yield from logged_answers.places(spec, home, sieve, erases=erases)
