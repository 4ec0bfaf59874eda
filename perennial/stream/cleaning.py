"""Live texts made fit to be kept: without personal data, if that is asked for, and as UTF-8."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from perennial.redaction.redactor import Redactor
from perennial.settings.monitor.streams import RedactionSpec
from perennial.stream.live_text import LiveText


@dataclass(frozen=True)
class CleanTexts:
    """Texts that may be kept, in their order, and what was taken out of them."""

    texts: Sequence[LiveText]
    redacted: Counter[str] = field(default_factory=Counter)
    """How often something of each kind was."""


def clean(texts: Sequence[LiveText], settings: RedactionSpec) -> CleanTexts:
    """`texts` without what `settings` name: in the text itself, its source and the columns that are kept."""
    redactor = Redactor(settings.redact, settings.region) if settings.redact else None
    counts: Counter[str] = Counter()
    return CleanTexts([_cleaned(text, redactor, counts) for text in texts], counts)


def _cleaned(text: LiveText, redactor: Redactor | None, counts: Counter[str]) -> LiveText:
    def cell(value: str) -> str:
        value = _as_utf8(value)
        if redactor is None:
            return value
        redacted = redactor.redact(value)
        counts.update(redacted.counts)
        return redacted.text

    kept = {_as_utf8(name): cell(value) for name, value in text.kept.items()}
    return replace(text, id=_as_utf8(text.id), text=cell(text.text), source=cell(text.source), kept=kept)


def _as_utf8(value: str) -> str:
    """`value` with ? for halves of a character, which JSON can hold and UTF-8 can't."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
