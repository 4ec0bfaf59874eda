"""`python -m benchmarks copies`: how much of a made-up stream is joined rightly, how much wrongly, and how fast.

The weights of perennial/stream/copies/likeness.py were found on the odd events; the figures are of the even ones, with
other firms, people, places and things. BENCH_TEXTS is another number of texts, BENCH_SEED another draw.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.copies.streams import Newsroom, Planted
from perennial.settings.monitor.copies import CopiesSpec
from perennial.stream.copies import CopyFinder, CopyMark

TEXTS = int(os.environ.get("BENCH_TEXTS", "10000"))
SEED = int(os.environ.get("BENCH_SEED", "17"))
A_DAY = 400
JOINED = ("copy", "near copy", "retelling")


def measure(scratch: Path) -> dict[str, object]:
    """With entities, without, and without retellings."""
    stream = Newsroom(SEED, even=True).stream(TEXTS, A_DAY)
    figures: dict[str, object] = {"texts": len(stream), "seed": SEED, "planted": dict(Counter(p.kind for p in stream))}
    figures["words that a retelling shares with the first, of those of either, and of the shorter"] = _words(stream)
    figures["with entities"] = _row(stream, CopiesSpec(), entities=True)
    figures["capitals stand in for entities"] = _row(stream, CopiesSpec(), entities=False)
    alone = _row(stream, CopiesSpec(retellings=False), entities=False)
    figures["without retellings, texts/s of CPU"] = alone["texts/s of CPU"]
    return figures


def _row(stream: Sequence[Planted], settings: CopiesSpec, *, entities: bool) -> dict[str, float]:
    finder = CopyFinder(settings)
    named = [planted.entities for planted in stream] if entities else None
    began = time.process_time()
    marks = finder.mark([planted.text for planted in stream], named)
    seconds = time.process_time() - began
    return joined(stream, marks) | {"texts/s of CPU": round(len(stream) / seconds)}


def joined(stream: Sequence[Planted], marks: Sequence[CopyMark]) -> dict[str, float]:
    """Shares of the texts of a kind that were joined to their story; of all joins, and of look-alikes, the wrong."""
    story_of: dict[int, str] = {}
    truth = {planted.text.id: planted.story for planted in stream}
    right: Counter[str] = Counter()
    kinds = Counter(planted.kind for planted in stream)
    joins = wrong = lured = 0
    for planted, mark in zip(stream, marks, strict=True):
        story = story_of.setdefault(planted.story, mark.story)
        right[planted.kind] += mark.story == story
        if mark.telling != "first":
            joins += 1
            strange = truth[mark.story] != planted.story
            wrong += strange
            lured += strange and planted.kind not in (*JOINED, "first")
    shares = {f"{kind} joined": round(right[kind] / kinds[kind], 4) for kind in JOINED}
    looks = sum(count for kind, count in kinds.items() if kind not in (*JOINED, "first"))
    return shares | {"wrong, of all joins": round(wrong / joins, 4), "look-alikes joined": round(lured / looks, 4)}


def _words(stream: Sequence[Planted]) -> list[float]:
    """Means over retellings."""
    firsts = {planted.story: set(planted.text.text.lower().split()) for planted in reversed(stream)}
    either = shorter = retellings = 0.0
    for planted in stream:
        if planted.kind == "retelling":
            mine, theirs = set(planted.text.text.lower().split()), firsts[planted.story]
            either += len(mine & theirs) / len(mine | theirs)
            shorter += len(mine & theirs) / min(len(mine), len(theirs))
            retellings += 1
    return [round(either / retellings, 3), round(shorter / retellings, 3)]
