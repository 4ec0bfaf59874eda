"""What a person on a terminal sees."""

import ast
import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from flows import console
from flows.commands import doctor, gc
from flows.console import Bars
from perennial.core import progress
from perennial.doctor import Health, HealthFinding
from perennial.promotion.retention import Cleared
from perennial.promotion.retention_store import UnneededEntry

FLOWS = Path(console.__file__).parent
TRAIN = "data:train:1 [dim]rows of :smile: and :heavy_check_mark:"
LONG = "/srv/a folder/" + "deep/" * 40 + "pipeline.yaml"


def test_progress_outside_of_any_step_has_a_line_too() -> None:
    """As `perennial doctor` and `perennial init` report it."""
    shown = io.StringIO()
    with Progress(console=Console(file=shown, force_terminal=True)) as live, progress.heard_by(Bars(live)):
        progress.advance(1, 2, unit="checks", detail="disk")
        progress.note("a word")
        with progress.step("rollback"):
            progress.advance(0, None, detail="asking version 2")
    assert "a word" in shown.getvalue()
    assert "rollback" in shown.getvalue()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_texts_of_people_are_shown_as_they_are(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A label, a file or a text may hold what rich takes for an emoji or for a colour."""
    monkeypatch.setenv("COLUMNS", "160")
    if is_terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    with console.watched(), progress.step("ingest"):
        progress.note(TRAIN)
        progress.advance(1, 2, unit="row", detail=TRAIN)
    shown = capsys.readouterr().err
    assert ("\x1b" in shown) is is_terminal
    assert shown.count(TRAIN) >= 2
    assert not {"🚋", "😄", "✔"} & set(shown)


def test_rich_is_asked_for_emoji_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that people read goes through `console.terminal`, which knows none."""
    console.terminal().print("data:train:1")
    assert capsys.readouterr().out == "data:train:1\n"
    makers = [path for path in FLOWS.rglob("*.py") if "Console" in _called(path)]
    assert makers == [FLOWS / "console.py"]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_path_is_broken(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    path = str(tmp_path / ("deep/" * 40) / "pipeline.yaml")
    out = console.terminal()
    console.say(out, f"Something is wrong with the pipeline that lies in {path} as far as can be seen.")
    console.say_line(out, f"Wrote {LONG}")
    finding = HealthFinding(name="disk", status=Health.PROBLEM, seen=f"{path} is full", remedy=f"Empty {path}")
    doctor.show_health([finding])
    entry = UnneededEntry(what="the entry", path=LONG, bytes=1, why="nothing needs it")
    gc.show_cleared(Cleared(dry_run=True, versions=(), places=(entry,), kept_versions=1))
    lines = capsys.readouterr().out.splitlines()
    assert sum(path in line for line in lines) == 3
    assert sum(LONG in line for line in lines) == 2
    assert all(len(line) <= width for line in lines if "deep" not in line)


def test_a_path_is_told_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert console.shown_path(tmp_path / "work" / ".perennial" / "x") == ".perennial/x"
    assert console.shown_path(Path("pipelines")) == "pipelines"
    assert console.shown_path(tmp_path / "elsewhere") == str(tmp_path / "elsewhere")
    assert console.shown_path(tmp_path / "workshop") == str(tmp_path / "workshop")


def _called(path: Path) -> set[str]:
    """The names of all that a file calls."""
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {call.id for call in calls if isinstance(call, ast.Name)}
