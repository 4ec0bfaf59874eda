"""A whole pipeline in miniature: a real base model, rows it can learn in seconds, and the folder that names both."""

import csv
import json
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from tiny_model import tiny_bert

LABELS = ("negative", "neutral", "positive")
TELLING = {
    "negative": ("loss", "fell", "warning", "lawsuit"),
    "neutral": ("unchanged", "meeting", "appointed", "moved"),
    "positive": ("profit", "rose", "record", "dividend"),
}
FILLERS = ("the", "shares", "of", "company", "plant", "order", "bank", "quarter", "sales", "north")
DIGITS = tuple("0123456789")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
START = datetime(2026, 1, 1, tzinfo=UTC)

Row = dict[str, str]


def rows(count: int, start: int = 0, labels: Iterable[str] = LABELS) -> list[Row]:
    """`count` rows, each text there once; the same for the same `start`. Two words of a text tell its label."""
    names = tuple(labels)
    return [_row(number, names[number % len(names)]) for number in range(start, start + count)]


def _row(number: int, label: str) -> Row:
    draw = random.Random(number)  # noqa: S311 - not for secrets
    words = draw.choices(TELLING[label], k=2) + draw.choices(FILLERS, k=draw.randint(2, 16))
    draw.shuffle(words)
    return {
        "text": " ".join([*words, str(number)]),
        "label": label,
        "published_at": (START + timedelta(minutes=number)).isoformat(),
        "sector": ("banks", "energy")[number % 2],
    }


def write_jsonl(path: Path, some: Iterable[Row]) -> Path:
    """One JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in some), encoding="utf-8")
    return path


def write_csv(path: Path, some: list[Row]) -> Path:
    """A header, then one line a row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(some[0]))
        writer.writeheader()
        writer.writerows(some)
    return path


def settings(base: Path | str, **changes: Any) -> dict[str, Any]:
    """What pipeline.yaml says; `changes` replace settings, by dotted names with `__` for the dot."""
    made: dict[str, Any] = {
        "name": "tiny",
        "kind": "text-classification",
        "data": {
            "source": {"type": "file", "path": "data/*"},
            "columns": {"time": "published_at", "slices": ["sector"]},
            "labels": list(LABELS),
        },
        "model": {"base": str(base), "max_length": 24},
        "training": {
            "epochs": 4,
            "learning_rate": 5e-3,
            "head_learning_rate": 2e-2,
            "rows_per_batch": 16,
            "precision": "fp32",
            "early_stopping": 10,
        },
        "export": {"precision": "int8", "max_drop": 0.05},
        "gates": [
            {"metric": "accuracy", "min": 0.6},
            {"metric": "recall", "per": "label", "min": 0.3},
            {"metric": "accuracy", "versus": "champion", "margin": 0.3},
        ],
    }
    for name, value in changes.items():
        *groups, key = name.split("__")
        group_of_settings = made
        for group in groups:
            group_of_settings = group_of_settings[group]
        group_of_settings[key] = value
    return made


def write_pipeline(folder: Path, base: Path | str, some: list[Row] | None = None, **changes: Any) -> Path:
    """A pipeline's folder with data/first.jsonl (360 rows, or `some`) and pipeline.yaml; returns the folder."""
    write_jsonl(folder / "data" / "first.jsonl", rows(360) if some is None else some)
    write_settings(folder, base, **changes)
    return folder


def write_settings(folder: Path, base: Path | str, **changes: Any) -> Path:
    """`folder`'s pipeline.yaml, with `changes` as `settings` takes them."""
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump(settings(base, **changes), sort_keys=False), encoding="utf-8")
    return path


def write_base(folder: Path) -> Path:
    """A sentence-embedding base as the hub has them: BERT of 2 layers, 32 wide, random weights, a fast tokenizer."""
    tiny_bert(_write_tokenizer(folder), seed=11).save_pretrained(folder)
    (folder / "modules.json").write_text("[]\n", encoding="utf-8")
    return folder


def _write_tokenizer(folder: Path) -> int:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = [*FILLERS, *(word for words_of_label in TELLING.values() for word in words_of_label)]
    tokens = [*SPECIAL, *words, *DIGITS, *(f"##{digit}" for digit in DIGITS)]
    tokenizer = Tokenizer(models.WordPiece({token: number for number, token in enumerate(tokens)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(folder)
    return len(tokens)
