from pathlib import Path

import pytest
from promoting import promote
from registry_helpers import Run

from perennial.doctor import Health, services


def test_the_champion_of_a_pipeline_is_loaded(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "pipelines" / run.spec.name / "pipeline.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(run.spec.model_dump_json(), encoding="utf-8")
    assert [found.seen for found in services.pipelines(run.home)] == ["valid; no champion yet"]
    version = run.register()
    promote(run.home, version)
    (found,) = services.pipelines(run.home)
    assert found.status is Health.OK
    assert f"champion is version {version.version}, which loads" in found.seen
    for model in [*run.home.store.root.rglob("model.onnx"), *run.home.mlflow.rglob("model.onnx")]:
        model.write_bytes(b"no model")
    (found,) = services.pipelines(run.home)
    assert found.status is Health.PROBLEM
    assert found.remedy
