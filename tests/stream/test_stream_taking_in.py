"""From a source to the store: each text once, answered, without personal data; what fails on the way loses nothing."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from forking import forked
from tiny_model import TINY_LABELS, tiny_texts

from perennial.core import progress
from perennial.core.errors import PackageError, SourceError
from perennial.core.home import Home
from perennial.inference.predictor import Predictor
from perennial.settings.monitor.streams import RedactionSpec
from perennial.stream import answering, taking_in
from perennial.stream.answering import AnsweredTexts, ChampionAnswerer, entities_in, topics_in
from perennial.stream.live_text import LiveText, Telling
from perennial.stream.store import StreamStore
from perennial.stream.taking_in import Intake, take_in

START = datetime(2026, 3, 1, tzinfo=UTC)
PLAIN = RedactionSpec()


def live(number: int, text: str | None = None, name: str | None = None) -> LiveText:
    said = f"shares of plant {number} fell" if text is None else text
    return LiveText(name or str(number), said, START + timedelta(minutes=number), "wire", {"desk": "london"})


@dataclass(frozen=True)
class Some:
    texts: Sequence[LiveText]
    position: str
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Source:
    """A source of batches, which may fail after them."""

    given: Sequence[Some]
    failure: Exception | None = None
    acknowledged: list[str] = field(default_factory=list)

    def batches(self) -> Iterator[Some]:
        yield from self.given
        if self.failure:
            raise self.failure

    def committed(self, position: str) -> None:
        self.acknowledged.append(position)


@dataclass(frozen=True)
class Told:
    story: str
    telling: Telling


class SameWords:
    """Tells copies by their very words."""

    def __init__(self) -> None:
        self.first: dict[str, str] = {}
        self.entities: list[Sequence[Sequence[str]] | None] = []

    def mark(self, texts: Sequence[LiveText], entities: Sequence[Sequence[str]] | None) -> list[Told]:
        self.entities.append(entities)
        return [self._mark(text) for text in texts]

    def _mark(self, text: LiveText) -> Told:
        story = self.first.setdefault(text.text, text.id)
        return Told(story, "first" if story == text.id else "copy")


class Standin:
    """Answers by the length of a text."""

    version = "7"

    def answered(self, texts: Sequence[str]) -> AnsweredTexts:
        if "break" in texts:
            raise PackageError("The model gave no finite number.")
        labels = [TINY_LABELS[len(text) % 3] for text in texts]
        nothing = [None] * len(texts)
        return AnsweredTexts(labels, [0.5] * len(texts), [[0.5, 0.3, 0.2]] * len(texts), nothing, nothing)


@pytest.fixture
def store(tmp_path: Path) -> StreamStore:
    return StreamStore.open(Home(tmp_path), "tiny")


def rows(store: StreamStore) -> list[dict[str, object]]:
    return [row for table in store.tables() for row in table.to_pylist()]


def batches(count: int, size: int) -> list[Some]:
    return [
        Some([live(number) for number in range(start, min(start + size, count))], str(min(start + size, count)))
        for start in range(0, count, size)
    ]


def taken(source: Source, store: StreamStore, redaction: RedactionSpec = PLAIN) -> Intake:
    with store.alone():
        return take_in(source, store, Standin(), SameWords(), redaction)


def test_every_text_is_stored_once_in_order_with_its_answer(
    store: StreamStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_in, "WINDOW_TEXTS", 10)
    source = Source([*batches(24, 4), Some([live(3), live(30, "shares of plant 1 fell")], "end", {"too long": 2})])
    intake = taken(source, store)
    assert (intake.texts, intake.stored, intake.again, intake.trouble) == (26, 25, 1, None)
    assert [row["id"] for row in rows(store)] == [*map(str, range(24)), "30"]
    assert rows(store)[-1] == {
        "id": "30",
        "text": "shares of plant 1 fell",
        "time": START + timedelta(minutes=30),
        "read": rows(store)[-1]["read"],
        "source": "wire",
        "story": "1",
        "telling": "copy",
        "model": "7",
        "label": TINY_LABELS[22 % 3],
        "score": 0.5,
        "scores": pa.array([0.5, 0.3, 0.2], pa.float32()).to_pylist(),
        "topic": None,
        "entities": None,
        "kept": [("desk", "london")],
    }
    assert source.acknowledged == ["12", "24", "end"]
    assert (store.position(), store.left_out()) == ("end", {"too long": 2})
    assert intake.tellings == {"first": 24, "copy": 1}
    again = taken(source, store)
    assert (again.stored, again.again, again.labels) == (0, 26, {})


def test_nothing_new_is_no_text_and_moves_the_position(store: StreamStore) -> None:
    assert taken(Source([]), store) == Intake()
    intake = taken(Source([Some([], "5", {"no text": 3})]), store)
    assert (intake.texts, intake.left_out, store.position(), store.count()) == (0, {"no text": 3}, "5", 0)


def test_a_source_that_fails_on_the_way_is_told_and_the_rest_is_stored(store: StreamStore) -> None:
    intake = taken(Source(batches(6, 2), SourceError("The broker is gone.")), store)
    assert intake.trouble
    assert intake.trouble.problem == "The broker is gone."
    assert (intake.stored, store.position()) == (6, "6")


def test_a_model_that_fails_loses_nothing(store: StreamStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_in, "WINDOW_TEXTS", 2)
    source = Source([*batches(4, 2), Some([live(4, "break")], "5")])
    with pytest.raises(PackageError):
        taken(source, store)
    assert source.acknowledged == ["2", "4"]
    assert (store.count(), store.position()) == (4, "4")


def test_personal_data_is_taken_out_before_anything_is_stored(store: StreamStore) -> None:
    secret = LiveText("1", "write to ann@example.org", START, "bob@example.org", {"by": "carl@example.org"})
    intake = taken(Source([Some([secret], "1")]), store, RedactionSpec(redact=("email",)))
    assert intake.redacted == {"email": 3}
    (row,) = rows(store)
    assert (row["text"], row["source"], row["kept"]) == ("write to [EMAIL]", "[EMAIL]", [("by", "[EMAIL]")])
    held = b"".join(path.read_bytes() for path in store.folder.rglob("*") if path.is_file())
    assert b"example.org" not in held


@pytest.mark.parametrize("text", ["", "\ud800 half", "nul \0 inside", "x" * 300_000, "日本語 🚂"])
def test_any_text_can_be_stored(store: StreamStore, text: str) -> None:
    taken(Source([Some([live(1, text)], "1")]), store)
    (row,) = rows(store)
    assert row["text"] == text.replace("\ud800", "?")


def test_long_texts_are_answered_by_fewer_at_a_time(store: StreamStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_in, "WINDOW_CHARACTERS", 1000)
    source = Source([Some([live(number, "x" * 600)], str(number)) for number in range(5)])
    taken(source, store)
    assert source.acknowledged == ["1", "3", "4"]


def test_texts_read_after_the_clock_went_back_are_not_read_before_others(store: StreamStore) -> None:
    taken(Source(batches(2, 2)), store)
    ahead = datetime.now(UTC) + timedelta(days=1)
    (first,) = store.tables()
    place = first.schema.get_field_index("read")
    later = first.set_column(place, "read", pa.array([ahead] * 2, first.schema.field("read").type))
    store.commit(later.set_column(0, "id", pa.array(["a", "b"])), "ahead", {})
    taken(Source([Some([live(9)], "9")]), store)
    assert rows(store)[-1]["read"] == ahead
    assert store.newest_read() == ahead


class Notes(progress.Silent):
    """Hears what is noted."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def note(self, message: str) -> None:
        self.heard.append(message)


def test_champions_answer_as_their_packages_do_and_one_that_is_missing_is_told(tiny_package: Path) -> None:
    predictor = Predictor(tiny_package)
    texts = [*tiny_texts(40), "", "x " * 5000]
    answers = ChampionAnswerer("3", predictor, topics=predictor).answered(texts)
    expected = predictor.predict(texts)
    assert list(answers.labels) == [one["label"] for one in expected]
    assert [list(one) for one in answers.scores] == [list(one["scores"].values()) for one in expected]
    assert answers.topics == [[one["label"]] for one in expected]
    assert answers.entities == [None] * len(texts)

    class Broken:
        def predict(self, _: Sequence[str]) -> list[dict[str, object]]:
            raise PackageError("It gave no finite number.")

    notes = Notes()
    with progress.heard_by(notes):
        some = answering.ChampionAnswerer("3", predictor, topics=Broken()).answered(["a", "b"])  # type: ignore[arg-type]
    assert some.topics == [None, None]
    assert "Some texts have no topics, as the model of monitor.topics failed" in notes.heard[0]


def test_topics_and_entities_are_read_from_answers_of_each_kind() -> None:
    assert topics_in({"label": "banks", "scores": {}}) == ["banks"]
    assert topics_in({"labels": ["banks", "energy"]}) == ["banks", "energy"]
    spans = [{"text": "Nokia"}, {"text": "Oslo"}, {"text": "Nokia"}]
    assert entities_in({"spans": spans}) == ["Nokia", "Oslo"]


def take_in_and_die(folder: str, when: str, count: int) -> None:
    """A monitor that is killed at the `when`-th of all commits, answers and acknowledgements; 0: never."""
    taking_in.WINDOW_TEXTS = 6
    left = iter(range(int(when) or 10_000))

    def deadly(owner: object, name: str) -> None:
        really = getattr(owner, name)

        def counted(*arguments: object) -> object:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return really(*arguments)

        setattr(owner, name, counted)

    deadly(Standin, "answered")
    deadly(StreamStore, "commit")
    deadly(Source, "committed")
    store = StreamStore.open(Home(Path(folder)), "tiny")
    at = int(store.position() or 0)
    taken(Source([some for some in batches(count, 3) if int(some.position) > at]), store)


@pytest.mark.parametrize("when", ["1", "3", "5", "8"])
def test_killed_while_texts_are_taken_in_every_one_is_stored_once(tmp_path: Path, when: str) -> None:
    assert forked(take_in_and_die, str(tmp_path), when, 31) == -signal.SIGKILL
    assert forked(take_in_and_die, str(tmp_path), "0", 31) == 0
    stored = rows(StreamStore.open(Home(tmp_path), "tiny"))
    assert [row["id"] for row in stored] == [str(number) for number in range(31)]
