import http.server
import os
import re
import shutil
import threading
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from perennial import doctor
from perennial.core.home import Home
from perennial.doctor import (
    Health,
    HealthFinding,
    cuda_libraries,
    home_folder,
    installation,
    queries,
    schedules,
    services,
)
from perennial.records.data import Part
from perennial.scheduling import ticks

PIPELINE = """\
name: news
kind: text-classification
data:
  source: {type: file, path: data.csv}
  labels: [good, bad]
gates:
  - {metric: accuracy, min: 0.5}
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def only(findings: Iterator[HealthFinding]) -> HealthFinding:
    (finding,) = findings
    return finding


def entry(home: Home, key: str) -> Path:
    def make(folder: Path) -> Part:
        (folder / "rows.txt").write_text("some rows", encoding="utf-8")
        return Part(path="x", sha256="y", rows=1)

    home.store.get_or_make("parts", key, Part, make)
    return home.store.folder("parts", key)


def test_a_query_that_misses_rows_is_told_of(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "pipelines" / "news"
    folder.mkdir(parents=True)
    source = "{type: sql, url_env: NEWS, query: 'SELECT * FROM news WHERE at > :watermark'}\n  columns: {time: at}"
    written = PIPELINE.replace("{type: file, path: data.csv}", source)
    (folder / "pipeline.yaml").write_text(written, encoding="utf-8")
    warned, _ = queries.queries(home)
    assert (warned.name, warned.status) == ("query news", Health.WARNING)
    assert ">= :watermark" in str(warned.remedy)
    (folder / "pipeline.yaml").write_text(written.replace("> :w", ">= :w"), encoding="utf-8")
    assert only(queries.queries(home)).status is Health.OK


def test_examine_looks_at_everything_and_leaves_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    # Importing everything takes long, and has a test of its own.
    monkeypatch.setattr(installation, "failing", lambda modules: {})
    findings = doctor.examine_installation(home)
    assert {finding.name for finding in findings} >= {*doctor.CHECKS}
    assert [finding for finding in findings if finding.status is Health.PROBLEM] == []
    assert not home.root.exists()
    assert all(finding.remedy for finding in findings if finding.status is not Health.OK)


def test_a_check_that_fails_is_a_finding(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Home) -> Iterator[HealthFinding]:
        raise RuntimeError("a secret")

    monkeypatch.setattr(doctor, "CHECKS", {"something": broken})
    (finding,) = doctor.examine_installation(home)
    assert (finding.name, finding.status) == ("something", Health.PROBLEM)
    assert "RuntimeError" in finding.seen
    assert "secret" not in finding.seen


def test_whole_and_damaged_store(home: Home) -> None:
    assert only(home_folder.store(home)).seen == "empty"
    folder = entry(home, "k" * 64)
    entry(home, "l" * 64)
    assert "2 entries" in only(home_folder.store(home)).seen
    (folder / "rows.txt").write_text("some r0ws", encoding="utf-8")
    finding = only(home_folder.store(home))
    assert finding.status is Health.PROBLEM
    assert f"parts/{'k' * 64}: rows.txt is changed since it was written" in finding.seen
    assert folder.exists()


def test_leftovers_are_told_with_their_size(home: Home) -> None:
    assert only(home_folder.leftovers(home)).status is Health.OK
    for name in ("store/parts/.old-abc", "store/parts/.new-abc", "checkpoints/k1", "damaged/parts-1"):
        (home.root / name).mkdir(parents=True)
        (home.root / name / "file").write_bytes(b"x" * 2_000_000)
    os.utime(home.store.root / "parts" / ".old-abc", (0, 0))
    observed = [finding.seen for finding in home_folder.leftovers(home)]
    assert observed == [
        "1 temporary folder (2.0 MB) of a killed run",
        "1 checkpoint (2.0 MB) of an unfinished training",
        "1 damaged store entry (2.0 MB) set aside",
    ]


@pytest.mark.parametrize(
    ("free", "status"), [(6e9, Health.OK), (4e9, Health.WARNING), (5e8, Health.PROBLEM)], ids=["much", "less", "little"]
)
def test_disk_space(home: Home, monkeypatch: pytest.MonkeyPatch, free: float, status: Health) -> None:
    usage = shutil.disk_usage("/")._replace(free=int(free))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert only(home_folder.disk(home)).status is status


def test_a_home_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert only(home_folder.home_folder(Home(tmp_path / "new" / "home"))).status is Health.OK
    finding = only(home_folder.home_folder(Home(Path("/proc/nothing"))))
    assert finding.status is Health.PROBLEM
    assert "can't be written" in finding.seen


def test_versions_other_than_pinned(home: Home, tmp_path: Path) -> None:
    import numpy as np

    (tmp_path / "constraints.txt").write_text(
        f"numpy=={np.__version__}\npyarrow==0.1\nnot-there==1\n", encoding="utf-8"
    )
    finding = only(installation.versions(home))
    assert finding.status is Health.WARNING
    assert "pyarrow" in finding.seen
    assert "(not 0.1)" in finding.seen
    assert "numpy" not in finding.seen


def test_a_package_in_the_folder_mlflow(home: Home, tmp_path: Path) -> None:
    assert only(installation.mlflow_folder(home)).status is Health.OK
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "__init__.py").touch()
    assert only(installation.mlflow_folder(home)).status is Health.PROBLEM


def test_imports_are_tried_in_a_process_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_one.py").write_text("raise KeyError('secret')", encoding="utf-8")
    (tmp_path / "crashing_one.py").write_text("import os; os._exit(7)", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert installation.failing(["json", "broken_one", "not_there"]) == {
        "broken_one": "KeyError",
        "not_there": "ModuleNotFoundError",
    }
    assert installation.failing(["crashing_one"]) == {"one of them": "Python ended with code 7"}


def test_what_is_required_is_known() -> None:
    names = installation.required()
    assert {"torch", "mlflow", "prefect", "great-expectations"} <= set(names)
    assert not {"ruff", "onnxruntime"} & set(names)


@pytest.mark.parametrize("status", [200, 500])
def test_prefect_is_asked(home: Home, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/api/health" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{server.server_port}/api")
        finding = only(services.prefect(home))
        server.shutdown()
    assert (finding.status is Health.OK) == (status == 200)
    assert status == 200 or "HTTP status 500" in finding.seen


def test_no_passwords_are_shown(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "embedded" in only(services.prefect(home)).seen
    monkeypatch.setenv("PREFECT_API_URL", "http://me:hidden@127.0.0.1:9/api")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:hidden@127.0.0.1:9/mlflow")
    for finding in (only(services.prefect(home)), only(services.mlflow(home))):
        assert finding.status is Health.PROBLEM
        assert "hidden" not in finding.seen + finding.remedy


def test_pipelines_are_read(home: Home, tmp_path: Path) -> None:
    assert "none under" in only(services.pipelines(home)).seen
    for name, text in {"news": PIPELINE, "typo": PIPELINE.replace("gates:", "gate:")}.items():
        (tmp_path / "pipelines" / name).mkdir(parents=True)
        (tmp_path / "pipelines" / name / "pipeline.yaml").write_text(text, encoding="utf-8")
    good, bad = services.pipelines(home)
    assert (good.status, good.seen) == (Health.OK, "valid; no champion yet")
    assert bad.status is Health.PROBLEM
    assert "did you mean 'gates'?" in bad.seen


@pytest.mark.parametrize(
    ("installed", "starts"),
    [
        (
            {"prefect": "3.8.8", "SQLAlchemy": "2.1.9"},
            ["prefect 3.8.8 with SQLAlchemy 2.1.9: scheduled runs are never"],
        ),
        (
            {"prefect": "3.9.0", "SQLAlchemy": "2.1.0"},
            ["prefect 3.9.0 with SQLAlchemy 2.1.0: scheduled runs are never"],
        ),
        ({"prefect": "3.8.8", "fastapi": "0.165.0"}, ["prefect 3.8.8 with fastapi 0.165.0: Prefect's server does not"]),
        ({"prefect": "3.8.8", "SQLAlchemy": "2.0.58", "fastapi": "0.150.0"}, []),
        ({"prefect": "3.9.1", "SQLAlchemy": "2.1.9", "fastapi": "0.154.0"}, []),
        ({"SQLAlchemy": "2.1.9", "fastapi": "0.165.0"}, []),
    ],
)
def test_versions_that_are_known_not_to_work_together(
    home: Home, installed: dict[str, str], starts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name in installed:
            return installed[name]
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    findings = list(installation.pairs(home))
    assert [finding.status for finding in findings] == ([Health.PROBLEM] if starts else [Health.OK])
    for finding, start in zip(findings, starts, strict=False):
        assert finding.seen.startswith(start)
        assert re.search(r"pip install '(SQLAlchemy<2\.1|fastapi<0\.155)'", finding.remedy)


def test_what_is_installed_here_works_together(home: Home) -> None:
    assert only(installation.pairs(home)).status is Health.OK


def test_schedules_that_nothing_serves(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(schedules.schedules(home)).seen == "no pipeline here has one"
    folder = tmp_path / "pipelines" / "news"
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(PIPELINE + 'schedule: {cron: "0 3 * * *"}\n', encoding="utf-8")
    assert only(schedules.schedules(home)).seen.startswith("nothing serves schedules now (1 here)")
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    finding = only(schedules.schedules(home))
    assert (finding.status, finding.name) == (Health.WARNING, "schedule news")
    assert "does not answer" in finding.seen


def test_why_another_server_plans_nothing_is_to_be_seen_there(home: Home) -> None:
    why = ticks.reason_without_runs(home, "http://me:secret@prefect.example/api")
    assert "http://***@prefect.example/api" in why.observed
    assert "secret" not in str(why)
    assert "prefect below 3.9.1 with SQLAlchemy 2.1 or newer: scheduled runs are never made" in why.remedy


class Installed(metadata.PathDistribution):
    """A package of a name, with a file of a size."""

    def __init__(self, folder: Path, name: str, size: int) -> None:
        info = folder / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n", encoding="utf-8")
        (info / "RECORD").write_text(f"{name}.so,,{size}\n", encoding="utf-8")
        super().__init__(info)


@pytest.mark.parametrize(
    ("packages", "has_gpu", "health"),
    [
        ({"nvidia-cublas": 900_000_000, "nvidia-cudnn-cu13": 700_000_000, "numpy": 9}, False, Health.WARNING),
        ({"nvidia-cublas": 900_000_000}, True, Health.OK),
        ({"nvidia-ml-py": 90_000}, False, Health.OK),
        ({"numpy": 9_000_000_000}, False, Health.OK),
    ],
)
def test_cuda_s_libraries_are_told_where_no_gpu_answers(
    packages: dict[str, int],
    has_gpu: bool,
    health: Health,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import torch

    there = [Installed(tmp_path, name, size) for name, size in packages.items()]
    monkeypatch.setattr(metadata, "distributions", lambda: there)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    [finding] = cuda_libraries.cuda_libraries(Home(tmp_path / "home"))
    assert finding.status is health
    cuda_libraries.say()
    printed = capsys.readouterr().out
    if health is Health.WARNING:
        assert "2 packages of CUDA libraries (1.6 GB) are installed, and no GPU answers here" in finding.seen
        assert "TORCH_INDEX=…" in finding.remedy
        assert printed == f"Note: {finding.seen}. {finding.remedy}\n"
