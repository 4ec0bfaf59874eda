"""`perennial alarms`: listed, acknowledged, judged; and a file replayed by the settings of a pipeline."""

import csv
import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from alarm_tables import FIRST, Rows, pipeline, stream, table
from place import Place

from flows.commands.live.replay import replay, replayed_as_json, replayed_in_words
from perennial.core import progress
from perennial.core.errors import SourceError, SpecError
from perennial.monitoring.alarms.looking import look_for_surges

DAYS = 26


@pytest.fixture(scope="module")
def rows() -> Rows:
    return stream(DAYS)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, rows: Rows) -> Place:
    """A home in which a stream with a surge was looked at, and a pipeline to replay it by."""
    place = Place(tmp_path_factory.mktemp("alarms"), None)
    look_for_surges(pipeline(), place.home, [table(rows)], FIRST + timedelta(days=DAYS))
    spec = pipeline({"at_least_sources": 3}, {"by": ["desk"]}).model_dump(mode="json", exclude_defaults=True)
    spec["monitor"]["columns"] = {"source": "paper", "kept": ["desk"]}
    for name in ("news", "quiet"):
        folder = place.folder / "pipelines" / name
        folder.mkdir(parents=True)
        (folder / "pipeline.yaml").write_text(yaml.safe_dump({**spec, "name": name}), encoding="utf-8")
    with (place.folder / "old.csv").open("w", newline="", encoding="utf-8") as file:
        written = csv.writer(file)
        written.writerow(["text", "time", "paper", "desk", "label"])
        for row in reversed(rows):
            written.writerow(
                [row["text"] + row["id"], row["time"].isoformat(), row["source"], row["topic"][0], row["label"]]
            )
    return place


def test_alarms_are_listed_acknowledged_and_judged(here: Place) -> None:
    shown = here.command("alarms", "news", "--json")
    assert shown.code == 0, shown.text
    (alarm,) = shown.json["alarms"]
    assert (shown.json["all"], shown.json["going_on"], alarm["acknowledged"]) == (1, 0, None)
    one = alarm["surge"]["id"]
    assert f"{one} " in here.command("alarms", "news").text

    done = here.command("alarms", "news", "acknowledge", one[:5], "--json")
    assert (done.code, done.json["status"]) == (0, "acknowledged")
    judged = here.command("alarms", "news", "verdict", one, "real")
    assert "verdict: real" in judged.text
    listed = here.command("alarms", "news")
    assert "Of 1 with a verdict, 1 were real." in listed.text
    assert "acknowledged by" in listed.text
    assert here.command("alarms", "quiet").text == "quiet: there was no alarm yet."
    unknown = here.command("alarms", "other")
    assert (unknown.code, "'other'" in unknown.text) == (2, True), unknown.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("acknowledge", "zzz"), "news has no alarm 'zzz'"),
        (("acknowledge",), "Which alarm is meant by 'acknowledge' is not said."),
        (("verdict", "abc", "maybe"), "verdict abc maybe` is not understood."),
        (("silence", "abc"), "silence abc` is not understood."),
    ],
)
def test_what_is_not_understood_is_said(here: Place, arguments: tuple[str, ...], said: str) -> None:
    ended = here.command("alarms", "news", *arguments)
    assert ended.code == 2
    assert said in ended.text


def test_a_file_is_replayed_with_its_own_labels(here: Place, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here.folder)
    planted = [{"name": "spill", "start": "2026-03-26T09:00:00Z", "end": "2026-03-26T21:00:00Z"}]
    Path("truth.json").write_text(json.dumps(planted), encoding="utf-8")
    done = replay(
        "news", Path("old.csv"), truth=Path("truth.json"), until=(FIRST + timedelta(days=25)).replace(tzinfo=None)
    )
    (alarm,) = done.alarms
    assert alarm.surge.source_count == 7
    assert {alarm.surge.key, *alarm.surge.also} == {(), (("desk", "energy"),)}
    assert done.texts == sum(row["time"] < FIRST + timedelta(days=25) for row in rows)
    assert [row.noticed for row in done.rows] == [0, 1, 0, 1]
    words = replayed_in_words(done)
    assert "planted  noticed  false" in words
    assert alarm.surge.headlines[0].text is not None
    assert alarm.surge.headlines[0].text in words
    assert replayed_as_json(done)["rows"][0]["name"] == "never"


def test_what_cannot_be_replayed_is_said(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here.folder)
    Path("plain.csv").write_text("text,when\nProfit falls,yesterday\n", encoding="utf-8")
    Path("odd.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SourceError, match="the column 'time' with the time of each text"):
        replay("news", Path("plain.csv"))
    with pytest.raises(SourceError, match="holds 'yesterday', which is no time"):
        replay("news", Path("plain.csv"), overrides=["monitor.columns.time=when"])
    with pytest.raises(SourceError, match="a JSON list of objects with name, start and end"):
        replay("news", Path("old.csv"), truth=Path("odd.json"))
    with pytest.raises(SpecError, match="no pipeline"), progress.counted():
        replay("nobody", Path("old.csv"))
