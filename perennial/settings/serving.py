"""The settings of `perennial serve`."""

from typing import Self

from pydantic import Field, model_validator

from perennial.settings.base import Settings


class ServingSpec(Settings):
    """How `perennial serve` answers: what a request may hold, how many wait, how soon a new champion is seen. They
    change no model, and hold for the server that is started with them.
    """

    poll_seconds: float = Field(default=10, gt=0)
    """How often the registry is asked who is champion, in seconds; one small request each time."""
    max_rows: int = Field(default=1000, ge=1)
    """Rows in a request; one with more is refused with 413. A file belongs into `perennial predict`."""
    max_characters: int = Field(default=20_000, ge=1)
    """Of a text, the two texts of a pair together, or all tokens of a row; a longer one is refused with 413."""
    max_body_bytes: int = Field(default=4_000_000, ge=100)
    """Of a request; a larger one is refused with 413 before it is read to its end."""
    queue_rows: int = Field(default=2000, ge=1)
    """Rows that wait or are being answered at once; a request that would make them more is refused with 429, so that
    who is let in waits for seconds, not minutes. At least max_rows."""
    batch_rows: int = Field(default=64, ge=1)
    """Rows that are answered together, at most: those that came while the model was busy. Nothing ever waits for a
    batch to fill up. More serve many clients faster, and let a short request wait longer behind long ones."""
    body_seconds: float = Field(default=30, gt=0)
    """How long a request may take to come in: its headers, and then its body. A slower one is refused with 408, so that
    clients which stall, or were cut off, hold no memory. Raise it for large requests over slow lines."""
    queue_seconds: float = Field(default=300, gt=0)
    """How long a request may wait for its answers once it is in. Then it is answered with 503, and its rows that were
    not computed never are. Long enough for max_rows long texts on a few cores; clients that wait no longer and close
    their connection are noticed at once, and their rows dropped."""
    connections: int = Field(default=500, ge=1)
    """Requests to /predict at once, those included that are coming in; one more is answered with 503. Each may hold
    max_body_bytes. A little below the 1,024 files that a process may have open by default, as connections are files."""
    threads: int | None = Field(default=None, ge=1)
    """Of the model; none: the physical cores this process may use."""
    drain_seconds: int = Field(default=30, ge=1)
    """How long requests that are under way may take when the server is told to end."""

    @model_validator(mode="after")
    def _room_for_one(self) -> Self:
        if self.queue_rows < self.max_rows:
            raise ValueError(
                f"queue_rows ({self.queue_rows}) is less than max_rows ({self.max_rows}): a request that is allowed "
                "would never be let in; raise the one or lower the other"
            )
        return self
