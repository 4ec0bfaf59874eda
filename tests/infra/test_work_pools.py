"""The work pools' templates: as Prefect's own workers read them, down to the job that Kubernetes would get."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import kubernetes_validate
import pytest
from docker.types import HostConfig
from infra_files import APP, INFRA, KUBERNETES, POOLS, Record, compose, of_kind, pool, render
from jsonschema import Draft202012Validator
from prefect.client.schemas import FlowRun
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.workers.process import ProcessWorker
from prefect_docker.worker import DockerWorker
from prefect_kubernetes.worker import KubernetesWorker
from test_kubernetes import assert_restricted

WORKERS: dict[str, Any] = {
    "process": ProcessWorker,
    "docker": DockerWorker,
    "kubernetes": KubernetesWorker,
    "kubernetes-gpu": KubernetesWorker,
}
every_pool = pytest.mark.parametrize("path", POOLS, ids=lambda path: path.stem)
GPU = {"driver": "nvidia", "count": 1, "capabilities": [["gpu"]]}


def prepared(name: str, **values: Any) -> Any:
    """The configuration of a run, as the worker makes it from the template and a deployment's `job_variables`."""
    worker = WORKERS[name]

    async def prepare() -> Any:
        made = await worker.job_configuration.from_template_and_values(
            pool(INFRA / "work-pools" / f"{name}.json"), values, client=object()
        )
        made.prepare_for_flow_run(FlowRun(flow_id=uuid4(), name="retrain sentiment"))
        return made

    with temporary_settings({PREFECT_API_URL: "http://prefect:4200/api", PREFECT_API_AUTH_STRING: "admin:hidden"}):
        return asyncio.run(prepare())


def placeholders(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from placeholders(part)
    elif isinstance(value, str):
        yield from (part.split("}}")[0].strip() for part in value.split("{{")[1:])


def container(job: Record) -> Record:
    only: Record = job["spec"]["template"]["spec"]["containers"][0]
    return only


def test_there_is_one_for_each_way_to_run() -> None:
    assert {path.stem for path in POOLS} == set(WORKERS)


@every_pool
def test_every_variable_is_used_and_described_and_its_default_is_allowed(path: Path) -> None:
    template = pool(path)
    variables = template["variables"]
    Draft202012Validator.check_schema(variables)
    assert set(placeholders(template["job_configuration"])) == set(variables["properties"])
    for name, said in variables["properties"].items():
        assert said["description"], name
        if "default" in said:
            Draft202012Validator(said).validate(said["default"])


@every_pool
def test_the_worker_knows_every_setting(path: Path) -> None:
    fields = set(WORKERS[path.stem].job_configuration.model_fields)
    assert set(pool(path)["job_configuration"]) <= fields


def test_a_process_runs_beside_the_pipelines() -> None:
    made = prepared("process")
    assert str(made.working_dir) == APP
    assert "prefect" in made.command


def test_a_container_is_hardened_and_is_given_its_secrets_as_files() -> None:
    made = prepared("docker")
    options = made.container_create_kwargs
    assert options["read_only"] is True
    assert options["cap_drop"] == ["ALL"]
    assert made.privileged is False
    assert "hidden" not in str(made.env)
    given = {volume.split(":")[1] for volume in made.volumes}
    files = {value for name, value in made.env.items() if name.endswith("_FILE")}
    assert files
    assert files <= given
    assert {volume.split("/")[3].split(":")[0] for volume in made.volumes if "secrets/" in volume} <= set(
        compose()["secrets"]
    )


def test_a_container_joins_the_networks_and_volume_of_compose() -> None:
    whole = compose()
    made = prepared("docker")
    prefix = f"{whole['name']}_"
    assert set(made.networks) <= {prefix + name for name in whole["networks"]}
    assert made.volumes[0] == f"{prefix}worker:{whole['services']['worker']['volumes'][0].split(':')[1]}"
    worker = whole["services"]["worker"]["environment"]
    assert {name: made.env[name] for name in worker} == worker


def test_a_container_gets_a_gpu_if_it_asks_for_one() -> None:
    assert prepared("docker").container_create_kwargs["device_requests"] == []
    options = prepared("docker", device_requests=[GPU]).container_create_kwargs
    (asked,) = HostConfig(version="1.44", device_requests=options["device_requests"])["DeviceRequests"]
    assert (asked["Driver"], asked["Count"], asked["Capabilities"]) == ("nvidia", 1, [["gpu"]])


@pytest.mark.parametrize("name", ["kubernetes", "kubernetes-gpu"])
def test_a_job_is_as_kubernetes_wants_it_and_restricted(name: str) -> None:
    job = prepared(name).job_manifest
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    assert_restricted(job["spec"]["template"]["spec"], name)
    assert "hidden" not in str(job)


def test_a_job_finds_in_the_namespace_what_it_needs() -> None:
    objects = render(KUBERNETES / "overlays" / "cpu")
    job = prepared("kubernetes").job_manifest
    pod = job["spec"]["template"]["spec"]
    assert job["metadata"]["namespace"] == "perennial"
    assert pod["serviceAccountName"] in of_kind(objects, "ServiceAccount")
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] in of_kind(objects, "PersistentVolumeClaim")
    settings = of_kind(objects, "ConfigMap")[container(job)["envFrom"][0]["configMapRef"]["name"]]["data"]
    mounted = {f"/run/secrets/{item['path']}" for item in pod["volumes"][1]["secret"]["items"]}
    assert {value for name, value in settings.items() if name.endswith("_FILE")} == mounted
    # So that the network policies let it through.
    assert job["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] == "run"


def test_a_job_gets_a_gpu_if_it_asks_for_one() -> None:
    def gpus(made: Any) -> Any:
        return container(made.job_manifest)["resources"]["limits"].get("nvidia.com/gpu")

    assert gpus(prepared("kubernetes")) is None
    assert gpus(prepared("kubernetes", gpus=2)) == 2
    assert gpus(prepared("kubernetes-gpu")) == 1


def test_the_gpu_template_is_the_other_with_other_defaults() -> None:
    plain, gpu = (pool(INFRA / "work-pools" / f"{name}.json") for name in ("kubernetes", "kubernetes-gpu"))
    assert plain["job_configuration"] == gpu["job_configuration"]
    changed = {
        name for name, said in gpu["variables"]["properties"].items() if said != plain["variables"]["properties"][name]
    }
    assert changed == {"gpus", "image", "tolerations"}
    for name in changed:
        for template in (plain, gpu):
            template["variables"]["properties"][name].pop("default", None)
    assert json.dumps(plain) == json.dumps(gpu)
