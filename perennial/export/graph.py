"""From a trained torch model to an ONNX graph whose nodes are fused for ONNX Runtime."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.core import telemetry
from perennial.core.errors import ExportError
from perennial.core.model_families import family_named
from perennial.inference.runtime import INPUTS, OUTPUT

if TYPE_CHECKING:
    import onnx
    from torch import nn

OPSET = 17
# A protobuf file ends at 2 GiB; larger weights go into a file beside it.
MAX_BYTES_INSIDE = 2**31 - 2**24
SLOWER_FUSED = ("enable_skip_layer_norm", "enable_bias_skip_layer_norm", "enable_bias_gelu")
"""Fusions that cost a CPU time: SkipLayerNormalization takes it three times as long as what it stands for, and int8
products add the bias themselves. ONNX Runtime makes them when it loads a graph for a GPU, where they are faster."""


@dataclass(frozen=True)
class Fusion:
    """What ONNX Runtime's transformer optimizer made of a graph."""

    path: Path | None
    """The fused graph; None: there is none."""
    nodes: dict[str, int]
    """Fused nodes by type."""
    given_up: str | None
    """Why there is none, in words."""


def trace(model: nn.Module, path: Path, pad_id: int, *, per_token: bool = False) -> None:
    """Write `model` to `path` as an ONNX graph of OPSET, from `input_ids` and `attention_mask` to `logits`.

    Both inputs are rows × tokens, int64, of any size; the output is rows × outputs, or, `per_token`, rows × tokens ×
    outputs. Raises ExportError if torch can't trace the model.
    """
    import torch

    # A dimension of 1 would be taken for a constant, and a mask without a zero for none at all.
    ids = torch.full((2, 8), pad_id)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    sizes = {0: "rows", 1: "tokens"}
    answered = sizes if per_token else {0: "rows"}
    try:
        with quiet(), torch.inference_mode():
            # torch's newer exporter (dynamo=True) takes five times as long and its graphs fuse no Attention.
            torch.onnx.export(
                model,
                (ids, mask),
                str(path),
                input_names=list(INPUTS),
                output_names=[OUTPUT],
                dynamic_axes={INPUTS[0]: sizes, INPUTS[1]: sizes, OUTPUT: answered},
                opset_version=OPSET,
                dynamo=False,
            )
    except Exception as error:  # whatever a model's own code raises when it is traced
        raise ExportError(
            f"torch could not export the model to ONNX ({type(error).__name__}: {first_line(error)}).",
            remedy="Choose a base model of an encoder architecture that torch.onnx exports, such as BERT or RoBERTa.",
        ) from error


def fuse(plain: Path, target: Path, config: Path) -> Fusion:
    """Write the graph `plain` with attention, GELU, layer norms and embeddings fused to `target`; not SLOWER_FUSED.

    `config`: the model's config.json, which names its family. Fusions are patterns: an architecture that none fits
    keeps its plain graph, and the result says so.
    """
    telemetry.off()
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    settings = json.loads(config.read_text(encoding="utf-8"))
    family = family_named(settings.get("model_type"))
    wanted = FusionOptions(family.fusions)
    for slower in SLOWER_FUSED:
        setattr(wanted, slower, False)
    try:
        with quiet():
            sizes = family.heads_and_width(settings)
            optimized = optimize_model(str(plain), family.fusions, *sizes, optimization_options=wanted)
        nodes = {name: int(count) for name, count in optimized.get_fused_operator_statistics().items() if count}
        if nodes:
            save_graph(optimized.model, target)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  patterns written for other graphs fail in any way
        return Fusion(None, {}, f"fusing failed ({type(error).__name__}: {first_line(error)})")
    if not nodes:
        return Fusion(None, {}, "no fusion fits this architecture")
    return Fusion(target, nodes, None)


def save_graph(model: onnx.ModelProto, path: Path) -> None:
    """Write `model` to `path`; weights that don't fit into one file go to `<path>.data` beside it."""
    import onnx

    large = sum(len(weights.raw_data) for weights in model.graph.initializer) > MAX_BYTES_INSIDE
    data = path.with_name(path.name + ".data")
    data.unlink(missing_ok=True)  # onnx would append to it
    if large:
        onnx.save_model(model, path, save_as_external_data=True, location=data.name)
    else:
        onnx.save_model(model, path)


def move_graph(source: Path, target: Path) -> None:
    """Write the graph `source` to `target`, which may lie in another folder and have another name."""
    import onnx

    save_graph(onnx.load(source), target)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep back the warnings of torch's and onnxruntime's tools: what they warn of is measured here, and recorded."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def first_line(error: Exception) -> str:
    """What `error` says, short."""
    return str(error).strip().split("\n", 1)[0][:300]
