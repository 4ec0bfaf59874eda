"""What a run prints: whole paths, and a page that fits."""

import io
from pathlib import Path
from typing import Any

import pytest
import report_data
from rich.console import Console

from flows import summary
from perennial.core.home import Home
from perennial.records.decision import Check, Decision, Outcome, Verdict
from perennial.records.interval import Interval
from perennial.records.run import Evidence, Overrides, Report, RunResult, Status

TRAIN = "data:train:1 [red]of the file /data/archive:smile: "
REASON = f"{TRAIN}is 0.8710, champion version 7 has 0.8590: a difference of 0.0120, which is not shown. " * 5


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home in the working folder, with a name that is longer than a narrow terminal."""
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    return _made(working / ".perennial" / ("a-long-name-" * 8))


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("outside", [False, True], ids=["home in the working folder", "home elsewhere"])
def test_paths_are_whole_and_exist(
    width: int, outside: bool, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if outside:
        home = _made(tmp_path / "else where" / "home")
    for crowded in (False, True):
        lines = _shown(_result(crowded), home, width)
        paths = [line.split(": ", 1)[1] for line in lines if line.startswith(("Data checks: ", "Report: "))]
        assert [Path(path).name for path in paths] == ["index.html", "report.html"]
        assert all(Path(path).is_file() and Path(path).is_absolute() is outside for path in paths)
        assert not any(home.root.name[:12] in line for line in lines if line[0] in "╭│╰")


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("crowded", [False, True])
def test_the_box_is_as_wide_as_the_terminal_at_most(width: int, crowded: bool, home: Home) -> None:
    box = [line for line in _shown(_result(crowded), home, width) if line[0] in "╭│╰"]
    assert {len(line) for line in box} == {len(box[0])}
    assert len(box[0]) <= width
    assert box[0].endswith("╮")
    assert box[-1].startswith("╰")


@pytest.mark.parametrize("status", [Status.PROMOTED, Status.HELD])
@pytest.mark.parametrize("warnings", [0, 50])
@pytest.mark.parametrize("gates", [1, 60])
@pytest.mark.parametrize("reasons", [1, 40])
def test_the_page_fits_whatever_there_is_to_say(
    status: Status, warnings: int, gates: int, reasons: int, home: Home
) -> None:
    for long in (False, True):
        for width in (80, 200):
            result = _result(long, status=status, warnings=warnings, gates=gates, reasons=reasons)
            lines = _shown(result, home, width)
            assert len(lines) <= summary.LINES, "\n".join(lines)
            text = "\n".join(lines)
            assert "0.8710" in text
            assert text.count("n = ") >= min(gates, 2)
            assert "perennial report tiny" in lines[-1]


def test_near_copies_are_said_with_the_figure_without_them(home: Home) -> None:
    result = _result(False, warnings=50, gates=60, reasons=40)
    assert result.evidence is not None
    copied = result.model_copy(update={"evidence": report_data.copied(result.evidence)})
    text = " ".join("".join(line.strip("│ ") + " " for line in _shown(copied, home, 80)).split())
    assert report_data.COPIED in text
    assert report_data.COPIED not in " ".join(_shown(result, home, 200))
    said = summary.run_as_json(copied, home)["near_copies"]
    assert (said["near"], said["without"]["n"], said["without"]["accuracy"]) == (400, 800, 0.75)
    assert summary.run_as_json(result, home)["near_copies"] is None


def test_what_is_left_out_is_counted_and_what_did_not_pass_comes_first(home: Home) -> None:
    lines = _shown(_result(True, status=Status.HELD, warnings=50, gates=60, reasons=40), home, 80)
    text = "\n".join(lines)
    shown = text.count("n = ")
    assert shown >= 2
    assert text.count("│  ?") + text.count("│ ?") == shown
    assert f"gates, {shown} of 60" in text
    assert f"{60 - shown} gates" in lines[-1]
    assert f"{50 - text.count('│ warning')} warnings" in lines[-1]
    assert "reasons" in lines[-1]
    assert "perennial report tiny" in lines[-1]


def test_nothing_is_cut_that_has_room(home: Home) -> None:
    lines = _shown(_result(False, warnings=3, gates=4, reasons=2), home, 80)
    text = " ".join("\n".join(lines).replace("│", " ").split())
    assert lines[-1] == "All of it: perennial report tiny"
    assert "…" not in text
    assert all(f"warning {number} is short" in text for number in range(3))
    assert all(f"gate {number} of" in text for number in range(4))
    assert all(f"reason {number} is short" in text for number in range(2))


@pytest.mark.parametrize("gates", [1, 60])
def test_why_a_run_was_held_is_not_lost_behind_what_was_overridden(gates: int, home: Home) -> None:
    result = _result(True, status=Status.HELD, warnings=50, gates=gates, reasons=3)
    assert result.evidence is not None
    overrides = Overrides(settings=("gates",), reason="A test.")
    evidence = result.evidence.model_copy(update={"overrides": overrides})
    reasons = (f"{overrides}.", f"The anchor, version 1, can't be judged: {REASON}", *result.reasons)
    lines = _shown(result.model_copy(update={"evidence": evidence, "reasons": reasons}), home, 80)
    assert len(lines) <= summary.LINES
    assert "The anchor, version 1, can't be judged: " in "\n".join(lines)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_texts_are_shown_as_they_are(width: int, home: Home) -> None:
    text = "".join(line.strip("│ ") for line in _shown(_result(True), home, width))
    assert "data:train:1" in text
    assert "[red]" in text
    assert "🚋" not in text


def test_a_run_that_did_nothing_is_short(home: Home) -> None:
    skipped = _result(False, reasons=2).model_copy(update={"status": Status.SKIPPED, "evidence": None, "report": None})
    for width in (40, 80, 200):
        lines = _shown(skipped, home, width)
        assert len(lines) <= 14
        assert not any(".perennial" in line for line in lines)


def _shown(result: RunResult, home: Home, width: int) -> list[str]:
    file = io.StringIO()
    summary.show_run(result, report_data.spec(), home, Console(file=file, width=width, emoji=False))
    return file.getvalue().splitlines()


def _made(root: Path) -> Home:
    home = Home(root)
    for path in ("validation-report/x/report/index.html", "report/y/report.html"):
        (home.store.root / path).parent.mkdir(parents=True)
        (home.store.root / path).write_text("a page")
    return home


def _result(
    long: bool, *, status: Status = Status.HELD, warnings: int = 50, gates: int = 60, reasons: int = 40
) -> RunResult:
    evidence = _evidence(long, warnings, gates)
    given = tuple(REASON if long else f"reason {number} is short." for number in range(reasons))
    report = Report(pipeline="tiny", decision="2" * 64, path="report/y/report.html", size_bytes=1)
    seconds = {f"a long step {number}": 10.0 * number for number in range(20)} if long else {"finetune": 7.0}
    return RunResult(
        status=status, model="tiny", version="8", run_id="1" * 32, reasons=given, snapshot=evidence.snapshot,
        evidence=evidence, report=report, seconds=seconds,
    )  # fmt: skip


def _evidence(long: bool, warnings: int, gates: int) -> Evidence:
    made = report_data.evidence()
    sentences = tuple((REASON if long else f"warning {number} is short") for number in range(warnings))
    checks = tuple(_check(number, f"{TRAIN * 2 * long}gate {number} of") for number in range(gates))
    decision = Decision(digest="2" * 64, outcome=Outcome.HOLD, reasons=(), checks=checks, champion_version="7")
    changes: dict[str, Any] = {
        "validated": made.validated.model_copy(update={"warnings": sentences}),
        "decision": decision,
    }
    if long:
        changes["trained"] = made.trained.model_copy(update={"base": TRAIN * 4})
    return made.model_copy(update=changes)


def _check(number: int, gate: str) -> Check:
    verdict = Verdict.PASS if number % 2 else Verdict.UNDECIDED
    return Check(
        gate=gate, metric="accuracy", label=None, value=0.871, limit=0.8, difference=0.0123, n=1200, verdict=verdict,
        interval=Interval(low=-0.012, high=0.034), reason="",
    )  # fmt: skip
