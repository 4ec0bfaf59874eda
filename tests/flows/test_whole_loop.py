"""The loop, closed: a stream moves, the model is found unwell, people label, a run learns from them, its version is
promoted and served, and the dashboard marks it.
"""

import random
from pathlib import Path

import pytest
import tiny_pipeline
from place import Place
from place_fixtures import MakePlace
from serving_helpers import serving
from tiny_pipeline import Row

from perennial.labelling.desk import Desk
from perennial.pipeline_file import loader

MOVED = {"negative": ("plant", "bank"), "neutral": ("north", "order"), "positive": ("sales", "company")}
"""What tells a label since the stream moved: words that said nothing when the first champion learned."""
COLUMNS = {"time": "published_at", "slices": ["sector"], "id": "nr"}
MONITOR = {
    "source": {"type": "file", "path": "live/*.jsonl"},
    "columns": {"time": "published_at", "id": "nr", "kept": ["sector"]},
    "health": {"window_texts": 60, "drift": None},
    "labelling": {"texts": 150, "random_share": 1.0, "novel_share": 0.0},
}


def with_ids(some: list[Row]) -> list[Row]:
    return [row | {"nr": row["text"].rpartition(" ")[2]} for row in some]


def of_moved_stream(count: int, start: int) -> list[Row]:
    """Rows whose labels other words tell; each text there once."""
    made = []
    for row in with_ids(tiny_pipeline.rows(count, start)):
        draw = random.Random(row["nr"])  # noqa: S311 - not for secrets
        words = [*draw.choices(MOVED[row["label"]], k=4), "the", "of"]
        made.append(row | {"text": f"{' '.join(words)} {row['nr']}"})
    return made


def arrive(place: Place, name: str, some: list[Row]) -> None:
    live = [{key: cell for key, cell in row.items() if key != "label"} for row in some]
    tiny_pipeline.write_jsonl(place.data.parent / "live" / f"{name}.jsonl", live)


def label_what_waits(place: Place, labels: dict[str, str]) -> int:
    """A person labels the whole list, rightly."""
    desk = Desk(loader.read_pipeline(place.data.parent / "pipeline.yaml"), place.home)
    waiting = desk.queue("ann", 1000)
    for one in waiting:
        desk.answer("ann", one, labels[one])
    return len(waiting)


@pytest.mark.soak(
    twin="tests/flows/test_monitor_flow.py::test_new_texts_are_answered_and_kept_once_and_each_look_is_remembered"
)
def test_a_stream_that_moves_ends_in_a_version_that_is_served_and_marked(
    make_place: MakePlace, tiny_base: Path
) -> None:
    place = make_place(some=with_ids(tiny_pipeline.rows(360)), data__columns=COLUMNS, monitor=MONITOR)
    tiny_pipeline.write_settings(
        place.data.parent,
        tiny_base,
        data__columns=COLUMNS,
        data__source={"type": "file", "path": ["data/*", "labelled/*.jsonl"]},
        monitor=MONITOR,
    )
    assert place.run().code == 0
    before = with_ids(tiny_pipeline.rows(120, 5000))
    arrive(place, "before", before)
    well = place.command("monitor", "tiny", "--json").json
    assert (well["stored"], well["model"], well["retraining"]) == (120, "1", None)
    assert label_what_waits(place, {row["nr"]: row["label"] for row in before}) > 0

    moved = of_moved_stream(240, 9000)
    arrive(place, "after", moved)
    ill = place.command("monitor", "tiny", "--json").json
    assert ill["violations"]
    assert "perennial run tiny" in ill["retraining"]
    assert label_what_waits(place, {row["nr"]: row["label"] for row in moved}) > 100

    with serving(place.home, "tiny", "--set", "serving.poll_seconds=0.1") as server:
        assert server.version() == "1"
        asked = moved[0]["text"]
        trained = place.run("--json")
        assert (trained.code, trained.json["decision"]) == (0, "PROMOTE"), trained.text
        server.until(lambda: server.version() == "2")
        assert server.predict(texts=[asked]).json["predictions"][0]["label"] == moved[0]["label"]
        assert server.end() == 0

    arrive(place, "again", of_moved_stream(60, 12000))
    assert place.command("monitor", "tiny", "--json").json["model"] == "2"
    marks = place.command("dashboard", "tiny", "--json").json["versions"]
    assert {mark["what"] for mark in marks if mark["version"] == "2"} == {"champion", "answers"}
