"""What a surge is about: its texts' sources, entities and topics, and five typical headlines.

And which surges are one: series overlap (a topic, an entity in it, all texts), so one story makes several surge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from perennial.monitoring.surges.events import Headline, Mention, Surge

TYPICAL = 5
LISTED = 10
MOST_COMPARED = 2_000
"""Texts of a surge from which typical ones are chosen; of more, as many spread over all."""
NEARLY_THE_SAME = 0.6
"""Cosine of two texts' words from which they say the same."""
OVERLAP = 0.5
"""Of the smaller one's texts: from there on two surges are one."""


@dataclass(frozen=True)
class SurgeText:
    """One text of a stream, as a surge needs it."""

    id: str
    time: datetime
    label: str
    text: str = ""
    source: str = ""
    entities: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    """Other columns that series are made by."""

    def is_in(self, surge: Surge) -> bool:
        """Whether it is of the surge's series, label and time."""
        if self.label != surge.label or not surge.opened <= self.time < surge.until:
            return False
        return all(self._has(column, value) for column, value in surge.key)

    def _has(self, column: str, value: str) -> bool:
        entities, topics = self.entities, self.topics
        by_column = {"source": (self.source,), "entity": entities, "entities": entities, "topic": topics}
        return value in by_column.get(column, ()) or (column, value) in self.values


def with_evidence(
    surge: Surge, texts: Iterable[SurgeText], *, at_least_sources: int = 1, keep_texts: bool = True
) -> Surge:
    """The surge and what it is about.

    With fewer than `at_least_sources` it waits: one source that tells one story five times is no news. Texts without a
    source count as one source together.
    """
    own = [one for one in texts if one.is_in(surge)]
    sources = Counter(one.source for one in own)
    enough = len(sources) >= at_least_sources
    state = surge.state if surge.cleared else ("open" if enough else "waiting")
    update = {
        "state": state,
        "sources": _listed(sources),
        "source_count": len(sources),
        "entities": _listed(Counter(name for one in own for name in dict.fromkeys(one.entities))),
        "topics": _listed(Counter(name for one in own for name in dict.fromkeys(one.topics))),
        "headlines": tuple(Headline(id=one.id, text=one.text if keep_texts else None) for one in typical(own)),
    }
    return surge.model_copy(update=update)


def typical(texts: Sequence[SurgeText], most: int = TYPICAL) -> list[SurgeText]:
    """Those that have most in common with all the others, no two of which are nearly the same.

    TF-IDF of words; the next one is the nearest to the middle of all that is not too near to one that was chosen.
    """
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    spread = np.unique(np.linspace(0, max(0, len(texts) - 1), min(len(texts), MOST_COMPARED), dtype=int)).tolist()
    compared = [texts[one] for one in spread if texts[one].text.strip()]
    if not compared:
        return list(texts[:most])
    words = TfidfVectorizer(token_pattern=r"(?u)\w+", sublinear_tf=True)  # noqa: S106 (no password)
    try:
        vectors = words.fit_transform(one.text for one in compared)
    except ValueError:  # No text has a word.
        return compared[:most]
    nearness = vectors @ np.asarray(vectors.mean(axis=0)).ravel()
    chosen: list[int] = []
    for one in np.argsort(-nearness, kind="stable").tolist():
        if len(chosen) < most and (
            not chosen or (vectors[chosen] @ vectors[[one]].T).toarray().max() < NEARLY_THE_SAME
        ):
            chosen.append(one)
    return [compared[one] for one in chosen]


def joined(surges: Sequence[Surge], texts: Sequence[SurgeText]) -> list[Surge]:
    """One alarm an event: surges of which half of the smaller one's texts are the larger one's, too, become one.

    What stays is the one that began first, of these the one with most texts; the others' series are in its `also`.
    """
    rows = {surge.id: {one.id for one in texts if one.is_in(surge)} for surge in surges}
    kept: list[Surge] = []
    for surge in sorted(surges, key=lambda one: (one.opened, -one.counted, one.key)):
        own = rows[surge.id]
        for number, other in enumerate(kept):
            if own and len(own & rows[other.id]) >= OVERLAP * min(len(own), len(rows[other.id])):
                also = dict.fromkeys((*other.also, surge.key, *surge.also))
                kept[number] = other.model_copy(update={"also": tuple(key for key in also if key != other.key)})
                break
        else:
            kept.append(surge)
    return kept


def _listed(counts: Counter[str]) -> tuple[Mention, ...]:
    return tuple(Mention(name=name, texts=texts) for name, texts in counts.most_common(LISTED) if name)
