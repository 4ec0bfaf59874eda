import subprocess
import sys
from pathlib import Path

import pytest

from perennial.home import Home
from perennial.lock import BusyError, one_at_a_time

HOLD = """
import sys
from pathlib import Path

from perennial.home import Home
from perennial.lock import one_at_a_time

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
