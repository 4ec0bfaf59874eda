import subprocess
import sys
from pathlib import Path

import pytest

from perennial.core.errors import BusyError
from perennial.core.home import Home
from perennial.runs import lock
from perennial.runs.lock import nothing_running, one_at_a_time

HOLD = """
import sys
from pathlib import Path

from perennial.core.home import Home
from perennial.runs.lock import one_at_a_time

with one_at_a_time("news", Home(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_told_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match="Another run of news is at work"), one_at_a_time("news", home):
            pass
        with one_at_a_time("other", home):
            pass
        holder.kill()
    with one_at_a_time("news", home):
        pass


def test_a_run_waits_for_gc_and_gc_for_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    monkeypatch.setattr(lock, "REMOVAL_SECONDS", 0)
    busy = pytest.raises(BusyError, match=r"A run of news is at work.*Nothing was removed")
    with one_at_a_time("news", home), busy, nothing_running(home):
        pass
    with nothing_running(home):
        with pytest.raises(BusyError, match=r"`perennial gc` is clearing out"), one_at_a_time("news", home):
            pass
        with pytest.raises(BusyError, match=r"Another `perennial gc`"), nothing_running(home):
            pass
    with one_at_a_time("news", home), one_at_a_time("other", home):
        pass
