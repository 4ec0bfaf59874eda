"""What a profile says of a run: which steps, which functions, how long; and files that can be read."""

import json
import re
import time
from pathlib import Path

import pytest

from perennial.core import progress
from perennial.profiling import Profile, StepCost, flame, sampled


def busy(seconds: float) -> int:
    ends, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < ends:
        count += 1
    return count


@pytest.fixture(scope="module")
def profile() -> Profile:
    with sampled() as sampler:
        with progress.step("working"):
            busy(0.4)
        with progress.step("waiting"):
            time.sleep(0.1)
        return sampler.stop()


def test_it_names_the_steps_and_what_they_did(profile: Profile) -> None:
    assert [step.name for step in profile.steps] == ["working", "waiting", "between steps"]
    working, waiting, _ = profile.steps
    assert working.seconds >= 0.4
    assert waiting.seconds >= 0.1
    assert working.peak_mb > 1
    # Threads of whatever runs the tests may be seen, too.
    (seconds,) = (
        spent for name, spent in profile.seconds_in("working").items() if name.endswith("test_profiling:busy")
    )
    assert 0 < seconds <= working.seconds + 1e-6


def test_who_listened_goes_on_hearing() -> None:
    heard: list[str] = []

    class Log(progress.Silent):
        def begin(self, step: str) -> None:
            heard.append(step)

        def note(self, message: str) -> None:
            heard.append(message)

    with progress.heard_by(Log()), sampled(), progress.step("one"):
        progress.note("a note")
    assert heard == ["one", "a note"]


def test_a_step_that_fails_is_told_too() -> None:
    with sampled() as sampler:
        with pytest.raises(ValueError, match="broken"), progress.step("failing"):
            raise ValueError("broken")
        assert [step.name for step in sampler.stop().steps] == ["failing", "between steps"]


def test_stopping_twice_gives_the_same() -> None:
    with sampled() as sampler:
        assert sampler.stop() is sampler.stop()


MADE = Profile(
    {("one", "a:f", "a:g"): 3, ("one", "a:f", "a:<lambda>"): 1, ("two", "a:f"): 4},
    (StepCost("one", 4.0, 8.0, 100.0), StepCost("two", 2.0, 2.0, 120.0)),
)


def test_seconds_are_shared_out_by_what_was_seen() -> None:
    assert MADE.seconds_in("one") == {"a:g": 3.0, "a:<lambda>": 1.0}
    assert MADE.seconds_in("two") == {"a:f": 2.0}
    assert MADE.seconds_in("three") == {}


def test_the_files_tell_the_same(tmp_path: Path) -> None:
    page = flame.write_profile(MADE, tmp_path / "made", "tiny <1>").read_text(encoding="utf-8")
    assert "tiny &lt;1&gt;" in page
    assert "a:&lt;lambda&gt; 12.5%" in page
    assert len(re.findall('<div class="box"', page)) == page.count("</div>") - 1 == 7
    scope = json.loads((tmp_path / "made" / flame.SPEEDSCOPE).read_text())
    [sampled] = scope["profiles"]
    names = [frame["name"] for frame in scope["shared"]["frames"]]
    both = zip(sampled["samples"], sampled["weights"], strict=True)
    assert {tuple(names[frame] for frame in stack): count for stack, count in both} == MADE.stacks
    assert sampled["endValue"] == 8
    steps = json.loads((tmp_path / "made" / flame.STEPS).read_text())
    assert steps[0] == {"name": "one", "seconds": 4.0, "cpu_seconds": 8.0, "peak_mb": 100.0} | {
        "most": {"a:g": 3.0, "a:<lambda>": 1.0}
    }
