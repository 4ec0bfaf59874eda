"""Functions that end their process, run in one forked off a process that has imported already what they import.

As a module: `forked` starts that process and asks it. As a script: it is that process.
"""

import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path


@cache
def _server() -> "subprocess.Popen[str]":
    """It ends with this process, whose end closes its input."""
    return subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def forked(function: Callable[..., object], *arguments: str | float) -> int:
    """How a process ended that called `function`, of a module's top level: its exit code, or less a signal's number."""
    job = {
        "path": sys.path,
        "folder": str(Path.cwd()),
        "module": function.__module__,
        "function": function.__name__,
        "arguments": arguments,
    }
    server = _server()
    assert server.stdin
    assert server.stdout
    server.stdin.write(json.dumps(job) + "\n")
    server.stdin.flush()
    return int(server.stdout.readline())


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    # What the functions print is none of the answers.
    os.dup2(2, 1)
    for line in sys.stdin:
        job = json.loads(line)
        sys.path[:] = job["path"]
        function = getattr(importlib.import_module(job["module"]), job["function"])
        pid = os.fork()
        if not pid:
            call(function, job)
        answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        answers.flush()


def call(function: Callable[..., object], job: dict[str, list[str]]) -> None:
    """Call it, and end this process, whose parent goes on reading."""
    code = 1
    try:
        os.chdir(str(job["folder"]))
        function(*job["arguments"])
        code = 0
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
