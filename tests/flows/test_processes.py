"""`perennial run` as a process: interrupted, killed, alone with its own Prefect server."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from place import Ended, Place, ended, is_training, processes_with, wait_for

from perennial.training.checkpoints import Checkpoints

# Long enough to be caught at work, with a checkpoint after every step.
LONG = {"training__epochs": 15, "training__checkpoint_seconds": 1e-3, "training__early_stopping": 60}

STOPPED = pytest.mark.soak(twin="tests/flows/test_processes.py::test_a_training_that_is_interrupted_at_a_step_resumes")


def assert_resumes(place: Place) -> None:
    again = place.run()
    assert again.code == 0, again.text
    assert "Resuming the training that was cut short at step" in again.text
    assert "tiny: promoted, version 1" in again.text
    assert place.champion() == "1"
    assert not any(place.home.root.glob("checkpoints/*"))


def assert_interrupted(stopped: Ended) -> None:
    assert stopped.code == 1, stopped.text
    assert "Interrupted; the champion is as it was. Run the same command again" in stopped.text
    assert "Traceback" not in stopped.text


@STOPPED
def test_an_interrupted_training_says_so_and_resumes(make_place) -> None:
    made = make_place(**LONG)
    process = made.start("run", "tiny")
    wait_for(lambda: is_training(made), process)
    process.send_signal(signal.SIGINT)
    assert_interrupted(ended(process))
    assert_resumes(made)


def test_a_training_that_is_interrupted_at_a_step_resumes(make_place, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, by what Ctrl-C raises."""
    made = make_place(training__epochs=2, training__checkpoint_seconds=1e-3, gates=[{"metric": "accuracy", "min": 0.1}])
    real, saved = Checkpoints.save, []

    def save(self: Checkpoints, step: int, write: Callable[[Path], None]) -> None:
        real(self, step, write)
        saved.append(step)
        if len(saved) == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", save)
        assert_interrupted(made.run())
    assert is_training(made)
    assert_resumes(made)


@STOPPED
def test_a_killed_run_leaves_no_process_behind_and_resumes(make_place) -> None:
    made = make_place(**LONG)
    api, made.prefect_api = made.prefect_api, None
    process = made.start("run", "tiny")
    wait_for(lambda: is_training(made), process)
    assert len(processes_with(str(made.home.root))) > 1
    os.kill(process.pid, signal.SIGKILL)
    assert ended(process).code == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while left := processes_with(str(made.home.root)):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    made.prefect_api = api
    assert_resumes(made)


@pytest.mark.soak(
    twin="tests/flows/test_prefect_server.py::test_an_embedded_server_answers_and_ends_with_who_started_it"
)
def test_a_run_alone_starts_and_ends_its_own_prefect_server(seasoned: Place) -> None:
    seasoned.prefect_api = None
    stopped = seasoned.apart("run", "tiny", "--json")
    assert (stopped.code, stopped.json["status"]) == (0, "skipped"), stopped.text
    assert stopped.error.count("Traceback") == 0
    assert (seasoned.home.prefect / "prefect.db").is_file()
    assert processes_with(str(seasoned.home.root)) == []


def test_help_needs_no_heavy_library_and_nothing_is_made(tmp_path: Path) -> None:
    alone = Place(tmp_path / "place", None)
    stopped = alone.apart("--help", PYTHONPROFILEIMPORTTIME="1")
    assert stopped.code == 0
    assert "predict" in stopped.out
    for heavy in ("torch", "prefect", "mlflow", "great_expectations", "transformers", "pandas"):
        assert f"| {heavy}\n" not in stopped.error
    assert list(alone.folder.iterdir()) == []
