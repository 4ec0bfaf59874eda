"""`perennial report`, and the page that a real run leaves."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny_pipeline
from place import Place, assert_explained

from perennial.registry import tracking


def test_a_run_leaves_its_report_and_the_command_finds_it(first_run: tuple[Place, dict[str, Any]]) -> None:
    place, said = first_run
    page = Path(said["report"])
    content = page.read_text(encoding="utf-8")
    assert "The candidate may become champion" in content
    for made in ("labels-chart", "calibration-chart", "losses", "scores", "labels-drift", "lengths-drift"):
        assert f'id="{made}"' in content
    texts = [row["text"] for row in tiny_pipeline.rows(360)]
    assert not [text for text in texts if text in content]
    ended = place.command("report", "tiny", "--json")
    assert (ended.code, ended.json) == (0, {"status": "done", "model": "tiny", "version": "1", "path": str(page)})
    with tracking.session(place.home) as client:
        files = [item.path for item in client.list_artifacts(said["run_id"])]
    assert "report.html" in files
    assert place.command("report", said["run_id"], "--no-open").out.strip() == str(page)


def test_the_browser_opens_only_where_there_is_a_display(
    first_run: tuple[Place, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, said = first_run
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    place.command("report", "tiny")
    assert opened == []
    place.command("report", "tiny", "--no-open", DISPLAY=":0")
    assert opened == []
    place.command("report", "tiny", DISPLAY=":0")
    assert opened == [Path(said["report"]).as_uri()]


def test_a_copy_is_written_and_what_is_wrong_explained(first_run: tuple[Place, dict[str, Any]], tmp_path: Path) -> None:
    place, said = first_run
    copied = place.command("report", "tiny", "--out", str(tmp_path / "page.html"), "--json")
    assert Path(copied.json["path"]).read_bytes() == Path(said["report"]).read_bytes()
    assert_explained(place.command("report", "tiny", "--out", str(tmp_path / "no" / "x.html")), 1, "--out")
    assert_explained(place.command("report", "tiny", "--version", "9"), 1, "There is no version 9 of tiny")


def test_new_rows_are_shown_beside_older_ones_and_texts_where_asked_for(seasoned: Place) -> None:
    tiny_pipeline.write_csv(seasoned.data / "second.csv", tiny_pipeline.rows(90, 1000, ["negative"]))
    shown = ("--set", "report.show_texts=true", "--set", "gates=[{metric: accuracy, min: 0.01}]", "--reason", "A test.")
    asked = ("--set", "data.max_label_shift=1")
    ended = seasoned.run("--json", *shown, *asked)
    content = Path(ended.json["report"]).read_text(encoding="utf-8")
    assert "older rows" in content
    distance = re.search(r"total variation distance is ([\d.]+)", content)
    assert distance is not None
    assert float(distance[1]) == pytest.approx(2 / 3, abs=0.02)
    assert "report.show_texts is true" in content
    shutil.rmtree(seasoned.home.store.root / "parts")
    assert seasoned.command("report", "tiny", "--json").json["path"] == ended.json["report"]
    assert json.loads(ended.out)["status"] in {"promoted", "held", "rejected"}
