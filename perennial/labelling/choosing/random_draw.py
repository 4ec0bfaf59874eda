"""The random share: each live text has the same known chance as all others of its draw, however few people label.

Each text has a lot; of the texts of an open draw those with the lowest lots wait, which is a simple random sample of
all that passed, at any time. As long as nobody said anything of them, later texts take their places, so that no time is
left out while nobody labels. Once somebody did, or there is room for more, the draw is closed with the chance that it
had, slots / texts, and a new one is opened: what people say then decides nothing of who was asked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from perennial.labelling.choosing.recent_texts import Passed, PassedText, lot_of
from perennial.labelling.waiting_list import Draw, WaitingList, WaitingText
from perennial.records.labelling import ChosenBy


def with_draws(
    before: WaitingList, passed: Passed, done: Collection[str], spoken_of: Collection[str], room: int
) -> WaitingList:
    """The list with what chance chose of the new texts, and without those that are `done`; `spoken_of`: texts of which
    anybody ever said something; `room`: how many texts chosen by chance may wait."""
    is_spoken_of = any(text.id in spoken_of for text in before.texts if text.draw == before.draw.number)
    waiting = before.without(done)
    drawn = [text for text in waiting.texts if text.draw is not None]
    open_texts = [text for text in drawn if text.draw == waiting.draw.number]
    free = room - len(drawn) + len(open_texts)
    if is_spoken_of or free > waiting.draw.slots:
        draw = Draw(number=waiting.draw.number + 1, slots=_slots(room, len(drawn)), texts=passed.new)
        kept, rivals = list(waiting.texts), list[WaitingText]()
    else:
        draw = waiting.draw.model_copy(update={"texts": waiting.draw.texts + passed.new})
        kept, rivals = [text for text in waiting.texts if text not in open_texts], open_texts
    new = [waiting_text(text, "random") for _, _, text in passed.drawn]
    chosen = _lowest([*rivals, *new], waiting.salt, draw.slots)
    settled = [text.model_copy(update={"draw": draw.number, "weight": draw.weight}) for text in chosen]
    return waiting.model_copy(update={"texts": (*kept, *settled), "draw": draw})


def waiting_text(text: PassedText, chosen_by: ChosenBy) -> WaitingText:
    """The text as it waits."""
    return WaitingText(
        id=text.id,
        text=text.text,
        time=text.time,
        source=text.source,
        story=text.story,
        kept=text.kept,
        chosen_by=chosen_by,
    )


def _slots(room: int, taken: int) -> int:
    # One at least: a text without a chance could be spoken for by no other.
    return max(1, room - taken) if room else 0


def _lowest(texts: Sequence[WaitingText], salt: str, count: int) -> list[WaitingText]:
    return sorted(texts, key=lambda text: lot_of(text.id, salt))[:count]
