"""Somebody who listens to a step."""

from perennial.core import progress


class Notes(progress.Silent):
    """Keeps what a step noted."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def note(self, message: str) -> None:
        self.messages.append(message)
