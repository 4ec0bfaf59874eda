"""A cascade: easy rows are answered by a linear model, the others by the transformer, and little is lost by it."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import TINY_LABELS, TINY_MAX_LENGTH, tiny_spec, tiny_texts

from perennial import kinds
from perennial.core import digest
from perennial.core.errors import PackageError, SpecError
from perennial.core.home import Home
from perennial.export import linear_cascade, onnx_package
from perennial.inference import cascade, package
from perennial.inference.predictor import Predictor
from perennial.inference.tokenization import Tokenizer
from perennial.pipeline_file import loader
from perennial.records.data import EncodedData, EncodedPart
from perennial.records.package import OnnxPackage
from perennial.records.training import TrainedModel
from perennial.settings.export import CascadeSpec
from perennial.training.encoding.dataset import EncodedRows
from perennial.training.encoding.row_encoding import ROWS

WORDS = {"negative": "loss", "neutral": "plant", "positive": "profit"}


def told(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Texts whose label a word tells, and their labels."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    labels = [TINY_LABELS[number % 3] for number in range(count)]
    fillers = ("the", "of", "company", "net", "shares")
    texts = [" ".join(draw.sample([WORDS[label], *draw.choices(fillers, k=4)], 5)) for label in labels]
    return texts, labels


def encoded(home: Home, tokenizer: Path, texts: list[str], labels: list[str]) -> EncodedData:
    """`texts` and `labels` as the encoding step leaves train rows."""
    import pyarrow as pa

    ids, _ = Tokenizer(tokenizer, TINY_MAX_LENGTH).encode(texts)
    numbers = pa.array([TINY_LABELS.index(label) for label in labels], pa.int64())
    batch = pa.record_batch({"input_ids": pa.array(ids, pa.list_(pa.int32())), "target": numbers})
    folder = home.store.root / "encode" / "known"
    folder.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_file(folder / ROWS, batch.schema) as writer:
        writer.write_batch(batch)
    known = digest.of_file(folder / ROWS)
    part = EncodedPart(path="encode/known", digest=known, rows=len(texts), truncated=0)
    return EncodedData(digest=known, parts=(part,), rows=len(texts), truncated=0, tokenizer_path="")


@pytest.fixture
def made(tiny_home: tuple[Home, TrainedModel]) -> tuple[Home, OnnxPackage, EncodedData]:
    """A home with the tiny model's package, and train rows whose label a word tells."""
    home, model = tiny_home
    texts = tiny_texts(64)
    plain = onnx_package.export(tiny_spec(), model, texts, [TINY_LABELS[0]] * 64, home, data_digest="d" * 64)
    return home, plain, encoded(home, home.store.root / model.path / "tokenizer.json", *told(300, 1))


def put_before(
    made: tuple[Home, OnnxPackage, EncodedData], targets: list[str] | None = None, max_loss: float = 0.0
) -> OnnxPackage:
    home, plain, rows = made
    texts, labels = told(90, 2)
    wanted = CascadeSpec(max_loss=max_loss)
    return linear_cascade.put_before(tiny_spec(), wanted, plain, rows, texts, targets or labels, home)


def test_easy_rows_are_answered_by_the_linear_model_alone(
    made: tuple[Home, OnnxPackage, EncodedData], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, plain, _ = made
    packed = put_before(made)
    figures = packed.cascade
    assert figures is not None
    assert figures.threshold is not None
    # The tiny model was never trained, and the linear model is always right.
    assert figures.share == figures.together == 1 > figures.alone
    assert figures.sentence in packed.remarks
    folder = home.store.root / packed.path
    info = package.read_package(folder, digest=packed.digest)
    assert info.cascade == figures.model_dump()
    assert info.files["linear.npy"] == package.sha256(folder / "linear.npy")
    before = package.read_package(home.store.root / plain.path)
    assert {name: info.files[name] for name in before.files} == before.files

    predictor = Predictor(folder)
    texts, labels = told(90, 2)
    heard: list[tuple[int, int]] = []
    with monkeypatch.context() as patch:
        patch.setattr("perennial.inference.runtime.Graph._run", None)
        answers = predictor.predict(texts, on_progress=lambda *seen: heard.append(seen))
        assert predictor.predict([]) == []
    assert [answer["label"] for answer in answers] == labels
    assert heard == [(90, 90)]
    for answer in answers:
        assert sum(answer["scores"].values()) == pytest.approx(1, abs=1e-6)
        assert answer["score"] == max(answer["scores"].values()) >= figures.threshold - 1e-6
    json.dumps(answers, allow_nan=False)


def test_the_others_are_answered_as_without_a_cascade(made: tuple[Home, OnnxPackage, EncodedData]) -> None:
    home, plain, _ = made
    packed = put_before(made)
    alone, together = (Predictor(home.store.root / one.path) for one in (plain, packed))
    unsure = ["", "the of company", "loss profit plant", "order growth rose fell"]
    sure, labels = told(6, 4)
    texts = [text for pair in zip(sure, [*unsure, *unsure[:2]], strict=True) for text in pair]
    heard: list[tuple[int, int]] = []
    outputs = together.predict(texts, tokens_per_batch=20, on_progress=lambda *seen: heard.append(seen))
    assert [answer["label"] for answer in outputs[::2]] == labels
    assert heard[0][0] >= 6
    assert heard[-1] == (12, 12)
    graph = together._model
    assert isinstance(graph, cascade.Cascade)
    hard = [place for place, text in enumerate(texts) if not graph._easy(together._encoded([text]).segments)]
    assert hard
    for place in hard:
        expected = alone.predict([texts[place]])[0]
        assert outputs[place]["label"] == expected["label"]
        assert outputs[place]["scores"] == pytest.approx(expected["scores"], abs=1e-5)
        assert together.predict([texts[place]])[0]["scores"] == pytest.approx(expected["scores"], abs=1e-5)


def test_a_linear_model_that_may_answer_nothing_is_left_out(
    made: tuple[Home, OnnxPackage, EncodedData], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear_cascade, "threshold", lambda *_: None)
    packed, plain = put_before(made), made[1]
    figures = packed.cascade
    assert figures is not None
    assert (packed.path, packed.digest) == (plain.path, plain.digest)
    assert (figures.share, figures.together) == (0, figures.alone)
    assert packed.remarks == (figures.sentence,)
    assert "answers nothing" in figures.sentence
    assert plain.remarks == ()


def test_the_same_gives_the_same_bytes(made: tuple[Home, OnnxPackage, EncodedData]) -> None:
    first = put_before(made)
    assert put_before(made) == first
    made[0].store.forget(linear_cascade.STEP, Path(first.path).parts[1])
    assert put_before(made) == first
    assert put_before(made, max_loss=0.5).path != first.path


def test_a_package_without_a_cascade_is_what_it_was(tiny_package: Path) -> None:
    described = json.loads((tiny_package / "package.json").read_bytes())
    assert described["format"] == 1
    assert "cascade" not in described
    assert package.read_package(tiny_package).cascade is None


def test_a_package_with_one_says_so_to_older_readers(made: tuple[Home, OnnxPackage, EncodedData]) -> None:
    packed = put_before(made)
    assert json.loads((made[0].store.root / packed.path / "package.json").read_bytes())["format"] == 2


@pytest.mark.parametrize(
    "weights",
    [np.zeros((4, 3), np.float32), np.zeros((5, 2), np.float32), np.zeros((5, 3)), np.zeros(5, np.float32)],
    ids=["no power of two", "other labels", "float64", "no table"],
)
def test_another_model_in_its_place_is_refused(
    weights: np.ndarray, made: tuple[Home, OnnxPackage, EncodedData]
) -> None:
    from perennial.export import package_writer

    folder = made[0].store.root / put_before(made).path
    info = package.read_package(folder)
    np.save(folder / "linear.npy", weights)
    with pytest.raises(PackageError, match=r"linear\.npy has sha256"):
        Predictor(folder)
    package_writer.write_package(folder, info)
    with pytest.raises(PackageError, match="does not hold the linear model of a cascade"):
        Predictor(folder)
    # A file whose reading would run what somebody put into it, were it read as a pickle.
    np.save(folder / "linear.npy", np.array([{}]), allow_pickle=True)
    package_writer.write_package(folder, info)
    with pytest.raises(PackageError, match=r"linear\.npy does not hold"):
        Predictor(folder)
    (folder / "linear.npy").unlink()
    with pytest.raises(PackageError, match=r"linear\.npy is missing"):
        Predictor(folder)


@given(
    rows=st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.booleans()), min_size=1, max_size=60),
    max_loss=st.sampled_from([0.0, 0.05, 0.5]),
)
def test_the_threshold_gives_as_many_rows_away_as_may_be(rows: list[tuple[int, bool, bool]], max_loss: float) -> None:
    sureness, own, other = (np.array(column) for column in zip(*rows, strict=True))
    found = linear_cascade.threshold(sureness / 10, own, other, max_loss)

    def lost(least: float) -> float:
        return float(other.mean() - np.where(sureness / 10 >= least, own, other).mean())

    allowed = [least for least in np.unique(sureness / 10) if lost(least) <= max_loss + 1e-9]
    assert (found is None) == (not allowed)
    if found is not None:
        assert lost(found) <= max_loss + 1e-9
        assert (sureness / 10 >= found).sum() == (sureness / 10 >= min(allowed)).sum()


@given(st.lists(st.lists(st.integers(0, 1 << 20), max_size=12), max_size=12), st.integers(1, 6))
def test_a_rows_outputs_do_not_depend_on_its_neighbours(rows: list[list[int]], at_once: int) -> None:
    segments = [np.array(row, np.int32) for row in rows]
    linear = cascade.Linear(np.random.default_rng(5).normal(size=(33, 3)).astype(np.float32))
    together = linear.logits(segments)
    assert together.shape == (len(rows), 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cascade, "FEATURES_AT_ONCE", at_once)
        assert np.array_equal(linear.logits(segments), together)
    for segment, outputs in zip(segments, together, strict=True):
        assert np.array_equal(linear.logits([segment])[0], outputs)


def test_buckets_are_used_evenly_and_pairs_have_their_order() -> None:
    ids = np.arange(30_000, dtype=np.int32)
    _, buckets = cascade.hashed_features([ids], 256)
    counts = np.bincount(buckets, minlength=256)
    assert len(buckets) == 59_999
    assert counts.min() > 0.5 * counts.mean()
    one, other = (set(cascade.hashed_features([np.array(row)], 1 << 18)[1].tolist()) for row in ([5, 6], [6, 5]))
    assert len(one & other) == 2
    assert len(one ^ other) == 2


@pytest.mark.parametrize("labels", [1, 2, 3])
def test_it_is_fitted_on_whatever_labels_there_are(labels: int, made: tuple[Home, OnnxPackage, EncodedData]) -> None:
    home, plain, _ = made
    texts, answers = told(60, 5)
    tokenizer = home.store.root / plain.path / "tokenizer.json"
    kept = [place for place, label in enumerate(answers) if label in TINY_LABELS[:labels]]
    rows = encoded(home, tokenizer, [texts[place] for place in kept], [answers[place] for place in kept])
    weights = linear_cascade.fit(EncodedRows(rows, home.store.root), 3)
    assert np.isfinite(weights).all()
    ids, _ = Tokenizer(tokenizer, TINY_MAX_LENGTH).encode([texts[place] for place in kept])
    outputs = cascade.Linear(weights).logits(ids)
    assert [TINY_LABELS[place] for place in outputs.argmax(axis=1)] == [answers[place] for place in kept]


def test_many_rows_are_thinned(made: tuple[Home, OnnxPackage, EncodedData], monkeypatch: pytest.MonkeyPatch) -> None:
    home, _, rows = made
    seen = []

    def counted(segments: list[np.ndarray], buckets: int) -> tuple[np.ndarray, np.ndarray]:
        seen.append(len(segments))
        return cascade.hashed_features(segments, buckets)

    monkeypatch.setattr(linear_cascade, "hashed_features", counted)
    linear_cascade.fit(EncodedRows(rows, home.store.root), 3)
    monkeypatch.setattr(linear_cascade, "MOST_ROWS", 80)
    linear_cascade.fit(EncodedRows(rows, home.store.root), 3)
    monkeypatch.setattr(linear_cascade, "MOST_FEATURES", 1000)
    linear_cascade.fit(EncodedRows(rows, home.store.root), 3)
    assert seen[:2] == [300, 75]
    assert seen[2] < 75
    assert linear_cascade._buckets(3) == 1 << 18
    assert linear_cascade._buckets(1000) * 1000 <= linear_cascade.MOST_WEIGHTS


@pytest.mark.parametrize("name", kinds.names())
def test_only_one_kind_has_cascades(name: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "name": "tiny",
        "kind": name,
        "data": {"source": {"type": "file", "path": "rows.jsonl"}},
        "export": {"cascade": {"max_loss": 0.01}},
        "gates": [{"metric": kinds.kind_named(name).headline_metric, "min": 0.5}],
    }
    if name != "regression":
        settings["data"]["labels"] = ["a", "b"]
    path = tmp_path / "pipeline.yaml"
    path.write_text(json.dumps(settings))
    if name == "text-classification":
        assert loader.read_pipeline(path).export.cascade == CascadeSpec(max_loss=0.01)
    else:
        with pytest.raises(SpecError, match=f"{name} has no cascade, only text-classification has"):
            loader.read_pipeline(path)
    with pytest.raises(SpecError, match=r"export\.cascade\.max_loss"):
        loader.read_pipeline(path, ["export.cascade.max_loss=2"])
