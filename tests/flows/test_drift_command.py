"""`perennial drift` over a pipeline with a champion: rows that came later, looked at window by window."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import tiny_pipeline
from place import Place
from place_fixtures import MakePlace
from tiny_pipeline import LABELS

from perennial.core.home import Home
from perennial.monitoring import drift, window_figures
from perennial.pipeline_file import loader
from perennial.records.run import Trigger
from perennial.runs import log
from perennial.runs.log import RunEntry

# Rows of the tiny pipeline end in a running number, whose digits do shift.
SETTINGS: dict[str, Any] = {"window_rows": 100, "needed": 2, "of_last": 3, "limits": {"tokens": None, "length": None}}


def arm(place: Place, base: Path, **changes: Any) -> None:
    tiny_pipeline.write_settings(place.data.parent, base, triggers=SETTINGS | changes)


def arrive(place: Place, count: int, labels: tuple[str, ...] = LABELS, start: int = 1000, name: str = "later") -> None:
    tiny_pipeline.write_jsonl(place.data / f"{name}.jsonl", tiny_pipeline.rows(count, start, labels))


def looked(place: Place) -> dict[str, Any]:
    ended = place.command("drift", "tiny", "--json")
    assert ended.code == 0, ended.text
    return ended.json


def examine(place: Place) -> drift.DriftFinding:
    return drift.examine_drift(loader.read_pipeline(place.data.parent / "pipeline.yaml"), place.home)


def test_labels_that_shift_are_found_measured_once_and_cooled_down(
    seasoned: Place, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = seasoned
    arm(place, tiny_base)
    none_yet = looked(place)
    assert (none_yet["retrain"], none_yet["windows"]) == (False, [])
    assert none_yet["reason"].startswith("Too few rows came since version 1 was trained: 0 full windows of 100 rows")

    arrive(place, 350)
    calm = looked(place)
    assert calm["retrain"] is False, calm
    assert calm["reason"].startswith("Nothing drifted: in the last 3 windows of 100 rows since version 1")
    assert [window["number"] for window in calm["windows"]] == [1, 2, 3]
    assert set(calm["windows"][0]["figures"]) == {"labels", "answers", "scores", "domain"}
    assert calm["waiting"] == 50

    # Only the hundred rows that fill the window, and the next two: what was measured is kept.
    arrive(place, 300, ("negative",), start=3000, name="more")
    shifted = looked(place)
    assert shifted["retrain"] is True
    assert "labels shifted: PSI" in shifted["reason"]
    assert "the champion's answers shifted: PSI" in shifted["reason"]
    assert "in 3 of the last 3 windows of 100 rows" in shifted["reason"]
    assert [window["number"] for window in shifted["windows"]] == [4, 5, 6]
    table = place.command("drift", "tiny").text
    assert "A run is due: labels shifted: PSI" in table
    assert "limit 0.2 0.2 0.2 0.75" in table

    def never(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(window_figures.Reference, "__init__", never)
    assert looked(place) == shifted

    note_run(place.home, "failed", hours=1)
    assert looked(place)["retrain"] is True
    note_run(place.home, "rejected", hours=2)
    cooled = looked(place)
    assert cooled["retrain"] is False
    assert "Drift started a run 2.0 h ago already, and starts none for 24 h" in cooled["reason"]
    arm(place, tiny_base, cooldown_hours=1.5)
    due = looked(place)
    assert due["retrain"] is True
    assert due["reason"].endswith("; window 6 since version 1")
    note_run(place.home, "held", hours=1.8, detail=due["reason"])
    waiting = looked(place)
    assert waiting["retrain"] is False
    assert "which ended as held, and version 1 is champion still" in waiting["reason"]

    arm(place, tiny_base, cooldown_hours=0, needed=3, limits={"labels": None})
    monkeypatch.undo()
    unlimited = examine(place)
    assert "labels" not in unlimited.limits
    assert "labels" not in unlimited.windows[0].figures


def test_what_can_not_be_looked_at_starts_nothing(seasoned: Place, tiny_base: Path) -> None:
    place = seasoned
    off = examine(place)
    assert (off.retrain, off.is_measured) == (False, False)
    assert "no `triggers`" in off.reason
    assert "this is by the default settings, and starts nothing" in place.command("drift", "tiny").text

    arm(place, tiny_base, source={"type": "sql", "url_env": "NO_SUCH_URL", "query": "SELECT 1"})
    down = examine(place)
    assert (down.retrain, down.is_measured) == (False, False)
    assert "NO_SUCH_URL" in down.reason
    assert place.command("drift", "tiny").code == 0

    arm(place, tiny_base)
    arrive(place, 300, ("negative",))
    place.data.joinpath("first.jsonl").rename(place.folder / "gone")
    for head in place.home.state("tiny").glob("snapshot-*.json"):
        head.unlink()
    anew = examine(place)
    assert (anew.retrain, anew.is_measured) == (False, False)
    assert "were read anew" in anew.reason


def test_without_a_champion_nothing_starts(make_place: MakePlace) -> None:
    place = make_place(triggers=SETTINGS)
    finding = looked(place)
    assert (finding["retrain"], finding["is_measured"]) == (False, False)
    assert "tiny has no champion yet" in finding["reason"]


def test_live_texts_without_labels_are_looked_at(seasoned: Place, tiny_base: Path) -> None:
    place = seasoned
    live = {"type": "file", "path": "live/*.jsonl"}
    arm(place, tiny_base, source=live, time="published_at", limits={"tokens": None, "domain": None})
    folder = place.data.parent / "live"
    texts = [{key: row[key] for key in ("text", "published_at")} for row in tiny_pipeline.rows(360)[60:]]
    tiny_pipeline.write_jsonl(folder / "one.jsonl", texts)
    calm = looked(place)
    assert calm["retrain"] is False, calm
    assert set(calm["windows"][0]["figures"]) == {"answers", "scores", "length"}
    long = [row | {"text": f"{row['text']} {row['text']}"} for row in texts]
    tiny_pipeline.write_jsonl(folder / "two.jsonl", [row | {"published_at": later(row)} for row in long])
    shifted = looked(place)
    assert shifted["retrain"] is True
    assert "text length shifted: PSI" in shifted["reason"]
    assert place.champion() == "1"
    assert place.run("--json").json["status"] == "skipped", "live texts are no rows to learn from"


def later(row: dict[str, str]) -> str:
    return (datetime.fromisoformat(row["published_at"]) + timedelta(days=90)).isoformat()


def note_run(home: Home, status: str, hours: float, detail: str = "labels shifted") -> None:
    began = datetime.now(UTC) - timedelta(hours=hours)
    trigger = Trigger(kind="drift", detail=detail)
    values = {"pipeline": "tiny", "started": began, "ended": began, "status": status, "sentence": "s", "host": "h"}
    log.note_run(home, RunEntry.model_validate(values | {"trigger": trigger}))
