"""Fills the list of texts that wait to be labelled: by chance, the least sure, the most novel."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perennial.core.errors import StoreError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.labelling import label_file, waiting_list
from perennial.labelling.answers import form_of
from perennial.labelling.choosing import known_texts
from perennial.labelling.choosing.novelty import Likeness, most_novel, spread_out
from perennial.labelling.choosing.random_draw import waiting_text, with_draws
from perennial.labelling.choosing.recent_texts import Passed, PassedText, Passing
from perennial.labelling.choosing.unsure import unsureness
from perennial.labelling.waiting_list import Draw, WaitingList, WaitingText
from perennial.records.labelling import LabelledText, standing
from perennial.settings.monitor.labelling import LabellingSpec
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa

FEW = 5
"""How many times as many of the least sure are looked at as are chosen, to find some that are unlike each other."""
MOST_ALIKE = 0.8
"""Cosine from which two texts ask the same of a person."""
MOST_LABELLED = 5_000
"""Labelled texts that new ones are compared with: the newest."""


class Chosen(Record):
    """What waits to be labelled after a look at the stream."""

    waiting: int
    unsure: int
    """Of these, chosen because the model was least sure."""
    novel: int
    """Because they are unlike any that is known."""
    random: int
    """By chance."""
    added: int
    """Of all, those that did not wait before."""
    looked_at: int
    """Texts that are new since the last look."""
    sentences: tuple[str, ...] = ()
    """What was left out, and what could not be told."""


@dataclass(frozen=True)
class Room:
    """How many texts may wait, by why they were chosen."""

    random: int
    novel: int
    unsure: int

    @classmethod
    def of(cls, settings: LabellingSpec) -> Room:
        """A share that is set has one text at least, as long as there is room."""
        random = _part(settings.texts, settings.random_share, settings.texts)
        novel = _part(settings.texts, settings.novel_share, settings.texts - random)
        return cls(random, novel, settings.texts - random - novel)


def choose_texts(spec: PipelineSpec, home: Home, tables: Iterable[pa.Table]) -> Chosen:
    """Fill the list of texts that wait to be labelled.

    `tables`: stored texts in the order in which they were read, all or the newest; those that were looked at before are
    known by the last one's id, and where that is gone by when they were read. Each text that is new is in the random
    share with a known chance. Of a story one telling is chosen to be labelled for being unsure or novel, and no text
    that anybody labelled or skipped. Raises PerennialError when the list or the labels can't be read or written, or
    people can't label texts of this kind here.
    """
    settings, path = label_file.labelling_of(spec), label_file.label_path(spec)
    form_of(spec)
    label_file.make_file(path)
    room = Room.of(settings)
    before = waiting_list.read_list(home, spec.name) or _empty(room)
    passing = Passing(before.salt, room.random, spec.data.max_text_length, before.last_id, before.last_read)
    for table in tables:
        passing.look(table)
    learned, trouble = _known(spec, home)
    with waiting_list.locked(home, spec.name):
        now = waiting_list.read_list(home, spec.name) or before
        if now.last_id != before.last_id:
            # Another process looked at the same texts meanwhile, and chose.
            return _described(now, {text.id for text in now.texts}, Passed(), [])
        lines, _ = label_file.read_lines(path, 0)
        filled, sentences = filled_list(now, passing.passed, lines, learned, room, form_of(spec).asks)
        waiting_list.write_list(home, spec.name, filled)
    ids = {text.id for text in before.texts}
    return _described(filled, ids, passing.passed, [*trouble, *sentences])


def filled_list(
    before: WaitingList, passed: Passed, lines: Sequence[LabelledText], learned: Sequence[str], room: Room, asks: str
) -> tuple[WaitingList, list[str]]:
    """The list after `passed`, and what is to be said of it; `lines`: all that people said; `learned`: texts that the
    model learned from."""
    done = {line.id for line in standing(lines)}
    waiting = with_draws(before, passed, done, {line.id for line in lines}, room.random)
    labelled = [line.text for line in lines][-MOST_LABELLED:]
    candidates = _candidates(passed, waiting, {line.id for line in lines}, [*labelled, *learned])
    unsure_free, novel_free = (
        _free(waiting, why, size) for why, size in (("unsure", room.unsure), ("novel", room.novel))
    )
    sentences = []
    added = list[WaitingText]()
    if candidates and (unsure_free or novel_free):
        likeness = Likeness(
            [*(one.text for one in candidates), *labelled, *learned, *(one.text for one in waiting.texts)]
        )
        everything = np.arange(len(candidates) + len(labelled) + len(learned) + len(waiting.texts))
        doubts = np.array([np.nan if one is None else one for one in _doubts(candidates, asks)], float)
        if unsure_free and np.isnan(doubts).all():
            sentences.append("The answers do not tell how sure they are, so no text was chosen for being unsure.")
            unsure_free, novel_free = 0, novel_free + unsure_free
        unsure = _least_sure(likeness, doubts, unsure_free)
        taken = {candidates[one].story for one in unsure}
        others = np.array([n for n, one in enumerate(candidates) if one.story not in taken], int)
        novel = most_novel(likeness, others, np.concatenate([everything[len(candidates) :], unsure]), novel_free)
        added += [waiting_text(candidates[one], "unsure") for one in unsure]
        added += [waiting_text(candidates[one], "novel") for one in novel]
    last = {"last_id": passed.last_id, "last_read": passed.last_read}
    return waiting.model_copy(update={"texts": (*waiting.texts, *added), **last}), sentences


def _least_sure(likeness: Likeness, doubts: np.ndarray, count: int) -> np.ndarray:
    if not count:
        return np.empty(0, int)
    order = np.argsort(-np.nan_to_num(doubts, nan=-1.0), kind="stable")
    scored = order[~np.isnan(doubts[order])][: FEW * count]
    return np.array(spread_out(likeness, scored, count, MOST_ALIKE), int)


def _doubts(candidates: Sequence[PassedText], asks: str) -> list[float | None]:
    return [unsureness(one.scores, one.score, asks) for one in candidates]


def _candidates(passed: Passed, waiting: WaitingList, spoken_of: set[str], learned: Sequence[str]) -> list[PassedText]:
    """Of each story that nobody spoke of and nobody is asked about, the newest first telling; the newest last."""
    stories = {text.story for text in waiting.texts} | {text.id for text in waiting.texts} | spoken_of
    texts = {_folded(text) for text in learned} | {_folded(text.text) for text in waiting.texts}
    by_text: dict[str, PassedText] = {}
    for one in passed.newest():
        if one.id not in stories and one.story not in stories and (folded := _folded(one.text)) not in texts:
            by_text[folded] = one
    return list({one.story: one for one in by_text.values()}.values())


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _free(waiting: WaitingList, why: str, room: int) -> int:
    return max(0, room - sum(text.chosen_by == why for text in waiting.texts))


def _part(texts: int, share: float, most: int) -> int:
    return min(most, max(1, round(texts * share))) if share else 0


def _empty(room: Room) -> WaitingList:
    return WaitingList(salt=secrets.token_hex(16), draw=Draw(number=1, slots=room.random, texts=0))


def _known(spec: PipelineSpec, home: Home) -> tuple[list[str], list[str]]:
    try:
        return known_texts.known_texts(spec, home), []
    except StoreError as error:
        return [], [f"What is novel was told without the texts that were learned from: {error.problem}"]


def _described(filled: WaitingList, before: set[str], passed: Passed, sentences: Sequence[str]) -> Chosen:
    by_why = {why: sum(text.chosen_by == why for text in filled.texts) for why in ("unsure", "novel", "random")}
    left_out = [f"{count:,} × {what}: not chosen from." for what, count in passed.left_out.items() if count]
    return Chosen(
        waiting=len(filled.texts),
        added=sum(text.id not in before for text in filled.texts),
        looked_at=passed.new + sum(passed.left_out.values()),
        sentences=(*left_out, *sentences),
        **by_why,
    )
