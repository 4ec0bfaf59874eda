"""Packages that begin alike share that beginning, and answer as if they did not."""

import dataclasses
import gc
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tiny_model import TINY_LABELS, tiny_spec, tiny_texts, write_tiny_model

from perennial.core.home import Home
from perennial.export import onnx_package
from perennial.inference.package import DESCRIPTION, MODEL, PackageInfo, render, sha256
from perennial.inference.predictor import Predictor, predict_together
from perennial.inference.sharing import cuts, wire
from perennial.inference.sharing.onnx_graph import NotDivisibleError
from perennial.inference.sharing.pool import GraphPool

TEXTS = tiny_texts(30)
HEADS = 4


@pytest.fixture(scope="module", params=["fp32", "int8"])
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real package: a tiny BERT, a mean of its tokens, a linear head."""
    home = Home(tmp_path_factory.mktemp(request.param))
    model = write_tiny_model(home.store.root / "finetune/tiny")
    spec = tiny_spec(request.param, max_drop=0.99)
    made = onnx_package.export(spec, model, TEXTS, [TINY_LABELS[0]] * len(TEXTS), home, data_digest="0" * 64)
    return home.store.root / made.path


def changed(package: Path, folder: Path, weight: str, number: int) -> Path:
    """A copy whose weight of that name (its beginning) is another for another `number`."""
    shutil.copytree(package, folder)
    model = onnx.load(folder / MODEL)
    of_name = [tensor for tensor in model.graph.initializer if tensor.name.startswith(weight) and tensor.data_type == 1]
    draw = np.random.default_rng(number)
    for tensor in of_name:
        values = numpy_helper.to_array(tensor)
        tensor.CopyFrom(
            numpy_helper.from_array(values + draw.normal(size=values.shape).astype(np.float32), tensor.name)
        )
    onnx.save(model, folder / MODEL)
    content = json.loads((folder / DESCRIPTION).read_text())
    fields = {field.name for field in dataclasses.fields(PackageInfo)} & set(content)
    info = PackageInfo(**{name: content[name] for name in fields})
    files = dict(info.files) | {MODEL: sha256(folder / MODEL)}
    (folder / DESCRIPTION).write_bytes(render(dataclasses.replace(info, files=files)))
    return folder


@pytest.fixture
def heads(package: Path, tmp_path: Path) -> list[Path]:
    return [changed(package, tmp_path / str(number), "head.bias", number) for number in range(HEADS)]


def scores(answers: list[dict[str, object]]) -> np.ndarray:
    return np.array([list(dict(answer["scores"]).values()) for answer in answers])  # type: ignore[call-overload]


def test_heads_on_one_encoder_share_it_and_answer_as_alone(heads: list[Path]) -> None:
    pool = GraphPool()
    alone = [Predictor(folder) for folder in heads]
    sharing = [Predictor(folder, pool=pool) for folder in heads]
    assert len({id(one.encoder) for one in sharing}) == 1
    assert len({id(one._tokenizer) for one in sharing}) == 1
    for one, other in zip(alone, sharing, strict=True):
        np.testing.assert_allclose(scores(other.predict(TEXTS)), scores(one.predict(TEXTS)), atol=1e-6)


def test_rows_of_several_models_are_answered_in_one_run(heads: list[Path]) -> None:
    pool = GraphPool()
    sharing = [Predictor(folder, pool=pool) for folder in heads]
    asked = [(one, TEXTS[number : 2 * number + 1]) for number, one in enumerate(sharing)]
    together = predict_together(asked)
    assert [len(answers) for answers in together] == [1, 2, 3, 4]
    # int8 scales a batch's numbers by the largest among them, also alone with one's own neighbours.
    exact = sharing[0].package.precision == "fp32"
    for (one, texts), answers in zip(asked, together, strict=True):
        np.testing.assert_allclose(scores(answers), scores(one.predict(texts)), atol=1e-5 if exact else 0.1)


def test_another_encoder_is_not_shared(package: Path, tmp_path: Path) -> None:
    pool = GraphPool()
    one = Predictor(package, pool=pool)
    # Of the first product onwards; in int8 the scale of its weights, which is float.
    other = Predictor(changed(package, tmp_path / "other", "Attention_0", 1), pool=pool)
    assert one.encoder is not other.encoder
    expected = Predictor(tmp_path / "other").predict(TEXTS)
    np.testing.assert_array_equal(scores(other.predict(TEXTS)), scores(expected))


def test_an_encoder_that_nobody_uses_is_let_go_and_the_last_head_keeps_it(heads: list[Path]) -> None:
    pool = GraphPool()
    first, second = (Predictor(folder, pool=pool) for folder in heads[:2])
    expected = scores(second.predict(TEXTS))
    del first
    gc.collect()
    third = Predictor(heads[2], pool=pool)
    assert third.encoder is second.encoder
    np.testing.assert_array_equal(scores(second.predict(TEXTS)), expected)
    del second, third
    gc.collect()
    assert not len(pool._encoders)
    assert not len(pool._graphs)


def test_the_two_parts_make_the_whole(package: Path) -> None:
    divided = cuts.outline(package / MODEL)
    assert len(divided.cuts) > 3
    nodes = len(divided.graph.nodes)
    for cut in divided.cuts:
        first, second = onnx.load_from_string(divided.first_part(cut)), onnx.load_from_string(divided.second_part(cut))
        # What both compute are the light things alone, as the mask in the form that attention reads.
        assert nodes <= len(first.graph.node) + len(second.graph.node) <= nodes + 15
        weights = {tensor.name for tensor in first.graph.initializer if len(tensor.raw_data) >= cuts.HEAVY}
        assert not weights & {tensor.name for tensor in second.graph.initializer}


def test_names_do_not_matter_and_each_byte_does(package: Path, tmp_path: Path) -> None:
    prints = [cut.print for cut in cuts.outline(package / MODEL).cuts]
    model = onnx.load(package / MODEL)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [name if name in {"input_ids", "attention_mask", "logits", ""} else f"x{name}" for name in names]
    for tensor in model.graph.initializer:
        tensor.name = f"x{tensor.name}"
    onnx.save(model, tmp_path / "renamed.onnx")
    assert [cut.print for cut in cuts.outline(tmp_path / "renamed.onnx").cuts] == prints
    tensor = next(tensor for tensor in model.graph.initializer if len(tensor.raw_data) >= cuts.HEAVY)
    tensor.raw_data = bytes([tensor.raw_data[0] ^ 1]) + tensor.raw_data[1:]
    onnx.save(model, tmp_path / "changed.onnx")
    assert prints[-1] not in {cut.print for cut in cuts.outline(tmp_path / "changed.onnx").cuts}


@pytest.mark.parametrize("content", [b"", b"\xff", b"\x3a\xff\xff\xff\xff\x7f", b"\x0b" * 9, b"\x80" * 20])
def test_what_is_no_graph_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(content)
    with pytest.raises(NotDivisibleError):
        cuts.outline(tmp_path / "broken.onnx")


def test_fields_are_read_as_protobuf_wrote_them() -> None:
    written = wire.integer(1, 300) + wire.field(2, b"abc") + wire.field(300, bytes(8), wire.FIXED64)
    read = list(wire.fields(memoryview(written)))
    assert [(number, kind, bytes(content)) for number, kind, content in read] == [
        (1, wire.VARINT, b"\xac\x02"),
        (2, wire.BYTES, b"abc"),
        (300, wire.FIXED64, bytes(8)),
    ]
    assert wire.number(read[0][2]) == 300
