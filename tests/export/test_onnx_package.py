"""Export packs the model that was trained, and falls back to fp32, in so many words, where less would cost too much."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tiny_model import TINY_LABELS, TINY_MAX_LENGTH, tiny_spec, tiny_texts

from perennial.core import progress
from perennial.core.errors import ExportError
from perennial.core.home import Home
from perennial.export import graph, parity, quantization
from perennial.export.onnx_package import export
from perennial.inference import package
from perennial.inference.predictor import Predictor
from perennial.inference.tokenization import Tokenizer
from perennial.records.package import OnnxPackage
from perennial.records.training import TrainedModel
from perennial.training.model import load_model, outputs_of

TEXTS = tiny_texts(300)
DATA = "d" * 64


class Notes:
    """Keeps what a step reports."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.stages: list[str] = []

    def advance(self, done: float, total: float | None, unit: str, detail: str) -> None:
        self.stages.append(detail)

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture(scope="session")
def targets(_tiny_home: tuple[Home, TrainedModel]) -> list[str]:
    """The trained model's own answers, so that fp32 is right about everything."""
    home, model = _tiny_home
    folder = home.store.root / model.path
    rows, _ = Tokenizer(folder / "tokenizer.json", TINY_MAX_LENGTH).encode(TEXTS)
    outputs = outputs_of(load_model(folder), rows, 0, parity.TOKENS_PER_BATCH)
    return [TINY_LABELS[best] for best in np.stack(outputs).argmax(axis=1)]


Make = Callable[..., OnnxPackage]


@pytest.fixture
def make(tiny_home: tuple[Home, TrainedModel], targets: list[str]) -> Make:
    home, model = tiny_home

    def made(precision: str = "int8", max_drop: float = 0.2) -> OnnxPackage:
        return export(tiny_spec(precision, max_drop), model, TEXTS, targets, home, data_digest=DATA)

    return made


@pytest.fixture
def root(tiny_home: tuple[Home, TrainedModel]) -> Path:
    return tiny_home[0].store.root


def nodes(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def test_the_fp32_package_answers_as_the_trained_model(
    make: Make, root: Path, tiny_home: tuple[Home, TrainedModel], targets: list[str]
) -> None:
    packed = make("fp32")
    assert (packed.precision, packed.fallback) == ("fp32", None)
    assert packed.parity["rows"] == 300
    assert packed.parity["max_logit_difference"] <= 1e-3
    folder = root / packed.path
    assert sorted(path.name for path in folder.iterdir()) == ["model.onnx", "package.json", "tokenizer.json"]
    assert packed.size_bytes == sum(path.stat().st_size for path in folder.iterdir())
    predictor = Predictor(folder)
    assert predictor.package.digest == packed.digest
    assert [answer["label"] for answer in predictor.predict(TEXTS)] == targets
    assert (root.parent / "store" / "export").is_dir()
    assert not [path for path in folder.parent.iterdir() if path.is_dir() and path != folder]


def test_nodes_are_fused_and_counted(make: Make, root: Path) -> None:
    folder = root / make("fp32").path
    fused = package.read_package(folder).graph["fused"]
    assert fused == {"EmbedLayerNormalization": 1, "Attention": 2, "Gelu": 2, "LayerNormalization": 4}
    there = nodes(folder / "model.onnx")
    assert all(there[name] == count for name, count in fused.items())


def test_int8_is_quantized_and_measured(make: Make, root: Path) -> None:
    packed = make("int8")
    assert (packed.precision, packed.fallback) == ("int8", None)
    info = package.read_package(root / packed.path)
    there = nodes(root / packed.path / "model.onnx")
    # Per layer: attention's projection, its output, and two of the feed-forward network; then the head.
    assert info.graph["lowered"]["QAttention"] == there["QAttention"] == 2
    assert info.graph["lowered"]["MatMulInteger"] == there["MatMulInteger"] == 3 * 2 + 1
    assert info.graph["lowered"]["QEmbedLayerNormalization"] == 1
    measured = info.parity["int8"]
    assert 0.8 < measured["agreement"] <= 1
    assert 0.8 < measured["alone_agreement"] <= 1
    # The targets are fp32's answers, so the share of changed answers is the accuracy lost.
    assert measured["change"]["accuracy"] == pytest.approx(measured["agreement"] - 1, abs=1e-6)
    assert set(measured["label_change"]) == set(TINY_LABELS)
    assert packed.parity["int8_accuracy_change"] == measured["change"]["accuracy"]
    assert Predictor(root / packed.path).predict(["profit"])[0]["label"] in TINY_LABELS


def test_fp16_halves_the_weights_and_keeps_fp32_outside(make: Make, root: Path) -> None:
    packed = make("fp16")
    assert (packed.precision, packed.fallback) == ("fp16", None)
    assert package.read_package(root / packed.path).graph["lowered"]["float16 weights"] > 0
    assert Predictor(root / packed.path).outputs(["profit"])[0].dtype == np.float32


def test_package_json_is_complete_and_the_same_each_time(
    make: Make, root: Path, tmp_path: Path, tiny_home: tuple[Home, TrainedModel]
) -> None:
    first = make("int8")
    raw = (root / first.path / "package.json").read_bytes()
    entry = (root / first.path).parent
    entry.rename(tmp_path / "first")
    again = make("int8")
    assert again == first
    assert (root / again.path / "package.json").read_bytes() == raw
    content = json.loads(raw)
    assert content["base"] == "tiny"
    assert content["data_digest"] == DATA
    assert {"torch", "onnx", "onnxruntime"} <= {name.removesuffix("-gpu") for name in content["created_with"]}
    assert content["cpu_features"]
    assert str(tmp_path).encode() not in raw


def test_the_same_export_is_not_made_twice(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make("fp32")
    monkeypatch.setattr(graph, "trace", lambda *_, **__: pytest.fail("traced again"))
    assert make("fp32") == first


def test_too_large_a_drop_falls_back_to_fp32_and_says_so(
    make: Make, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower = quantization.lower_precision

    def sabotaged(source: Path, target: Path, *how: Any) -> dict[str, int]:
        done = lower(source, target, *how)
        change_weights(target, lambda values: np.random.default_rng(0).permutation(values))
        return done

    monkeypatch.setattr(quantization, "lower_precision", sabotaged)
    listener = Notes()
    with progress.heard_by(listener):
        packed = make("int8", 0.01)
    assert packed.precision == "fp32"
    assert packed.fallback is not None
    assert "int8 loses" in packed.fallback or "int8 answers label" in packed.fallback
    assert "fp32 is packed" in packed.fallback
    assert listener.notes == [f"The package is fp32: {packed.fallback.removesuffix('; fp32 is packed.')}."]
    info = package.read_package(root / packed.path)
    assert info.fallback == packed.fallback
    assert info.parity["int8"]["agreement"] < 0.99
    assert "QAttention" not in nodes(root / packed.path / "model.onnx")


def test_what_per_channel_loses_is_tried_in_blocks_before_fp32(
    make: Make, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower = quantization.lower_precision
    tried: dict[str, dict[str, int]] = {}

    def sabotaged(source: Path, target: Path, precision: str, recipe: str, *more: Any) -> dict[str, int]:
        tried[recipe] = lower(source, target, precision, recipe, *more)
        if recipe == quantization.PER_CHANNEL:
            change_weights(target, lambda values: np.full_like(values, np.nan))
        return tried[recipe]

    monkeypatch.setattr(quantization, "lower_precision", sabotaged)
    packed = make("int8", 1.0)
    assert list(tried) == [quantization.PER_CHANNEL, quantization.BLOCKWISE]
    assert "MatMulNBits" not in tried[quantization.PER_CHANNEL]
    assert tried[quantization.BLOCKWISE]["MatMulNBits"] > 0
    assert (packed.precision, packed.fallback) == ("int8", None)
    info = package.read_package(root / packed.path)
    assert info.graph["recipe"] == quantization.BLOCKWISE
    assert any(note.startswith("per channel: ") for note in info.graph["notes"])


def test_the_drop_is_named_with_its_numbers(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity.ParitySample, "measure", worse_each_time(parity.ParitySample.measure))
    packed = make("int8", 0.0)
    assert packed.fallback is not None
    assert "of accuracy on 300 validation rows (fp32 1.0000, int8 0.5000), more than export.max_drop 0" in (
        packed.fallback
    )


def worse_each_time(measure: Callable[..., Any]) -> Callable[..., Any]:
    calls: list[int] = []

    def measured(self: parity.ParitySample, answers: parity.ParityAnswers) -> Any:
        calls.append(1)
        metrics = measure(self, answers)
        return metrics.model_copy(update={"values": {**metrics.values, "accuracy": 1.0 / len(calls)}})

    return measured


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda values: np.full_like(values, np.nan), "not all finite"),
        (lambda values: np.zeros_like(values), "int8 answers label '"),
    ],
)
def test_a_useless_int8_model_is_not_packed(
    make: Make, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[np.ndarray], np.ndarray], reason: str
) -> None:
    lower = quantization.lower_precision

    def sabotaged(source: Path, target: Path, *how: Any) -> dict[str, int]:
        done = lower(source, target, *how)
        change_weights(target, spoil)
        return done

    monkeypatch.setattr(quantization, "lower_precision", sabotaged)
    packed = make("int8", 1.0)
    assert packed.precision == "fp32"
    assert reason in str(packed.fallback)


def change_weights(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Change the scales by which a quantized graph's products are made fp32 again, and its head's weights."""
    model = onnx.load(path)
    for weights in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weights)
        if "_scale" in weights.name and values.size > 1:
            weights.CopyFrom(onnx.numpy_helper.from_array(change(values), weights.name))
    onnx.save_model(model, path)


def test_a_quantizer_that_fails_is_no_failed_run(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such operator\nsecond line")

    monkeypatch.setattr(quantization, "lower_precision", broken)
    assert make("int8").fallback == "making int8 failed (RuntimeError: no such operator); fp32 is packed."


def test_a_full_disk_is_no_reason_to_fall_back(make: Make, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = sorted((root / "export").glob("*"))
    monkeypatch.setattr(quantization, "lower_precision", full)
    with pytest.raises(Exception, match="is full: step 'export' could not write"):
        make("int8")
    assert sorted((root / "export").glob("*")) == before
    assert not list((root / "export").glob(".*"))


def test_a_graph_that_disagrees_is_refused_with_the_difference(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = outputs_of

    def off_by_a_little(*arguments: Any, **options: Any) -> list[np.ndarray]:
        outputs = reference(*arguments, **options)
        outputs[41][1] += 0.25
        return outputs

    monkeypatch.setattr("perennial.training.model.outputs_of", off_by_a_little)
    with pytest.raises(ExportError, match=r"differ by up to 0\.25 \(text 41 of 300\), at most 0\.001"):
        make("fp32")


def test_a_fused_graph_that_disagrees_gives_way_to_the_plain_one(
    make: Make, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fuse = graph.fuse

    def wrong(plain: Path, target: Path, config: Path) -> graph.Fusion:
        fused = fuse(plain, target, config)
        model = onnx.load(target)
        head = next(weights for weights in model.graph.initializer if weights.name.endswith("head.bias"))
        head.CopyFrom(onnx.numpy_helper.from_array(np.array([1, 0, 0], np.float32), head.name))
        onnx.save_model(model, target)
        return fused

    monkeypatch.setattr(graph, "fuse", wrong)
    listener = Notes()
    with progress.heard_by(listener):
        info = package.read_package(root / make("fp32").path)
    assert info.graph["fused"] == {}
    assert "the fused graph differs from the model" in info.graph["notes"][0]
    assert "which costs speed" in listener.notes[0]
    assert nodes(root / make("fp32").path / "model.onnx")["Attention"] == 0


def test_without_validation_rows_nothing_is_exported(tiny_home: tuple[Home, TrainedModel]) -> None:
    home, model = tiny_home
    with pytest.raises(ExportError, match=r"no validation row .* Raise data\.splits\.validation"):
        export(tiny_spec(), model, [], [], home, data_digest=DATA)


def test_a_model_of_other_labels_is_refused(tiny_home: tuple[Home, TrainedModel]) -> None:
    home, model = tiny_home
    spec = tiny_spec()
    data = spec.data.model_copy(update={"labels": ("one", "two")})
    with pytest.raises(ExportError, match="The trained model has 3 outputs; 2 labels need 2"):
        export(spec.model_copy(update={"data": data}), model, TEXTS, ["one"] * 300, home, data_digest=DATA)


def test_progress_names_each_stage(make: Make) -> None:
    listener = Notes()
    with progress.heard_by(listener):
        make("int8")
    assert listener.stages[0] == "tracing"
    assert listener.stages[-1] == "comparing with fp32"
