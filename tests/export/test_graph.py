"""Graphs: any batch and length, fused where the patterns fit, weights beside the graph where they are too large."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tiny_model import TINY_LABELS

from perennial.core.errors import ExportError, PackageError
from perennial.core.home import Home
from perennial.export import graph
from perennial.inference.runtime import Graph
from perennial.records.training import TrainedModel
from perennial.training.model import load_model


@pytest.fixture
def source(tiny_home: tuple[Home, TrainedModel]) -> Path:
    home, model = tiny_home
    return home.store.root / model.path


@pytest.fixture
def plain(source: Path, tmp_path: Path) -> Path:
    path = tmp_path / "plain.onnx"
    graph.trace(load_model(source, attention="eager"), path, 0)
    return path


@pytest.mark.parametrize("shape", [(1, 1), (1, 16), (7, 13), (3, 2)])
def test_rows_and_tokens_may_be_any_number(plain: Path, source: Path, tmp_path: Path, shape: tuple[int, int]) -> None:
    fusion = graph.fuse(plain, tmp_path / "fused.onnx", source / "config.json")
    assert fusion.path
    ids = np.random.default_rng(0).integers(4, 60, shape)
    mask = np.ones_like(ids)
    mask[1:, -1:] = 0
    with torch.inference_mode():
        expected = load_model(source)(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    for path in (plain, fusion.path):
        seen = Graph(path, pad_id=0, threads=1).run(ids, mask)
        assert seen.shape == (shape[0], len(TINY_LABELS))
        assert np.abs(seen - expected).max() < 1e-3


def test_an_architecture_that_no_fusion_fits_keeps_its_graph(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"hidden_size": 4}')
    path = tmp_path / "plain.onnx"
    graph.trace(Bag(), path, 0)
    fusion = graph.fuse(path, tmp_path / "fused.onnx", config)
    assert (fusion.path, fusion.nodes) == (None, {})
    assert fusion.given_up == "no fusion fits this architecture"


class Bag(torch.nn.Module):
    """A sum of embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(60, 3)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return (self.embedding(input_ids) * attention_mask.unsqueeze(-1)).sum(1)


def test_a_graph_that_optimizers_choke_on_is_not_fused(tmp_path: Path) -> None:
    path, config = tmp_path / "plain.onnx", tmp_path / "config.json"
    path.write_bytes(b"no graph")
    config.write_text("{}")
    assert "fusing failed" in str(graph.fuse(path, tmp_path / "fused.onnx", config).given_up)


class Untraceable(torch.nn.Module):
    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("not on this path")


def test_a_model_that_torch_cannot_trace_says_so(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"could not export the model to ONNX \(RuntimeError: not on this path\)"):
        graph.trace(Untraceable(), tmp_path / "plain.onnx", 0)


def test_weights_too_large_for_one_file_lie_beside_it(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "MAX_BYTES_INSIDE", 1_000)
    (tmp_path / "package").mkdir()
    target = tmp_path / "package" / "model.onnx"
    graph.move_graph(plain, target)
    assert sorted(path.name for path in target.parent.iterdir()) == ["model.onnx", "model.onnx.data"]
    ids = np.array([[2, 5, 3]])
    expected = Graph(plain, pad_id=0).run(ids, np.ones_like(ids))
    assert np.array_equal(Graph(target, pad_id=0).run(ids, np.ones_like(ids)), expected)
    assert target.stat().st_size < plain.stat().st_size
    assert onnx.load(target).graph.input[0].name == "input_ids"


def test_a_run_that_fails_names_the_batch(plain: Path) -> None:
    ids = np.array([[2, 10**6, 3]])
    with pytest.raises(PackageError, match="could not run the model on a batch of 1 × 3 tokens"):
        Graph(plain, pad_id=0).run(ids, np.ones_like(ids))
