"""The predictor answers every text, in order, whatever it is, without what trained the model."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_model import TINY_LABELS, TINY_WORDS, tiny_texts

from perennial.core.errors import PackageError
from perennial.inference import cpu, package
from perennial.inference.predictor import Predictor
from perennial.inference.runtime import Graph

TEXTS = st.lists(st.lists(st.sampled_from(TINY_WORDS), max_size=20).map(" ".join), min_size=1, max_size=30)


@pytest.fixture(scope="module", params=[1, 2])
def predictor(_tiny_package: tuple[Path, object], request: pytest.FixtureRequest) -> Predictor:
    return Predictor(_tiny_package[0], threads=request.param)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS, budget=st.sampled_from([1, 20, 64, 4096]), data=st.data())
def test_a_row_gets_the_same_answer_wherever_it_stands(
    predictor: Predictor, texts: list[str], budget: int, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(texts))
    together = np.stack(predictor.outputs(shuffled, tokens_per_batch=budget))
    alone = np.concatenate([predictor.outputs([text]) for text in shuffled])
    assert together.shape == (len(texts), len(TINY_LABELS))
    assert np.abs(together - alone).max() < 1e-4


def test_no_texts_give_no_answers(predictor: Predictor) -> None:
    assert predictor.predict([]) == []
    assert predictor.outputs([]) == []


@pytest.mark.parametrize("text", ["", " ", "\0", "😀" * 50, "profit " * 1_500_000, "\ud83d", "x" * 5_000])
def test_any_text_is_answered(predictor: Predictor, text: str) -> None:
    answer, other = predictor.predict([text, "profit"])
    assert answer["label"] in TINY_LABELS
    assert sum(answer["scores"].values()) == pytest.approx(1, abs=1e-6)
    assert other["label"] == predictor.predict(["profit"])[0]["label"]
    json.dumps(answer, allow_nan=False)


def test_one_string_is_no_list_of_texts(predictor: Predictor) -> None:
    with pytest.raises(TypeError, match="got one string; put it in a list"):
        predictor.predict("profit")


def test_progress_counts_to_the_end(predictor: Predictor) -> None:
    heard: list[tuple[int, int]] = []
    predictor.predict(tiny_texts(50), tokens_per_batch=64, on_progress=lambda *seen: heard.append(seen))
    assert [total for _, total in heard] == [50] * len(heard)
    assert [done for done, _ in heard] == sorted({done for done, _ in heard})
    assert heard[-1] == (50, 50)


def test_the_provider_is_the_one_really_used(predictor: Predictor) -> None:
    assert predictor.provider in {"CPUExecutionProvider", "CUDAExecutionProvider"}
    assert predictor.missing_cpu_features == ()


def test_an_int8_package_from_a_cpu_that_adds_wider_says_so_on_a_lesser_one(
    tiny_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "_flags", lambda: {"avx2", "fma"})
    monkeypatch.setattr(cpu.platform, "machine", lambda: "x86_64")

    def doubt(**changes: object) -> str:
        made = Predictor(tiny_package)
        made.package = dataclasses.replace(made.package, **changes)  # type: ignore[arg-type]
        return made.cpu_doubt

    vnni = ("x86_64", "avx2", "avx512_vnni")
    assert "a CPU with avx512_vnni, and this one has none of the like" in doubt(precision="int8", cpu_features=vnni)
    assert doubt(precision="fp32", cpu_features=vnni) == ""
    assert doubt(precision="int8", cpu_features=("x86_64", "avx2")) == "", "its weights have 7 bits"
    monkeypatch.setattr(cpu, "_flags", lambda: {"avx2", "avx_vnni"})
    assert doubt(precision="int8", cpu_features=vnni) == ""


def test_outputs_that_are_no_numbers_are_no_answer(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Graph, session: object, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.full((len(ids), 3), np.nan, np.float32)

    monkeypatch.setattr(Graph, "_run", broken)
    with pytest.raises(PackageError, match=r"no finite numbers for 2 of 2 texts \(positions 0, 1\)"):
        predictor.predict(["profit", "loss"])


def test_runs_on_each_core_give_what_one_run_after_the_other_gives(tiny_package: Path) -> None:
    texts = tiny_texts(60)
    one, several = (Predictor(tiny_package, threads=threads) for threads in (1, 3))
    for budget in (16, 64, 10_000):
        expected = np.stack(one.outputs(texts, tokens_per_batch=budget))
        assert np.abs(np.stack(several.outputs(texts, tokens_per_batch=budget)) - expected).max() < 1e-5


def test_a_run_that_fails_among_others_is_told(tiny_package: Path) -> None:
    graph = Graph(tiny_package / "model.onnx", pad_id=0, threads=2)
    unknown = [np.full(length, 10_000, np.int32) for length in range(1, 40)]
    with pytest.raises(PackageError, match=r"could not run the model on a batch of 1 × 39 tokens"):
        graph.outputs_of(unknown, tokens_per_batch=40)
    assert np.isfinite(graph.outputs_of([np.array([5, 6])])[0]).all()


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(PackageError, match=r"could not load .*model\.onnx"):
        Graph(path, pad_id=0)


def test_cores_and_features_are_those_of_this_process() -> None:
    assert 1 <= cpu.cores() <= (os.cpu_count() or 1)
    assert len(cpu.cpu_features()) >= 1


WITHOUT = """
import sys
BLOCKED = {"torch", "transformers", "prefect", "mlflow", "pydantic", "pyarrow", "pandas", "onnx", "datasets",
           "great_expectations", "sklearn", "duckdb", "huggingface_hub", "safetensors", "scipy"}
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Blocker())
import json
from pathlib import Path
from perennial.inference.predictor import Predictor
print(json.dumps(Predictor(Path(sys.argv[1])).predict(json.loads(sys.argv[2]))))
assert not BLOCKED & set(sys.modules)
"""


def test_it_needs_nothing_but_numpy_onnxruntime_and_tokenizers(tiny_package: Path, tmp_path: Path) -> None:
    texts = ["profit rose", "loss"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(package.__file__).parents[2])}
    environment |= {"HOME": str(tmp_path / "person"), "XDG_CACHE_HOME": str(tmp_path / "person" / "cache")}
    (tmp_path / "person").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tiny_package), json.dumps(texts)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [row["label"] for row in json.loads(done.stdout)] == [
        row["label"] for row in Predictor(tiny_package).predict(texts)
    ]
    # ONNX Runtime's telemetry would have left a database there.
    assert list((tmp_path / "person").rglob("*")) == []
