"""compose.yaml: its schema, and that its parts fit together."""

import json
import re
import subprocess
from typing import Any

import pytest
from infra_files import INFRA, REPOSITORY, Dockerfile, Record, beside_python, command, compose, settled

FILES = ("compose.yaml", "compose.gpu.yaml")
SERVICES = compose()["services"]
LASTING = {name: service for name, service in SERVICES.items() if service["restart"] != "on-failure"}
OWN = {"perennial-worker", "perennial-mlflow", "perennial-serving"}

every_service = pytest.mark.parametrize("name", SERVICES)


def test_the_files_are_as_compose_wants_them() -> None:
    tool = beside_python("check-jsonschema")
    assert tool
    checked = subprocess.run(
        [tool, "--builtin-schema", "vendor.compose-spec", *(INFRA / name for name in FILES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_all_that_was_promised_is_there() -> None:
    assert set(LASTING) == {"postgres", "prefect", "worker", "mlflow", "model-server", "prometheus", "grafana"}


@every_service
def test_services_are_hardened_limited_and_started_again(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] in {"unless-stopped", "on-failure"}
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert "privileged" not in service
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))
    # The user is that of the image, or none of root's.
    assert service["image"] in OWN or not service["user"].startswith("0")


@every_service
def test_images_of_others_are_pinned(name: str) -> None:
    image = SERVICES[name]["image"]
    assert image in OWN or re.fullmatch(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-\w+)?", image)


@pytest.mark.parametrize("name", LASTING)
def test_what_runs_on_and_on_is_asked_whether_it_is_well(name: str) -> None:
    service = LASTING[name]
    if name == "mlflow":
        assert Dockerfile(REPOSITORY / service["build"]["dockerfile"]).all_of("HEALTHCHECK")
        return
    test = service["healthcheck"]["test"]
    assert test[0] == "CMD"
    if test[1] == "python":
        compile(test[3], "healthcheck", "exec")


@every_service
def test_what_a_service_refers_to_is_declared(name: str) -> None:
    whole, service = compose(), SERVICES[name]
    assert set(service["networks"]) <= set(whole["networks"])
    assert set(service.get("secrets", [])) <= set(whole["secrets"])
    assert set(service.get("depends_on", {})) <= set(SERVICES)
    for volume in service.get("volumes", []):
        source = settled(volume).split(":")[0]
        if source.startswith("."):
            assert (INFRA / source).exists(), source
        else:
            assert source in whole["volumes"]
    for target, condition in service.get("depends_on", {}).items():
        if condition["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[target] or target == "mlflow"


@every_service
def test_secrets_are_files_that_the_service_is_given(name: str) -> None:
    service = SERVICES[name]
    given = service.get("secrets", [])
    for variable, value in _environment(service).items():
        if variable.endswith("_FILE"):
            assert value.removeprefix("/run/secrets/") in given, variable
        else:
            assert not re.search(r"PASSWORD|SECRET|TOKEN|AUTH_STRING", variable), variable
            assert not re.search(r"://[^/@:]*:[^/@]+@", value), variable


def test_every_secret_is_made_by_the_script_and_used(tmp_path) -> None:
    subprocess.run([INFRA / "make-secrets.sh", tmp_path / "secrets"], check=True, capture_output=True)
    made = {path.name for path in (tmp_path / "secrets").iterdir()}
    named = compose()["secrets"]
    assert {secret["file"] for secret in named.values()} == {f"./secrets/{name}" for name in made}
    assert {name for service in SERVICES.values() for name in service.get("secrets", [])} == set(named)


def test_who_speaks_with_whom_shares_a_network_and_knows_the_port() -> None:
    ports = {"postgres": 5432, "prefect": 4200, "mlflow": 5000, "model-server": 8000, "prometheus": 9090}
    for name, service in SERVICES.items():
        for value in _environment(service).values():
            for host, port in re.findall(r"(?:://|@)(?:\w+@)?([a-z-]+)(?::(\d+))?/?", value):
                if host in SERVICES:
                    assert set(service["networks"]) & set(SERVICES[host]["networks"]), (name, host)
                    assert port in {"", str(ports[host])}, (name, host, port)


def test_ports_are_opened_to_this_machine_alone() -> None:
    published = [settled(port) for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 5
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert compose()["networks"]["databases"] == {"internal": True}
    assert "ports" not in SERVICES["postgres"]


def test_the_settings_that_can_be_made_are_told() -> None:
    text = (INFRA / "compose.yaml").read_text(encoding="utf-8")
    example = (INFRA / ".env.example").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"(?m)^(\w+)=(.+)$", example))
    assert dict(re.findall(r"\$\{(\w+):-([^}]*)\}", text)) == defaults
    ignored = (REPOSITORY / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/infra/secrets/", "/infra/.env"} <= set(ignored)


def test_the_gpu_file_changes_services_that_are_there() -> None:
    import yaml

    changed: Record = yaml.safe_load((INFRA / "compose.gpu.yaml").read_text(encoding="utf-8"))["services"]
    assert set(changed) == {name for name, service in SERVICES.items() if service["image"] == "perennial-worker"}
    assert {service["build"]["args"]["ACCEL"] for service in changed.values()} == {"gpu"}


def test_what_served_last_outlives_the_model_servers_container() -> None:
    service = SERVICES["model-server"]
    home = service["environment"]["PERENNIAL_HOME"]
    assert f"model-server:{home}" in service["volumes"]
    assert "model-server" in compose()["volumes"]
    assert not any(str(mount).startswith(home) for mount in service["tmpfs"])
    # A new volume has the rights of the image's folder.
    assert Dockerfile(REPOSITORY / service["build"]["dockerfile"]).all_of("VOLUME")


def test_the_model_server_is_started_as_its_image_starts_it_before_there_is_a_champion() -> None:
    said = command("model-server")
    assert said[:3] == ["sentiment", "--wait", "--json"]
    # Open while there are no keys, which its comment says; Prometheus, which has none, is let in.
    assert said[3:] == ["--insecure", "--set", "serving.open_metrics=true"]
    assert SERVICES["model-server"]["ports"] == ["${PERENNIAL_BIND:-127.0.0.1}:8000:8000"]
    entry = SERVICES["model-server"]["entrypoint"]
    assert entry[0] == "/opt/perennial/with-secrets.sh"
    for path in INFRA.glob("serving.Dockerfile"):
        assert entry[1:] == json.loads(Dockerfile(path).all_of("ENTRYPOINT")[0])


def _environment(service: Record) -> dict[str, Any]:
    return {name: settled(str(value)) for name, value in service.get("environment", {}).items()}
