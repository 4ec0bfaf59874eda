"""The manifests for Kubernetes: what a cluster would refuse, and what would not work in one."""

import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from infra_files import (
    KUBERNETES,
    OVERLAYS,
    Record,
    compose,
    containers,
    of_kind,
    pod_templates,
    render,
    walk,
)

every_overlay = pytest.mark.parametrize("folder", OVERLAYS, ids=lambda folder: folder.name)
SECRET = "perennial-secrets"
API_KEYS = "perennial-api-keys"


def labels_of(template: Record) -> set[tuple[str, str]]:
    return set(template["metadata"]["labels"].items())


def assert_restricted(pod: Record, name: str) -> None:
    """What the `restricted` standard of pod security asks for, a read-only root, and limits."""
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True, name
    assert context["runAsUser"] > 1000, name
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
    assert not any(key in pod for key in ("hostNetwork", "hostPID", "hostIPC")), name
    for container in containers({"spec": pod}):
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False, name
        assert own["readOnlyRootFilesystem"] is True, name
        assert own["capabilities"] == {"drop": ["ALL"]}, name
        for bound in ("requests", "limits"):
            assert {"cpu", "memory"} <= set(container["resources"][bound]), name
    allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "secret", "name"}
    assert all(set(volume) <= allowed for volume in pod["volumes"]), name


def test_there_is_an_overlay_for_processors_for_gpus_and_without_prefect() -> None:
    assert [folder.name for folder in OVERLAYS] == ["cpu", "cronjob", "gpu"]


@every_overlay
def test_every_object_is_as_kubernetes_wants_it(folder: Path) -> None:
    for item in render(folder):
        for version in ("1.31", kubernetes_validate.latest_version()):
            kubernetes_validate.validate(item, version, strict=True)


@every_overlay
def test_kubectl_renders_the_same(folder: Path) -> None:
    """Where kubectl is installed, it confirms that the tests look at what a cluster would get."""
    objects = render(folder)
    if shutil.which("kubectl"):
        done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=True)
        objects = list(yaml.safe_load_all(done.stdout))

    def key(item: Record) -> tuple[str, str]:
        return item["kind"], item["metadata"]["name"]

    assert sorted(objects, key=key) == sorted(render(folder), key=key)


@every_overlay
def test_names_are_there_once_and_in_the_namespace(folder: Path) -> None:
    objects = render(folder)
    names = Counter((item["kind"], item["metadata"]["name"]) for item in objects)
    assert [name for name, count in names.items() if count > 1] == []
    assert {item["metadata"].get("namespace") for item in objects if item["kind"] != "Namespace"} == {"perennial"}
    enforced = of_kind(objects, "Namespace")["perennial"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert enforced == "restricted"


@every_overlay
def test_pods_are_restricted_and_have_images_of_a_registry(folder: Path) -> None:
    for name, template in pod_templates(render(folder)).items():
        assert_restricted(template["spec"], name)
        for container in containers(template):
            assert container["image"].startswith("registry.example/"), name
            assert not container["image"].endswith(":latest"), name


@every_overlay
def test_what_runs_on_and_on_is_probed(folder: Path) -> None:
    objects = render(folder)
    for name, item in (of_kind(objects, "Deployment") | of_kind(objects, "StatefulSet")).items():
        for container in item["spec"]["template"]["spec"]["containers"]:
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                port = container[probe]["httpGet"]["port"]
                assert port in {opened["name"] for opened in container["ports"]}, (name, probe)


@every_overlay
def test_services_budgets_and_autoscalers_find_their_pods(folder: Path) -> None:
    objects = render(folder)
    templates = pod_templates(objects)
    for name, service in of_kind(objects, "Service").items():
        if service["spec"].get("type") == "ExternalName":
            continue
        selected = [t for t in templates.values() if set(service["spec"]["selector"].items()) <= labels_of(t)]
        opened = {port["name"] for t in selected for c in containers(t) for port in c.get("ports", [])}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= opened, name
    for name, item in (of_kind(objects, "Deployment") | of_kind(objects, "StatefulSet")).items():
        assert set(item["spec"]["selector"]["matchLabels"].items()) <= labels_of(item["spec"]["template"]), name
    for budget in of_kind(objects, "PodDisruptionBudget").values():
        assert any(set(budget["spec"]["selector"]["matchLabels"].items()) <= labels_of(t) for t in templates.values())
    for scaler in of_kind(objects, "HorizontalPodAutoscaler").values():
        target = of_kind(objects, scaler["spec"]["scaleTargetRef"]["kind"])[scaler["spec"]["scaleTargetRef"]["name"]]
        # Else each `kubectl apply` would undo what the autoscaler did.
        assert "replicas" not in target["spec"]
        assert (
            scaler["spec"]["minReplicas"]
            > of_kind(objects, "PodDisruptionBudget")["model-server"]["spec"]["minAvailable"]
        )


@every_overlay
def test_what_served_last_outlives_a_model_servers_pod(folder: Path) -> None:
    objects = render(folder)
    server = of_kind(objects, "StatefulSet")["model-server"]["spec"]
    [container] = server["template"]["spec"]["containers"]
    [home] = [part["value"] for part in container["env"] if part["name"] == "PERENNIAL_HOME"]
    [volume] = [mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == home]
    assert volume in [claim["metadata"]["name"] for claim in server["volumeClaimTemplates"]]
    assert server["serviceName"] in of_kind(objects, "Service")


@every_overlay
def test_the_model_server_asks_for_keys_as_soon_as_there_is_a_secret_of_them(folder: Path) -> None:
    server = of_kind(render(folder), "StatefulSet")["model-server"]["spec"]
    pod = server["template"]["spec"]
    [container] = pod["containers"]
    said = container["args"]
    [mount] = [mount for mount in container["volumeMounts"] if mount["name"] == "api-keys"]
    assert Path(said[said.index("--keys") + 1]).parent == Path(mount["mountPath"])
    assert mount["readOnly"]
    [volume] = [volume for volume in pod["volumes"] if volume["name"] == "api-keys"]
    # Until then it is open, and says so; a file that others may write would be refused.
    assert volume["secret"]["optional"]
    assert not volume["secret"]["defaultMode"] & 0o022
    assert "--insecure" in said


@every_overlay
def test_what_pods_refer_to_is_there(folder: Path) -> None:
    objects = render(folder)
    maps, claims = set(of_kind(objects, "ConfigMap")), set(of_kind(objects, "PersistentVolumeClaim"))
    for name, template in pod_templates(objects).items():
        pod = template["spec"]
        assert pod["serviceAccountName"] in of_kind(objects, "ServiceAccount"), name
        for part in walk(pod):
            assert part.get("configMapRef", {"name": None})["name"] in maps | {None}, name
            assert part.get("claimName") in claims | {None}, name
        own = of_kind(objects, "StatefulSet").get(name, {"spec": {"volumeClaimTemplates": []}})["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        volumes |= {claim["metadata"]["name"] for claim in own["volumeClaimTemplates"]}
        for container in containers(template):
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes, name
    bound = of_kind(objects, "RoleBinding").get("prefect-worker")
    if bound:
        assert bound["roleRef"]["name"] in of_kind(objects, "Role")


@every_overlay
def test_no_secret_is_in_a_manifest_and_all_are_those_of_compose(folder: Path) -> None:
    objects = render(folder)
    assert of_kind(objects, "Secret") == {}
    keys = set()
    for part in walk(objects):
        if part.get("secretName") == API_KEYS:
            # Hashes, which `perennial keys` makes; Compose has them in the server's home.
            continue
        if part.get("secretName") or part.get("name") == SECRET:
            assert part.get("secretName", SECRET) == SECRET
            keys |= {item["key"] for item in part.get("items", [])} | ({part["key"]} if "key" in part else set())
    assert keys
    assert keys <= set(compose()["secrets"])
    for path in KUBERNETES.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text or not any("@" in url and ":" in url.split("@")[0] for url in urls(text)), path


def urls(text: str) -> list[str]:
    return [word.split("://")[1] for word in text.replace('"', " ").split() if "://" in word]


@every_overlay
def test_nobody_may_do_more_in_the_cluster_than_it_needs(folder: Path) -> None:
    objects = render(folder)
    assert not {"ClusterRole", "ClusterRoleBinding"} & {item["kind"] for item in objects}
    for template in pod_templates(objects).values():
        pod = template["spec"]
        assert (pod["serviceAccountName"] == "prefect-worker") != (pod.get("automountServiceAccountToken") is False)
    for role in of_kind(objects, "Role").values():
        for rule in role["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "secrets" not in rule["resources"]


def allowed(objects: list[Record], source: str, target: str, port: int) -> bool:
    """Whether the policies let pods of the component `source` reach those of `target`."""
    policies = list(of_kind(objects, "NetworkPolicy").values())

    def selects(selector: Record, component: str) -> bool:
        if wanted := selector.get("matchLabels", {}).get("app.kubernetes.io/component"):
            return bool(wanted == component)
        values = [rule["values"] for rule in selector.get("matchExpressions", [])]
        return all(component in value for value in values)

    def through(policy: Record, way: str, peers: str, other: str) -> bool:
        return any(
            port in {opened["port"] for opened in rule["ports"]}
            and (peers not in rule or any(peer_is(peer, other) for peer in rule[peers]))
            for rule in policy["spec"].get(way, [])
        )

    def peer_is(peer: Record, component: str) -> bool:
        return "namespaceSelector" in peer if "podSelector" not in peer else selects(peer["podSelector"], component)

    def side(component: str, way: str, peers: str, other: str) -> bool:
        mine = [policy for policy in policies if selects(policy["spec"]["podSelector"], component)]
        return any(through(policy, way, peers, other) for policy in mine)

    return side(source, "egress", "to", target) and side(target, "ingress", "from", source)


def test_policies_let_through_what_is_needed_and_nothing_else() -> None:
    objects = render(KUBERNETES / "overlays" / "cpu")
    denied = of_kind(objects, "NetworkPolicy")["default-deny"]["spec"]
    assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ports = {"mlflow": 5000, "prefect-server": 4200, "model-server": 8000}
    variables = {
        (source, target)
        for source in ("run", "prefect-worker", "prefect-server", "model-server", "mlflow")
        for target, port in ports.items()
        if source != target and allowed(objects, source, target, port)
    }
    assert variables == {
        ("run", "mlflow"),
        ("run", "prefect-server"),
        ("prefect-worker", "prefect-server"),
        ("model-server", "mlflow"),
    }


def test_a_run_by_cron_has_prefect_embedded_and_is_alone() -> None:
    objects = render(KUBERNETES / "overlays" / "cronjob")
    settings = of_kind(objects, "ConfigMap")["perennial-settings"]["data"]
    assert "PREFECT_API_URL" not in settings
    assert "MLFLOW_TRACKING_URI" in settings
    (cron,) = of_kind(objects, "CronJob").values()
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    assert cron["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 0


@pytest.mark.parametrize(("overlay", "template"), [("cpu", "kubernetes.json"), ("gpu", "kubernetes-gpu.json")])
def test_the_runs_image_and_template_are_those_of_the_overlay(overlay: str, template: str) -> None:
    objects = render(KUBERNETES / "overlays" / overlay)
    runs = of_kind(objects, "ConfigMap")["perennial-runs"]["data"]
    assert runs["RUN_TEMPLATE"] == template
    assert (KUBERNETES.parent / "work-pools" / template).is_file()
    worker: Any = pod_templates(objects)["prefect-worker"]["spec"]["containers"][0]["image"]
    assert runs["RUN_IMAGE"] == worker + ("-gpu" if overlay == "gpu" else "")
