"""Processes that promote at once, or are killed in the middle: one that has imported everything forks the others.

As a module: `Promoters` starts and asks them. As a script: it is that process.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from perennial.core.home import Home

REPOSITORY = Path(__file__).parents[1]
Job = dict[str, Any]
Answer = str | bool | None
"""True: promoted. False: stale. None: killed. A string: the error."""


class Promoters:
    """Processes with the environment given, that promote when they are told to."""

    def __init__(self, home: Home, **environment: str) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"} | environment,
        )

    def ask(self, *jobs: Job) -> list[Answer]:
        """What came of jobs, done at once, each by a process of its own."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([{"home": str(self.home.root), **job} for job in jobs]) + "\n")
        self.process.stdin.flush()
        answers: list[Answer] = json.loads(self.process.stdout.readline())
        return answers

    def end(self) -> None:
        """End them all."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


@dataclass
class Worker:
    """A forked process, and the pipes to and from it."""

    pid: int
    jobs: TextIO
    answers: TextIO


def main() -> None:
    # Everything is imported once, and nothing is opened, before the first fork.
    import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

    from perennial.promotion import conclusion  # noqa: F401

    workers: dict[int, Worker] = {}
    for line in sys.stdin:
        jobs = json.loads(line)
        for number in range(len(jobs)):
            if number not in workers:
                workers[number] = fork(workers)
        start = time.monotonic() + 0.02
        for number, job in enumerate(jobs):
            workers[number].jobs.write(json.dumps({**job, "start": start}) + "\n")
            workers[number].jobs.flush()
        print(json.dumps([heard(workers, number) for number in range(len(jobs))]), flush=True)  # noqa: T201


def fork(others: dict[int, Worker]) -> Worker:
    job_out, job_in = os.pipe()
    answer_out, answer_in = os.pipe()
    pid = os.fork()
    if pid:
        os.close(job_out)
        os.close(answer_in)
        return Worker(pid, os.fdopen(job_in, "w"), os.fdopen(answer_out))
    os.close(job_in)
    os.close(answer_out)
    for other in others.values():
        os.close(other.jobs.fileno())
        os.close(other.answers.fileno())
    with os.fdopen(job_out) as jobs, os.fdopen(answer_in, "w") as answers:
        for line in jobs:
            answers.write(json.dumps(work(json.loads(line))) + "\n")
            answers.flush()
    os._exit(0)


def heard(workers: dict[int, Worker], number: int) -> Answer:
    line = workers[number].answers.readline()
    if line:
        answer: Answer = json.loads(line)
        return answer
    gone = workers.pop(number)
    assert os.waitstatus_to_exitcode(os.waitpid(gone.pid, 0)[1]) == -signal.SIGKILL
    return None


def work(job: Job) -> Answer:
    """Promote `version` of `model`, judged against `against`; with `die_after`, only as far as that step."""
    from promoting import promote

    from perennial.core.errors import PerennialError
    from perennial.promotion import alias_move
    from perennial.records.run import RegisteredVersion
    from perennial.registry import lease

    lease.SECONDS = job.get("lease", lease.SECONDS)
    if job.get("die_after"):
        kill_after(alias_move, job["die_after"])
    registered = RegisteredVersion(
        model=job["model"], version=job["version"], run_id="", package_digest="", champion_version=job["against"]
    )
    time.sleep(max(0.0, job["start"] - time.monotonic()))
    try:
        return promote(Home(Path(job["home"])), registered, "A test.")
    except PerennialError as error:
        return str(error)


def kill_after(module: Any, step: str) -> None:
    """Let this process be killed as soon as `step` of `module` is done."""
    real = getattr(module, step)

    def killed(*arguments: Any, **named: Any) -> None:
        real(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, step, killed)


if __name__ == "__main__":
    main()
