"""The network: a pretrained encoder under a head, and how it is written and read."""

from __future__ import annotations

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
from perennial.core.model_families import ModelFamily, entry_name, family_named
from perennial.inference import decoders
from perennial.inference.batching import pad, plan_batches
from perennial.settings.pipeline import PipelineSpec
from perennial.settings.training import TrainingSpec
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

    Raises BaseModelError if transformers can't make a model of the base's files, or not one that learns from batches.
    """
    _require_padding(spec, base)
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


def _require_padding(spec: PipelineSpec, base: BaseModel) -> None:
    """Raises BaseModelError where the base's own head would look for padding that the base does not know.

    Such bases are decoders (GPT-2, Llama and the like): transformers answers from the last token that is no padding.
    """
    if pooling(spec, base) in HEADS:
        return
    telemetry.off()
    from transformers import AutoConfig

    with _clear_errors(base):
        config = AutoConfig.from_pretrained(base.folder, local_files_only=True)
    if getattr(config, "pad_token_id", None) is None and _is_decoder(config.model_type):
        raise BaseModelError(
            f"The base model {base.name} is a decoder ({config.model_type}) without a padding token (pad_token_id in "
            "its config.json), so its classifier can't learn from texts of different lengths. Perennial is made for "
            "encoders.",
            remedy="Choose an encoder as model.base: BERT, RoBERTa, DeBERTa, ModernBERT, a sentence-embedding model. "
            "To try this one all the same, write the id of a padding token into its config.json.",
        )


def _is_decoder(model_type: str) -> bool:
    """Whether transformers knows models of that type to write texts, and not to fill in words, as encoders do."""
    from transformers.models.auto import modeling_auto

    writes, fills = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return model_type in writes and model_type not in fills


def _build(spec: PipelineSpec, base: BaseModel, outputs: int) -> nn.Module:
    telemetry.off()
    from transformers import AutoConfig, AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    # It would list the head's weights as missing from the base: they are what is trained.
    logging.set_verbosity_error()
    attention = training_attention(base.family)
    chosen = {"attn_implementation": attention} if attention else {}
    config = AutoConfig.from_pretrained(base.folder, local_files_only=True, **chosen)
    _set_dropout(config, base.family, spec.training)
    head = HEADS.get(pooling(spec, base))
    if head is not None:
        encoder = AutoModel.from_pretrained(base.folder, config=config, **FROM_SAFETENSORS)
        return head(without_pooler(encoder), _config_width(config), outputs, spec.training.dropout)
    return OwnHead(_own_head(base, config, outputs))


def training_attention(family: ModelFamily) -> str | None:
    """The implementation of attention by which a model of `family` is trained on this machine; None: its default."""
    return None if torch.cuda.is_available() else family.cpu_attention


def _set_dropout(config: Any, family: ModelFamily, training: TrainingSpec) -> None:
    for name in family.head_dropouts:
        if hasattr(config, name):
            setattr(config, name, training.dropout)
    for name in family.encoder_dropouts:
        if isinstance(getattr(config, name, None), float):
            setattr(config, name, training.encoder_dropout)
    for name in family.attention_dropouts:
        if isinstance(getattr(config, name, None), float):
            setattr(config, name, 0.0)


def without_pooler(encoder: Any) -> nn.Module:
    """`encoder` less the pooler that a mean does not use, so that it is neither trained, stored nor exported."""
    pooler = family_named(encoder.config.model_type).pooler
    if getattr(encoder, pooler, None) is not None:
        setattr(encoder, pooler, None)
    return cast(nn.Module, encoder)


def width(model: nn.Module) -> int:
    """The encoder's hidden width, under whatever name its architecture keeps it."""
    return _config_width(pretrained_part(model).config)


def _config_width(config: Any) -> int:
    return int(getattr(config, entry_name(config, family_named(config.model_type).widths)))


def pretrained_part(network: nn.Module) -> Any:
    """transformers' model in ours."""
    return network.classifier if isinstance(network, OwnHead) else network.encoder


def network_family(network: nn.Module) -> ModelFamily:
    """What is known of models like the one in `network`."""
    config = getattr(pretrained_part(network), "config", None)
    return family_named(getattr(config, "model_type", None))


def width_of(base: BaseModel) -> int:
    """The hidden width of a model that is made of `base`. Raises BaseModelError as `build_model` does."""
    telemetry.off()
    from transformers import AutoConfig

    with _clear_errors(base):
        return _config_width(AutoConfig.from_pretrained(base.folder, local_files_only=True))


def save_model(model: nn.Module, folder: Path) -> None:
    """Write `model.safetensors`, the encoder's `config.json` and `head.json` to `folder`."""
    from safetensors.torch import save_file

    pretrained_part(model).config.save_pretrained(folder)
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


def load_to_trace(folder: Path) -> nn.Module:
    """The model that `save_model` wrote, with the attention that its family is exported by; else as `load_model`."""
    return load_model(folder, family_named(saved_config(folder).model_type).traced_attention)


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
    family = network_family(model)
    for name, parameter in model.named_parameters():
        if embeddings and f".{family.embeddings}." in f".{name}":
            parameter.requires_grad_(False)
        if (layer := family.layer_number(name)) is not None and layer < layers:
            parameter.requires_grad_(False)


def recompute(model: nn.Module) -> None:
    """Let each layer be computed again for the gradient instead of being kept (Chen et al. 2016)."""
    pretrained_part(model).gradient_checkpointing_enable({"use_reentrant": False})


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


def is_head(name: str, family: ModelFamily) -> bool:
    """Whether a parameter called `name` starts from nothing: it belongs to no pretrained encoder of `family`."""
    return name.startswith(("head.", *(f"classifier.{head}" for head in family.heads)))


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
