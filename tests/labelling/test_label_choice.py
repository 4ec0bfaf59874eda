"""Which live texts wait to be labelled: how they were chosen, with which chance, and never twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from conftest import Make, live_rows, table

from perennial.core.errors import SpecError, StoreError
from perennial.labelling.choosing.choice import choose_texts
from perennial.labelling.choosing.random_draw import with_draws
from perennial.labelling.choosing.recent_texts import BATCH_ROWS, MOST_TEXTS, Passing
from perennial.labelling.choosing.unsure import unsureness
from perennial.labelling.waiting_list import Draw, WaitingList, list_path, read_list


def waiting(made: Any) -> Any:
    return read_list(made.home, "news")


def test_the_list_holds_each_share_and_no_text_twice(make: Make) -> None:
    made = make()
    chosen = made.choose(live_rows(300))
    assert (chosen.waiting, chosen.random, chosen.novel, chosen.unsure) == (20, 4, 4, 12)
    assert chosen.looked_at == 300
    texts = waiting(made).texts
    assert len({text.id for text in texts}) == len({text.story for text in texts}) == 20
    assert {text.weight for text in texts if text.chosen_by == "random"} == {300 / 4}
    assert {text.weight for text in texts if text.chosen_by != "random"} == {None}


def test_the_least_sure_are_those_with_the_smallest_margins(make: Make) -> None:
    made = make(labelling={"random_share": 0, "novel_share": 0, "texts": 5})
    rows = live_rows(200)
    made.choose(rows)
    margins = {row["id"]: unsureness(row["scores"], row["score"], "text-classification") for row in rows}
    least = sorted(margins.values())[-25:]
    assert all(margins[text.id] >= least[0] for text in waiting(made).texts)


def test_what_is_labelled_or_skipped_is_not_chosen_again_and_the_list_is_topped_up(make: Make) -> None:
    made = make()
    rows = live_rows(300)
    made.choose(rows)
    desk = made.desk()
    said = desk.queue("ann")[:8]
    for number, one in enumerate(said):
        desk.skip("ann", one) if number % 2 else desk.answer("ann", one, "neutral")
    again = made.choose(rows)
    assert (again.looked_at, again.waiting <= 20) == (0, True)
    assert not set(said) & {text.id for text in waiting(made).texts}
    last = made.choose([*rows, *live_rows(100, 300)])
    assert (last.looked_at, last.waiting) == (100, 20)


def test_one_telling_of_a_story_and_no_copy_of_what_is_known(make: Make) -> None:
    made = make(labelling={"random_share": 0})
    rows = live_rows(60)
    for row in rows[30:]:
        row |= {"story": rows[0]["id"], "telling": "retelling"}
    made.choose(rows)
    assert {text.id for text in waiting(made).texts} <= {row["id"] for row in rows[:30]}


def test_weights_add_up_to_the_stream_and_each_text_is_chosen_as_often_whoever_labels_when() -> None:
    totals, picked = list[float](), Counter[int]()
    for number in range(150):
        now = WaitingList(salt=f"salt {number}", draw=Draw(number=1, slots=5, texts=0))
        weights, done = dict[str, float](), set[str]()
        for look in range(4):
            passing = Passing(now.salt, 5, 100)
            passing.look(table(live_rows(25, 25 * look)))
            now = with_draws(now, passing.passed, done, done, 5)
            labels = 1 + number % 4 if (number + look) % 3 == 0 else 0
            for text in sorted(now.texts, key=lambda text: text.text)[:labels]:
                weights[text.id] = text.weight or 0.0
                done.add(text.id)
        weights |= {text.id: text.weight or 0.0 for text in now.texts if text.id not in done}
        totals.append(sum(weights.values()))
        for one, weight in weights.items():
            picked[int(one[1:])] += weight
    assert totals == pytest.approx([100] * 150)
    # Of each text, over all streams, the weights come to one a stream.
    shares = np.array([picked[number] for number in range(100)]) / 150
    assert shares.mean() == pytest.approx(1)
    by_look = shares.reshape(4, 25).mean(axis=1)
    assert by_look == pytest.approx([1, 1, 1, 1], abs=0.35)


def test_as_long_as_nobody_labels_later_texts_take_places_and_weights_grow(make: Make) -> None:
    made = make()
    rows = live_rows(100)
    made.choose(rows)
    first = {text.id for text in waiting(made).texts if text.draw}
    rows += live_rows(900, 100)
    made.choose(rows)
    drawn = [text for text in waiting(made).texts if text.draw]
    assert {text.weight for text in drawn} == {1000 / 4}
    assert {text.id for text in drawn} != first
    made.desk().answer("ann", drawn[0].id, "positive")
    made.choose([*rows, *live_rows(1000, 1000)])
    kept = [text for text in waiting(made).texts if text.draw == drawn[0].draw]
    assert {text.id for text in kept} == {text.id for text in drawn[1:]}
    assert {text.weight for text in waiting(made).texts if text.draw and text not in kept} == {1000.0}


def test_looks_are_the_same_whether_all_or_only_the_newest_are_shown(make: Make) -> None:
    made = make()
    made.choose(live_rows(100))
    # The text that was looked at last is gone, and the clock tells.
    assert made.choose(live_rows(50, 120)).looked_at == 50
    assert made.choose(live_rows(50, 120)).looked_at == 0
    # A clock that went back: order tells.
    late = live_rows(10, 170)
    for row in late:
        row["read"] = row["read"].replace(year=2020)
    assert made.choose([*live_rows(50, 120), *late]).looked_at == 10


def test_texts_that_nobody_can_label_are_said_and_memory_is_bounded() -> None:
    passing = Passing("salt", 3, longest=50)
    rows = live_rows(4)
    rows[0]["text"], rows[1]["text"] = " \n", "x" * 51
    for _ in range(3):
        passing.look(table(rows))
    assert passing.passed.left_out.total() == 6
    passing.look(table(live_rows(MOST_TEXTS + 500)))
    assert (len(passing.passed.newest()), len(passing.passed.drawn)) == (MOST_TEXTS, 3)
    assert sum(batch.num_rows for batch, _ in passing.passed.held) < MOST_TEXTS + BATCH_ROWS


def test_a_new_subject_that_many_texts_have_is_novel_and_noise_is_not(make: Make) -> None:
    made = make(labelling={"random_share": 0, "novel_share": 1, "texts": 3})
    rows = live_rows(200)
    for number, row in enumerate(rows[150:190]):
        row["text"] = f"volcano ash cloud grounds flights near crater {number}"
    rows[195]["text"] = "qzx wvu kjh"
    desk = made.desk()
    made.choose(rows[:150])
    for one in desk.queue("ann"):
        desk.answer("ann", one, "neutral")
    made.choose(rows)
    texts = [text.text for text in waiting(made).texts]
    assert any("volcano" in text for text in texts)
    assert "qzx wvu kjh" not in texts


@pytest.mark.parametrize("kind", ["multi-label", "token-classification", "regression"])
def test_other_kinds_are_chosen_from_too(kind: str, make: Make) -> None:
    made = make(kind)
    scores = {"regression": None, "token-classification": None}.get(kind, [0.1, 0.5, 0.9])
    chosen = made.choose(live_rows(100, scores=scores, score=None if kind == "regression" else 0.7))
    assert chosen.waiting == 20
    assert bool(chosen.sentences) == (kind == "regression")


def test_what_can_not_be_asked_here_is_refused_with_a_way_out(make: Make) -> None:
    made = make("token-classification", columns={"tokens": "tokens"})
    with pytest.raises(SpecError, match="export-annotations"):
        made.choose(live_rows(5))
    made = make()
    with pytest.raises(SpecError, match="no live texts"):
        choose_texts(made.spec.model_copy(update={"monitor": None}).located(made.folder), made.home, [])


def test_a_damaged_list_is_said(make: Make) -> None:
    made = make()
    made.choose(live_rows(10))
    list_path(made.home, "news").write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match="Remove the file"):
        made.choose(live_rows(20))
