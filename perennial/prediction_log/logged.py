"""What the prediction log holds of each answer: one flat row."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

Role = Literal["champion", "challenger", "shadow"]
"""Who answered: the champion, a challenger that users were given, or the version that was asked in the background."""
LoggedRow = dict[str, Any]
COLUMNS = (
    "id", "request_id", "row", "time", "model", "version", "role", "label", "score", "answer", "seconds", "text",
    "text_pair", "tokens",
)  # fmt: skip
"""id: REQUEST/ROW, to which labels are joined. time: ISO 8601 in UTC. label, score: where an answer has them. answer:
all of it, as JSON. seconds: of the whole request; none of what was asked in the background. The last three are null
unless texts are logged."""
TEXTS = ("text", "text_pair", "tokens")


@dataclass(frozen=True)
class LoggedAnswers:
    """The answers to one request."""

    request_id: str
    moment: float
    """Seconds since 1970."""
    model: str
    version: str
    role: Role
    seconds: float | None
    inputs: Sequence[Any]
    answers: Sequence[dict[str, Any]]


class LogWriter(Protocol):
    """Where rows are written."""

    def write(self, rows: Sequence[LoggedRow]) -> None:
        """Write them, durably enough that a killed process loses at most these. Raises OSError or PerennialError."""

    def tick(self) -> None:
        """Do what is due by the clock: close a file, delete what is too old."""

    def close(self) -> None:
        """Close what is open."""


def rows_of(logged: LoggedAnswers, *, texts: bool, redact: Callable[[str], str] | None) -> Iterator[LoggedRow]:
    """The rows of `logged`. Spans lose their texts where texts are not logged."""
    when = datetime.fromtimestamp(logged.moment, UTC).isoformat(timespec="milliseconds")
    inputs = logged.inputs if texts else [None] * len(logged.answers)
    for number, (given, answer) in enumerate(zip(inputs, logged.answers, strict=True)):
        kept = answer if texts and redact is None else _without_texts(answer)
        row: LoggedRow = dict.fromkeys(COLUMNS)
        row |= {
            "id": f"{logged.request_id}/{number}",
            "request_id": logged.request_id,
            "row": number,
            "time": when,
            "model": logged.model,
            "version": logged.version,
            "role": logged.role,
            "label": answer.get("label"),
            "score": answer.get("score"),
            "answer": json.dumps(kept, ensure_ascii=False),
            "seconds": logged.seconds,
        }
        yield row | (_texts(given, redact or str) if texts else {})


def _texts(given: Any, redact: Callable[[str], str]) -> LoggedRow:
    if isinstance(given, str):
        return {"text": redact(given)}
    if isinstance(given, tuple) and len(given) == 2 and all(isinstance(part, str) for part in given):
        return {"text": redact(given[0]), "text_pair": redact(given[1])}
    return {"tokens": json.dumps([redact(str(token)) for token in given], ensure_ascii=False)}


def _without_texts(answer: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in answer.items() if name not in TEXTS}
    if "spans" in kept:
        kept["spans"] = [{name: one[name] for name in one if name != "text"} for one in kept["spans"]]
    return kept
