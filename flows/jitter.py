"""When the run of a tick starts: each pipeline's own while after it, so that those of one cron don't start together."""

from datetime import UTC, datetime, timedelta

from perennial.core import digest

PARTS = 2**32


def start_of(pipeline: str, tick: datetime, within_seconds: int) -> datetime:
    """The start, in UTC, at most `within_seconds` after `tick`; always the same for one tick of one pipeline.

    It is made of both, not drawn: whoever asks, in whatever process and time zone, gets the same.
    """
    part = int(digest.of_values(pipeline=pipeline, tick=int(tick.timestamp()))[:8], 16)
    return tick.astimezone(UTC) + timedelta(seconds=part / PARTS * within_seconds)
