"""Prometheus and Grafana: checked by Prometheus' own tool, and by what the model server exports."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from infra_files import INFRA, KUBERNETES, compose, of_kind, pod_templates, promtool, render, walk

PROMETHEUS = INFRA / "prometheus"
GRAFANA = INFRA / "grafana"
DASHBOARDS = sorted(GRAFANA.glob("dashboards/*.json"))
EXPORTED = {
    "perennial_requests_total": {"model", "status"},
    "perennial_request_seconds": {"model", "le"},
    "perennial_explain_requests_total": {"model", "status"},
    "perennial_explain_seconds": {"model", "le"},
    "perennial_workers": {"model"},
    "perennial_rows_total": {"model"},
    "perennial_dropped_rows_total": {"model"},
    "perennial_connections_closed_total": {"model", "why"},
    "perennial_batch_rows": {"model", "le"},
    "perennial_queue_rows": {"model"},
    "perennial_compared_rows_total": {"model"},
    "perennial_dropped_comparisons_total": {"model"},
    "perennial_challenger_failures_total": {"model"},
    "perennial_challenger_version": {"model", "version"},
    "perennial_champion_version": {"model", "version"},
    "perennial_champion_problem": {"model", "problem"},
}
"""The model server's metrics, and the labels of each."""


def check(*arguments: str | Path) -> None:
    done = subprocess.run([promtool(), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def metrics(expression: str) -> set[str]:
    """The model server's metrics that a query names; a histogram's by its own name."""
    named = re.findall(r"\bperennial_\w+", expression)
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}


def rules() -> list[dict[str, object]]:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard_queries() -> list[str]:
    said = [json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS]
    return [str(part[key]) for part in walk(said) for key in ("expr", "definition") if key in part]


def test_prometheus_understands_its_settings_and_rules() -> None:
    check("check", "config", "--syntax-only", PROMETHEUS / "prometheus.yml")
    check("check", "rules", PROMETHEUS / "alerts.yml")


def test_alerts_fire_when_they_should_and_only_then() -> None:
    check("test", "rules", *sorted(PROMETHEUS.glob("*.test.yml")))


def test_every_alert_is_tested_and_says_what_to_do() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in PROMETHEUS.glob("*.test.yml"))
    for rule in rules():
        if "alert" in rule:
            assert f"alertname: {rule['alert']}\n        exp_alerts" in tests, rule["alert"]
            assert set(rule["annotations"]) == {"summary", "description"}
            assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_queries_name_only_what_is_exported_or_recorded() -> None:
    recorded = {str(rule["record"]) for rule in rules() if "record" in rule}
    for query in [*dashboard_queries(), *(str(rule["expr"]) for rule in rules())]:
        assert metrics(query) <= set(EXPORTED), query
        assert set(re.findall(r"\bperennial(?::\w+)+", query)) <= recorded, query


def test_every_metric_is_shown_or_watched() -> None:
    assert {name for query in dashboard_queries() for name in metrics(query)} == set(EXPORTED)


def test_queries_group_by_labels_that_are_there() -> None:
    for query in [*dashboard_queries(), *(str(rule["expr"]) for rule in rules())]:
        labels_there = {"alertname"}.union(*(EXPORTED[name] for name in metrics(query)))
        for labels in re.findall(r"by \(([\w, ]+)\)", query):
            assert set(labels.split(", ")) <= labels_there, query


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_is_whole(path: Path) -> None:
    board = json.loads(path.read_text(encoding="utf-8"))
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text(encoding="utf-8"))
    uid = source["datasources"][0]["uid"]
    assert {part["datasource"]["uid"] for part in walk(board) if "datasource" in part} == {uid}
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [(x, y) for panel in panels for x, y in _cells(panel["gridPos"])]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24


def test_prometheus_and_grafana_are_given_these_files_and_reach_what_they_ask() -> None:
    services = compose()["services"]
    said = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    mounted = {volume.split(":")[0] for volume in services["prometheus"]["volumes"]}
    assert {f"./prometheus/{name}" for name in ("prometheus.yml", *said["rule_files"])} <= mounted
    jobs = {job["job_name"]: job for job in said["scrape_configs"]}
    asked = jobs["model-server"]["dns_sd_configs"][0]
    assert (asked["names"], asked["port"]) == (["model-server"], 8000)
    assert jobs["prefect"]["static_configs"] == [{"targets": ["prefect:4200"]}]
    secret = jobs["prefect"]["basic_auth"]["password_file"].removeprefix("/run/secrets/")
    assert secret in services["prometheus"]["secrets"]
    for name in ("model-server", "prefect"):
        assert set(services["prometheus"]["networks"]) & set(services[name]["networks"])
    provider = yaml.safe_load((GRAFANA / "provisioning/dashboards/dashboards.yaml").read_text(encoding="utf-8"))
    assert f"./grafana/dashboards:{provider['providers'][0]['options']['path']}:ro" in services["grafana"]["volumes"]
    assert {job for query in dashboard_queries() for job in re.findall(r'job="([\w-]+)"', query)} <= set(jobs)


def test_kubernetes_offers_the_same_port_to_prometheus() -> None:
    server = pod_templates(render(KUBERNETES / "overlays" / "cpu"))["model-server"]
    annotations = server["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(server["spec"]["containers"][0]["ports"][0]["containerPort"])
    assert (
        of_kind(render(KUBERNETES / "overlays" / "cpu"), "Service")["model-server"]["spec"]["ports"][0]["port"] == 8000
    )


def _cells(position: dict[str, int]) -> list[tuple[int, int]]:
    return [(position["x"] + x, position["y"] + y) for x in range(position["w"]) for y in range(position["h"])]
