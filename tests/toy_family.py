"""A model family that no code of Perennial knows: every name differs from those of the families that it knows."""

from pathlib import Path
from typing import Any

import tiny_pipeline
import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput

from perennial.core.model_families import ModelFamily, TokenizerFamily

NAME = "toy-tower"
FILLER, UNKNOWN = "<filler>", "<what>"
RECORD = ModelFamily(
    tokenizers=(TokenizerFamily("Split", word_by_word_normalizers=(None,), word_by_word_model="WordLevel"),),
    padding_tokens=(FILLER,),
    position_limit="reach",
    positions_behind_padding=True,
    layer_counts=("storeys",),
    head_counts=("windows",),
    widths=("breadth",),
    listed_by_layer=("paints",),
    head_dropouts=("roof_leak",),
    encoder_dropouts=("leak",),
    attention_dropouts=("draught",),
    layer_lists=("tower",),
    embeddings="cellar",
    heads=("roof",),
    pooler="chimney",
    cpu_attention=None,
    traced_attention=None,
)
"""All that adding the family takes."""


class TowerConfig(PreTrainedConfig):
    model_type = NAME

    def __init__(self, **entries: Any) -> None:
        for name, usual in {"words": 64, "breadth": 32, "storeys": 4, "windows": 2, "reach": 40}.items():
            setattr(self, name, entries.pop(name, usual))
        for name in ("roof_leak", "leak", "draught"):
            setattr(self, name, entries.pop(name, 0.3))
        self.paints = entries.pop("paints", ["red", "green", "blue", "white"])
        super().__init__(**entries)


class Storey(nn.Module):
    def __init__(self, config: TowerConfig, paint: str) -> None:
        super().__init__()
        self.paint = paint
        self.mix = nn.Linear(config.breadth, config.breadth)
        self.leak = nn.Dropout(config.leak)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        mean = (states * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True)
        return states + self.leak(torch.tanh(self.mix(states + mean)))


class Tower(PreTrainedModel):
    config_class = TowerConfig
    base_model_prefix = "house"

    def __init__(self, config: TowerConfig) -> None:
        super().__init__(config)
        self.cellar = nn.ModuleDict(
            {"words": nn.Embedding(config.words, config.breadth), "places": nn.Embedding(config.reach, config.breadth)}
        )
        self.tower = nn.ModuleList([Storey(config, config.paints[number]) for number in range(config.storeys)])
        self.chimney = nn.Linear(config.breadth, config.breadth)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.3)

    def get_input_embeddings(self) -> nn.Module:
        return self.cellar["words"]

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.cellar["words"] = value

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> BaseModelOutput:
        # Counted from behind the padding id, as RoBERTa's are.
        places = torch.cumsum(attention_mask, 1) * attention_mask + self.config.pad_token_id
        states = self.cellar["words"](input_ids) + self.cellar["places"](places)
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        for storey in self.tower:
            states = storey(states, mask)
        return BaseModelOutput(last_hidden_state=states)


class TowerWithRoof(PreTrainedModel):
    config_class = TowerConfig
    base_model_prefix = "house"

    def __init__(self, config: TowerConfig) -> None:
        super().__init__(config)
        self.house = Tower(config)
        self.leak = nn.Dropout(config.roof_leak)
        self.roof = nn.Linear(config.breadth, config.num_labels)
        self.post_init()

    _init_weights = Tower._init_weights

    def get_input_embeddings(self) -> nn.Module:
        return self.house.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.house.set_input_embeddings(value)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> SequenceClassifierOutput:
        states = self.house(input_ids, attention_mask).last_hidden_state
        return SequenceClassifierOutput(logits=self.roof(self.leak(states[:, 0])))


def register() -> None:
    """Make transformers know the architecture, as an installed package would."""
    AutoConfig.register(NAME, TowerConfig, exist_ok=True)
    AutoModel.register(TowerConfig, Tower, exist_ok=True)
    AutoModelForSequenceClassification.register(TowerConfig, TowerWithRoof, exist_ok=True)


def write_base(folder: Path, *, sentences: bool = True) -> Path:
    """A base model of the family: random weights, its own tokenizer of the tiny pipeline's words."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [*tiny_pipeline.FILLERS, *(word for words in tiny_pipeline.TELLING.values() for word in words)]
    ids = {word: number for number, word in enumerate([UNKNOWN, "<other>", FILLER, *words])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(" "), "removed")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=FILLER, unk_token=UNKNOWN).save_pretrained(folder)
    torch.manual_seed(5)
    Tower(TowerConfig(words=len(ids), pad_token_id=ids[FILLER])).save_pretrained(folder)
    if sentences:
        (folder / "modules.json").write_text("[]\n", encoding="utf-8")
    return folder
