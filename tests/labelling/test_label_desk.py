"""Labels at the desk: kept at once, taken back, given by several people at the same time, nothing lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import LABELS, Labelled, Make, live_rows

from perennial.core.errors import PerennialError, SourceError
from perennial.labelling.answers import AnswerError
from perennial.labelling.label_file import labelled_texts
from perennial.labelling.stopping import more_labels
from perennial.labelling.terminal import label_in_terminal
from perennial.records.labelling import LabelledText

EACH = """
import sys
from pathlib import Path
from conftest import Labelled
desk = Labelled(Path(sys.argv[1]), labelling={"texts": 60}).desk()
for one in desk.queue(sys.argv[2], 1000):
    desk.answer(sys.argv[2], one, "neutral")
"""


@pytest.fixture
def chosen(make: Make) -> Labelled:
    made = make()
    made.choose(live_rows(200))
    return made


def test_a_label_is_a_line_at_once_and_a_later_one_wins(chosen: Labelled) -> None:
    desk = chosen.desk()
    first, second, *_ = desk.queue("ann")
    desk.answer("ann", first, "negative")
    desk.skip("ann", second)
    desk.answer("ann", first, "positive")
    lines = [json.loads(line) for line in desk.path.read_text(encoding="utf-8").splitlines()]
    assert [line.get("label") for line in lines] == ["negative", None, "positive"]
    assert [(one.id, one.label) for one in labelled_texts(desk.path)] == [(first, "positive")]
    assert lines[0]["kept"]["sector"] in ("banks", "energy")
    progress = desk.progress("ann")
    assert (progress.waiting, progress.labelled, progress.skipped, progress.mine) == (18, 1, 1, 1)


def test_undo_takes_back_the_last_and_the_text_waits_again_even_after_the_next_look(chosen: Labelled) -> None:
    desk = chosen.desk()
    first, second, *_ = desk.queue("ann")
    desk.answer("ann", first, "negative")
    desk.answer("ann", second, "neutral")
    desk.answer("bob", desk.queue("bob")[0], "neutral")
    chosen.choose(live_rows(200))
    assert desk.undo("ann") == second
    assert desk.undo("ann") == first
    assert desk.undo("ann") is None
    assert {first, second} <= set(desk.queue("ann"))
    assert [one.annotator for one in labelled_texts(desk.path)] == ["bob"]
    desk.answer("ann", first, "positive")
    weights = {one.id: one.weight for one in labelled_texts(desk.path)}
    assert first in weights


def test_two_people_in_two_processes_lose_nothing(make: Make, tmp_path: Path) -> None:
    made = make(labelling={"texts": 60})
    made.choose(live_rows(200))
    here = Path(__file__).parent
    path = [str(here), *sys.path]
    code = f"import sys; sys.path[:0] = {path!r}\n{EACH}"
    people = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in ("ann", "bob")]
    assert [one.wait(200) for one in people] == [0, 0]
    desk = made.desk()
    assert desk.queue("eve") == []
    labelled = list(labelled_texts(desk.path))
    assert len({one.id for one in labelled}) == 60
    assert len(desk.path.read_bytes().splitlines()) == len(labelled)


def test_copies_of_a_text_that_wait_are_answered_together(make: Make) -> None:
    made = make(labelling={"texts": 10, "random_share": 1, "novel_share": 0})
    made.choose(live_rows(10, text="the same", telling="copy"))
    desk = made.desk()
    desk.answer("ann", desk.queue("ann")[0], "neutral")
    assert desk.queue("ann") == []
    assert len(list(labelled_texts(desk.path))) == 10
    desk.undo("ann")
    assert len(desk.queue("ann")) == 10


def test_a_half_written_line_is_cut_off_by_the_next(chosen: Labelled) -> None:
    desk = chosen.desk()
    first, second, *_ = desk.queue("ann")
    desk.answer("ann", first, "negative")
    with desk.path.open("ab") as file:
        file.write(b'{"id": "t1", "text": "half')
    assert len(list(labelled_texts(desk.path))) == 1
    chosen.desk().answer("ann", second, "neutral")
    assert [one.label for one in labelled_texts(desk.path)] == ["negative", "neutral"]


def test_what_is_no_label_in_the_file_is_said_by_its_line(chosen: Labelled) -> None:
    path = chosen.desk().path
    path.write_text('\n{"id": 1}\n', encoding="utf-8")
    with pytest.raises(SourceError, match="line 2"):
        list(labelled_texts(path))


@pytest.mark.parametrize(
    ("kind", "good", "kept", "bad"),
    [
        ("text-classification", "neutral", "neutral", ["none such", 1, ["neutral"]]),
        ("multi-label", ["positive", "negative"], ["negative", "positive"], ["negative", [1], ["x"]]),
        ("regression", "3,5", 3.5, ["", "three", True, float("inf"), [1]]),
        (
            "token-classification",
            [{"start": 0, "end": 4, "label": "neutral"}],
            [{"start": 0, "end": 4, "label": "neutral"}],
            [
                [{"start": 0, "end": 999, "label": "neutral"}],
                [{"start": 4, "end": 5, "label": "neutral"}],
                [{"start": 0, "end": 4, "label": "x"}],
                [{"start": 0, "end": 4, "label": "neutral"}, {"start": 2, "end": 5, "label": "neutral"}],
                [3],
            ],
        ),
    ],
)
def test_each_kind_takes_its_answers_and_no_others(kind: str, good: Any, kept: Any, bad: list[Any], make: Make) -> None:
    made = make(kind)
    made.choose(live_rows(40, scores=None))
    desk = made.desk()
    first = desk.queue("ann")[0]
    for answer in bad:
        with pytest.raises(AnswerError):
            desk.answer("ann", first, answer)
    assert desk.progress("ann").labelled == 0
    desk.answer("ann", first, good)
    [line] = labelled_texts(desk.path)
    assert (line.label if kind == "text-classification" else line.answer) == kept


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 61, "a\x1b[2J"])
def test_a_name_that_can_not_be_written_down_is_refused(name: str, chosen: Labelled) -> None:
    desk = chosen.desk()
    with pytest.raises(PerennialError, match="name"):
        desk.answer(name, desk.queue("ann")[0], "neutral")


def test_the_terminal_asks_keeps_skips_and_undoes(chosen: Labelled) -> None:
    typed, said = iter(["1", "u", "2", "s", "nonsense", "", "positive", "q"]), list[str]()
    assert label_in_terminal(chosen.desk(), "ann", said.append, lambda _: next(typed, None)) == 2
    assert sorted(one.label or "" for one in labelled_texts(chosen.desk().path)) == ["neutral", "positive"]
    assert any("none of the labels" in line for line in said)
    assert "It can't be told yet" in said[-1]


def test_the_terminal_shows_no_text_that_moves_its_cursor(make: Make) -> None:
    made, said = make(), list[str]()
    made.choose(live_rows(30, text="\x1b[2J\x1b]0;owned\x07 shown"))
    label_in_terminal(made.desk(), "ann", said.append, lambda _: None)
    assert not any("\x1b" in line or "\x07" in line for line in said)


def labelled(count: int, label: Any, weight: float | None = None) -> list[LabelledText]:
    rows = live_rows(count)
    return [
        LabelledText(
            id=row["id"],
            text=f"{label(number)} of {row['text']}",
            label=label(number),
            annotator="ann",
            labelled_at=row["time"],
            chosen_by="random",
            weight=weight,
        )
        for number, row in enumerate(rows)
    ]


def test_when_to_stop_is_told_once_it_can_be() -> None:
    assert "200 are the least" in more_labels(labelled(50, lambda number: LABELS[number % 3])).sentence
    assert more_labels(labelled(300, lambda number: "a")).at_most is None
    assert "10 are the least" in more_labels(labelled(300, lambda number: "ab"[number == 3])).sentence
    noise = [
        one.model_copy(update={"text": f"text {one.id}"}) for one in labelled(300, lambda number: "ab"[number % 2])
    ]
    assert more_labels(noise).at_most is None
    told = more_labels(labelled(400, lambda number: LABELS[number % 3], weight=2.0))
    assert told.by_chance
    assert told.at_most is not None
    assert told.at_most < 0.005
    assert "at most 0.00" in told.sentence
