"""A tiny real model as the fine-tuning step leaves one, its pipeline and its texts."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.core import digest
from perennial.records.training import TrainedModel
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    from transformers import BertModel

TINY_WORDS = [
    "profit",
    "sales",
    "loss",
    "rose",
    "fell",
    "shares",
    "company",
    "net",
    "the",
    "of",
    "plant",
    "order",
    "growth",
]
TINY_LABELS = ("negative", "neutral", "positive")
TINY_MAX_LENGTH = 16


def write_tiny_tokenizer(path: Path) -> int:
    """A BERT-like WordPiece tokenizer of a few words and all ASCII letters; returns its size."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *TINY_WORDS, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.save(str(path))
    return len(tokens)


def tiny_bert(vocabulary: int, seed: int) -> "BertModel":
    """A BERT of 2 layers, 32 wide, with random weights."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    return BertModel(config)


def write_tiny_model(folder: Path) -> TrainedModel:
    """A real BERT of 2 layers, 32 wide, with a mean-pooled head, as the fine-tuning step leaves one; untrained."""
    import torch

    from perennial.training.model import MeanPooled, save_model, without_pooler

    folder.mkdir(parents=True)
    size = write_tiny_tokenizer(folder / "tokenizer.json")
    model = MeanPooled(without_pooler(tiny_bert(size, seed=7)), 32, len(TINY_LABELS), 0.0).eval()
    with torch.no_grad():
        # Weights as far apart as after training, so that texts get answers that differ.
        for name, value in model.named_parameters():
            if "LayerNorm" not in name:
                value.mul_(6.0)
        model.head.bias.zero_()
    save_model(model, folder)
    (folder / "training.json").write_text(json.dumps({"kind": "text-classification", "labels": TINY_LABELS}))
    return TrainedModel(
        digest=digest.of_file(folder / "model.safetensors"),
        path="finetune/tiny",
        base="tiny",
        base_revision="0" * 64,
        pooling="mean",
        precision="fp32",
        epochs=1,
        best_epoch=1,
        train_rows=100,
        validation={"accuracy": 1.0},
        seconds=1.0,
    )


def tiny_spec(precision: str = "fp32", max_drop: float = 0.2) -> PipelineSpec:
    """A pipeline for the tiny model."""
    return PipelineSpec.model_validate(
        {
            "name": "tiny",
            "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "rows.jsonl"}, "labels": TINY_LABELS},
            "model": {"max_length": TINY_MAX_LENGTH},
            "export": {"precision": precision, "max_drop": max_drop},
            "gates": [{"metric": "accuracy", "min": 0.5}],
        }
    )


def tiny_texts(count: int) -> list[str]:
    """`count` texts of 1 to 24 of the tiny tokenizer's words, the same in every run."""
    import random

    draw = random.Random(3)  # noqa: S311  not for secrets
    return [" ".join(draw.choices(TINY_WORDS, k=draw.randint(1, 24))) for _ in range(count)]
