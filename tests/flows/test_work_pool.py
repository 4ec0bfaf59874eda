"""infra/prefect.yaml deploys to a work pool what `perennial schedule` serves."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from place import REPOSITORY
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import deployments
from perennial import spec_file

FILE = REPOSITORY / "infra" / "prefect.yaml"
SHIPPED = {
    path.parent.name: spec_file.read(path) for path in sorted((REPOSITORY / "pipelines").glob("*/pipeline.yaml"))
}


def declared() -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in yaml.safe_load(FILE.read_text())["deployments"]}


def test_it_says_what_the_pipelines_say() -> None:
    wanted = {name: spec.schedule for name, spec in SHIPPED.items() if spec.schedule}
    assert declared().keys() == wanted.keys()
    for name, one in declared().items():
        (schedule,) = one["schedules"]
        assert (schedule["cron"], schedule["timezone"]) == (wanted[name].cron, wanted[name].timezone)
        assert schedule["parameters"] == {"kind": "schedule"}
        assert one["parameters"] == {"pipeline": name}


@pytest.mark.slow
def test_prefect_takes_it(prefect_api: str, tmp_path: Path) -> None:
    environment = os.environ | {
        "PREFECT_API_URL": prefect_api,
        "PREFECT_HOME": str(tmp_path),
        "PERENNIAL_CODE": str(REPOSITORY),
        "DO_NOT_TRACK": "1",
    }
    for arguments in (
        ("work-pool", "create", "perennial", "--type", "process"),
        ("work-pool", "update", "perennial", "--concurrency-limit", "2"),
        ("--no-prompt", "deploy", "--all", "--prefect-file", str(FILE)),
    ):
        said = subprocess.run(
            [sys.executable, "-m", "prefect", *arguments],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert said.returncode == 0, said.stdout + said.stderr
    with temporary_settings({PREFECT_API_URL: prefect_api}), get_client(sync_client=True) as client:
        assert client.read_work_pool("perennial").concurrency_limit == 2
        for name, one in declared().items():
            made = deployments.find(client, name)
            assert made is not None
            assert (made.work_pool_name, made.entrypoint) == ("perennial", "flows/scheduled.py:scheduled")
            assert made.pull_steps == [
                {"prefect.deployments.steps.set_working_directory": {"directory": str(REPOSITORY)}}
            ]
            assert [(str(it.schedule.cron), it.parameters) for it in made.schedules] == [
                (one["schedules"][0]["cron"], {"kind": "schedule"})
            ]
