"""The network: a pretrained encoder under a head, and how it is written and read."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from perennial.core import telemetry
from perennial.core.errors import BaseModelError
from perennial.inference import decoders
from perennial.inference.batching import pad, plan_batches
from perennial.settings.pipeline import PipelineSpec
from perennial.training.base_model import BaseModel
from perennial.training.dropout import quickened

WEIGHTS = "model.safetensors"
HEAD = "head.json"
# From this machine, never from a pickle beside the weights, in full precision.
FROM_SAFETENSORS: dict[str, Any] = {"local_files_only": True, "use_safetensors": True, "dtype": torch.float32}


class MeanPooled(nn.Module):
    """A linear head on the mean of the token vectors (Reimers and Gurevych 2019, section 3)."""

    def __init__(self, encoder: nn.Module, width: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, outputs)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits (rows × outputs) of token ids and their mask (both rows × tokens)."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        return cast(torch.Tensor, self.head(self.dropout(mean)))


class PerToken(nn.Module):
    """A linear head on each token vector."""

    def __init__(self, encoder: nn.Module, width: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, outputs)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits (rows × tokens × outputs) of token ids and their mask (both rows × tokens)."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return cast(torch.Tensor, self.head(self.dropout(states)))


HEADS = {"mean": MeanPooled, "token": PerToken}
"""Linear heads of our own, by what `head.json` calls them."""


class OwnHead(nn.Module):
    """The architecture's own sequence-classification model, its logits taken out of the output record."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits (rows × outputs) of token ids and their mask (both rows × tokens)."""
        return cast(torch.Tensor, self.classifier(input_ids=input_ids, attention_mask=attention_mask).logits)


def pooling(spec: PipelineSpec, base: BaseModel) -> str:
    """`model.pooling`; auto: mean for a sentence-embedding base, cls otherwise; token where each token is answered."""
    if decoders.decoder_named(spec.kind).per_token:
        return "token"
    if spec.model.pooling != "auto":
        return spec.model.pooling
    return "mean" if base.embeds_sentences else "cls"


def build_model(spec: PipelineSpec, base: BaseModel, outputs: int) -> nn.Module:
    """The pretrained encoder with a fresh head, in fp32, dropout as the spec says.

    Raises BaseModelError if transformers can't make a model of the base's files.
    """
    with _clear_errors(base):
        built = _build(spec, base, outputs)
        return built if torch.cuda.is_available() else quickened(built)


@contextmanager
def _clear_errors(base: BaseModel) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # transformers and safetensors raise nearly anything for a broken file
        raise BaseModelError(
            f"The base model in {base.folder} can't be loaded ({type(error).__name__}).",
            remedy="Its config.json must be of an encoder that transformers knows, and its weights whole: fetch it "
            "again, or choose another.",
        ) from error


def _build(spec: PipelineSpec, base: BaseModel, outputs: int) -> nn.Module:
    telemetry.off()
    from transformers import AutoConfig, AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    # It would list the head's weights as missing from the base: they are what is trained.
    logging.set_verbosity_error()
    # On a CPU, torch's fused attention takes half as long again to train as the plain one.
    attention = {} if torch.cuda.is_available() else {"attn_implementation": "eager"}
    config = AutoConfig.from_pretrained(base.folder, local_files_only=True, **attention)
    for name in ("classifier_dropout", "seq_classif_dropout"):
        if hasattr(config, name):
            setattr(config, name, spec.training.dropout)
    for name in ("hidden_dropout_prob", "dropout"):
        if isinstance(getattr(config, name, None), float):
            setattr(config, name, spec.training.encoder_dropout)
    for name in ("attention_probs_dropout_prob", "attention_dropout"):
        if isinstance(getattr(config, name, None), float):
            setattr(config, name, 0.0)
    head = HEADS.get(pooling(spec, base))
    if head is not None:
        encoder = AutoModel.from_pretrained(base.folder, config=config, **FROM_SAFETENSORS)
        return head(without_pooler(encoder), config.hidden_size, outputs, spec.training.dropout)
    return OwnHead(_own_head(base, config, outputs))


def without_pooler(encoder: Any) -> nn.Module:
    """`encoder` less the pooler that a mean does not use, so that it is neither trained, stored nor exported."""
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return cast(nn.Module, encoder)


def width(model: nn.Module) -> int:
    """The encoder's hidden width, under whatever name its architecture keeps it."""
    return int(_inner(model).config.hidden_size)


def _inner(model: nn.Module) -> Any:
    """transformers' model in ours."""
    return model.classifier if isinstance(model, OwnHead) else model.encoder


def width_of(base: BaseModel) -> int:
    """The hidden width of a model that is made of `base`. Raises BaseModelError as `build_model` does."""
    telemetry.off()
    from transformers import AutoConfig

    with _clear_errors(base):
        return int(AutoConfig.from_pretrained(base.folder, local_files_only=True).hidden_size)


def save_model(model: nn.Module, folder: Path) -> None:
    """Write `model.safetensors`, the encoder's `config.json` and `head.json` to `folder`."""
    from safetensors.torch import save_file

    _inner(model).config.save_pretrained(folder)
    head: dict[str, object] = {"pooling": "cls"}
    if isinstance(model, MeanPooled | PerToken):
        name = next(name for name, kind in HEADS.items() if isinstance(model, kind))
        head = {"pooling": name, "width": model.head.in_features, "outputs": model.head.out_features}
    (folder / HEAD).write_text(json.dumps(head) + "\n", encoding="utf-8")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / WEIGHTS)


def load_model(folder: Path, attention: str | None = None) -> nn.Module:
    """The model that `save_model` wrote, in evaluation mode and fp32. `attention`: an implementation's name, or
    default."""
    from safetensors.torch import load_file

    model = empty(folder, saved_config(folder), attention)
    model.load_state_dict(load_file(folder / WEIGHTS))
    return model.eval()


def saved_config(folder: Path) -> Any:
    """The configuration of the encoder that `save_model` wrote."""
    telemetry.off()
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, local_files_only=True)


def empty(folder: Path, config: Any, attention: str | None = None, dropout: float = 0.0) -> nn.Module:
    """A network with the head that `save_model` wrote, on an encoder as `config` says, whose weights mean nothing yet.

    `dropout`: before a head of our own; the architecture's own head has what `config` says.
    """
    from transformers import AutoModel, AutoModelForSequenceClassification

    head = json.loads((folder / HEAD).read_text(encoding="utf-8"))
    chosen = {"attn_implementation": attention} if attention else {}
    if head["pooling"] in HEADS:
        encoder = without_pooler(AutoModel.from_config(config, dtype=torch.float32, **chosen))
        return HEADS[head["pooling"]](encoder, head["width"], head["outputs"], dropout=dropout)
    return OwnHead(AutoModelForSequenceClassification.from_config(config, dtype=torch.float32, **chosen))


def freeze(model: nn.Module, *, embeddings: bool, layers: int) -> None:
    """Keep the pretrained weights of the embeddings, or of the lowest `layers` layers, as they are."""
    for name, parameter in model.named_parameters():
        if embeddings and ".embeddings." in f".{name}":
            parameter.requires_grad_(False)
        if (layer := layer_number(name)) is not None and layer < layers:
            parameter.requires_grad_(False)


def recompute(model: nn.Module) -> None:
    """Let each layer be computed again for the gradient instead of being kept (Chen et al. 2016)."""
    _inner(model).gradient_checkpointing_enable({"use_reentrant": False})


@torch.inference_mode()
def outputs_of(
    model: nn.Module,
    segments: Sequence[np.ndarray],
    pad_id: int,
    tokens_per_batch: int,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[np.ndarray]:
    """What `model` gives for each segment of token ids, in their order: float32, (outputs,) or (tokens, outputs).

    `on_progress` hears (segments done, segments in all) after each batch.
    """
    outputs: list[np.ndarray] = [np.empty(0, np.float32)] * len(segments)
    device = next(model.parameters()).device
    done = 0
    for batch in plan_batches(np.array([len(ids) for ids in segments]), tokens_per_batch):
        inputs = (torch.from_numpy(array).to(device) for array in pad([segments[index] for index in batch], pad_id))
        answers = model(*inputs).float().cpu().numpy()
        for index, answer in zip(batch, answers, strict=True):
            outputs[index] = answer[: len(segments[index])].copy() if answer.ndim > 1 else answer
        done += len(batch)
        if on_progress:
            on_progress(done, len(segments))
    return outputs


def layer_number(name: str) -> int | None:
    """The number of the encoder layer that a parameter called `name` belongs to; None: to none."""
    part = _place_of_layer(name)
    return None if part is None else int(name.split(".")[part])


def in_layer(name: str, number: int) -> str:
    """What a parameter called `name`, which belongs to a layer, is called in the layer `number`."""
    words, part = name.split("."), _place_of_layer(name)
    return ".".join(str(number) if each == part else word for each, word in enumerate(words))


def _place_of_layer(name: str) -> int | None:
    """Which of the words of `name` is a layer's number."""
    for part, (before, word) in enumerate(itertools.pairwise(name.split(".")), 1):
        if before in {"layer", "layers", "h", "block"} and word.isdigit():
            return part
    return None


def is_head(name: str) -> bool:
    """Whether a parameter called `name` starts from nothing: it belongs to no pretrained encoder."""
    own_heads = ("head.", "classifier.classifier", "classifier.pre_classifier", "classifier.score", "classifier.head")
    return name.startswith(own_heads)


def _own_head(base: BaseModel, config: Any, outputs: int) -> nn.Module:
    from transformers import AutoModelForSequenceClassification

    config.num_labels = outputs
    model = AutoModelForSequenceClassification.from_pretrained(
        base.folder,
        config=config,
        **FROM_SAFETENSORS,
        ignore_mismatched_sizes=True,
    )
    return cast(nn.Module, model)
