import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from promoting import promote
from registry_helpers import LABELS, Run, free_port, start, stop

from perennial.inference.predictor import Predictor
from perennial.registry import tracking

TEXTS = ["nobody liked soup", "excellent bread", ""]

# As where Perennial is not installed: neither on the path nor by the hook of an installation in place.
WITHOUT_PERENNIAL = """
import json, sys
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
import mlflow, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
print(json.dumps(model.predict(pandas.DataFrame({"text": json.loads(sys.argv[2])})).to_dict("records")))
import perennial.inference
assert perennial.__file__.endswith("code/perennial/__init__.py"), perennial.__file__
assert not {"torch", "transformers", "perennial.registry", "pydantic_settings"} & set(sys.modules)
try:
    import perennial.settings.pipeline
except ModuleNotFoundError:
    pass
else:
    raise AssertionError("the whole library was found")
"""

WITH_PERENNIAL = """
import sys
import mlflow
mlflow.pyfunc.load_model(sys.argv[1])
import perennial.inference
assert perennial.__file__.endswith("code/perennial/__init__.py"), perennial.__file__
import perennial.settings.pipeline
"""


@pytest.fixture
def promoted(run: Run) -> Run:
    assert promote(run.home, run.register())
    return run


def expected(run: Run, texts: list[str]) -> list[dict[str, Any]]:
    return Predictor(run.home.store.root / run.arguments["package"].path).predict(texts)


def python(script: str, run: Run, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, f"models:/{run.spec.name}@champion", *arguments],
        cwd=run.home.root,
        env=os.environ | {"MLFLOW_TRACKING_URI": tracking.uri(run.home), "MLFLOW_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_champion_loads_where_perennial_is_not_installed(promoted: Run) -> None:
    answers = json.loads(python(WITHOUT_PERENNIAL, promoted, json.dumps(TEXTS)))
    assert answers == expected(promoted, TEXTS)


def test_a_loaded_model_does_not_hide_an_installed_perennial(promoted: Run) -> None:
    python(WITH_PERENNIAL, promoted)


def test_the_champion_answers_here_too(promoted: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow
    import pandas as pd

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri(promoted.home))
    model = mlflow.pyfunc.load_model(f"models:/{promoted.spec.name}@champion")
    assert model.predict(pd.DataFrame({"text": TEXTS})).to_dict("records") == expected(promoted, TEXTS)
    assert len(model.predict(pd.DataFrame({"text": pd.Series([], dtype=str)}))) == 0
    with pytest.raises(mlflow.MlflowException, match="text"):
        model.predict(pd.DataFrame({"words": TEXTS}))


def test_the_signature_names_text_label_score_and_scores(promoted: Run) -> None:
    from mlflow.models import Model

    (file,) = (promoted.home.mlflow / "artifacts").rglob("MLmodel")
    signature = Model.load(file).signature
    assert signature.inputs.to_dict() == [{"name": "text", "type": "string", "required": True}]
    label, score, scores = signature.outputs.to_dict()
    assert (label["name"], label["type"]) == ("label", "string")
    assert (score["name"], score["type"]) == ("score", "double")
    assert set(scores["properties"]) == set(LABELS)
    requirements = (file.parent / "requirements.txt").read_text().split()
    assert [line.partition("==")[0] for line in requirements] == [
        "mlflow",
        "numpy",
        "onnxruntime",
        "pandas",
        "tokenizers",
    ]
    assert all("==" in line for line in requirements)
    kept = {path.name for path in (file.parent / "code" / "perennial").iterdir()}
    assert kept == {"__init__.py", "core", "inference"}
    core = {path.name for path in (file.parent / "code" / "perennial" / "core").iterdir()}
    carried = {"errors.py", "masking.py", "model_families.py", "plugins.py", "telemetry.py"}
    assert core == {"__init__.py", *carried}


def test_mlflow_serves_the_champion(promoted: Run, tmp_path: Path) -> None:
    port = free_port()
    model = ["models", "serve", "-m", f"models:/{promoted.spec.name}@champion", "--env-manager", "local"]
    server = start(model, port, tmp_path / "log", MLFLOW_TRACKING_URI=tracking.uri(promoted.home))
    try:
        records = [{"text": text} for text in TEXTS]
        assert post(port, {"dataframe_records": records}) == (200, {"predictions": expected(promoted, TEXTS)})
        assert post(port, {"inputs": {"text": TEXTS}}) == (200, {"predictions": expected(promoted, TEXTS)})
        status, answer = post(port, {"dataframe_records": [{"text": None}]})
        assert status == 400, answer
    finally:
        stop(server)


def post(port: int, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
