"""`python -m benchmarks bbc-alarms`: a year of real headlines, answered by a model of Financial PhraseBank, replayed.

It needs BENCH_DATA. BENCH_HOME names a home with a champion `phrasebank`; else one is trained, which takes minutes.
BENCH_MODEL=tfidf answers by words and pairs of words instead, in seconds. Headlines are printed for who judges the
alarms, and are not ours to keep: only figures are written to the results.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.common.command import perennial

MODEL = "phrasebank"
PHRASEBANK, BBC = "financial_phrasebank/train.jsonl", "bbc_business/headlines_2022.jsonl"
LABELS = ("negative", "neutral", "positive")


def measure(scratch: Path, data: Path) -> dict[str, object]:
    """Alarms, their dates and sizes; never, always and every so often beside them."""
    from flows.commands.live.replay import as_stored, exact_copies, replayed_in_words
    from perennial.monitoring.alarms.backtest import replay_alarms
    from perennial.settings.pipeline import PipelineSpec

    rows = list(_rows(data / BBC))
    texts = [str(row["text"]) for row in rows]
    by_words = os.environ.get("BENCH_MODEL") == "tfidf"
    labels = _by_words(data / PHRASEBANK, texts) if by_words else _by_champion(scratch, data / PHRASEBANK, texts)
    for row, label in zip(rows, labels, strict=True):
        row["label"] = label
    spec = PipelineSpec.model_validate(_settings())
    done = replay_alarms(spec, as_stored(rows, lambda some: exact_copies(some, 3)))
    sys.stderr.write(replayed_in_words(done) + "\n")
    figures: dict[str, object] = {"model": "tfidf" if by_words else "champion", "texts": done.texts}
    figures |= {f"share {label}": labels.count(label) / len(labels) for label in LABELS}
    figures |= {"months watched": done.months, "bucket, minutes": list(done.bucket_minutes)}
    figures |= {f"{row.name}, alarms": row.alarms for row in done.rows}
    figures["expected false alarms"] = done.expected_false_alarms
    for alarm in done.alarms:
        surge = alarm.surge
        figures[f"{surge.opened:%Y-%m-%d} to {surge.until:%Y-%m-%d}"] = (
            f"{surge.counted} of {surge.texts}, usual {surge.usual_share:.0%}, {alarm.severity}"
        )
    return figures


def _settings() -> dict[str, object]:
    return {
        "name": MODEL,
        "kind": "text-classification",
        "data": {"source": {"type": "file", "path": "data/*"}, "labels": list(LABELS)},
        "gates": [{"metric": "accuracy", "min": 0.5}],
        "monitor": {"source": {"type": "file", "path": "live/*"}, "trends": {"timezone": "Europe/London", "by": []}},
    }


def _rows(path: Path) -> Iterator[dict[str, object]]:
    from datetime import datetime

    for line in path.read_text(encoding="utf-8").splitlines():
        read = json.loads(line)
        time = datetime.fromisoformat(read["published_at"])
        yield {
            "id": "",
            "text": read["text"],
            "time": time,
            "read": time,
            "source": "",
            "topic": [],
            "entities": [],
            "kept": [],
        }


def _by_champion(scratch: Path, labelled: Path, texts: Sequence[str]) -> list[str]:
    """What the champion `phrasebank` answers."""
    from perennial.core.home import Home
    from perennial.inference.predictor import Predictor
    from perennial.registry import versions

    folder = Path(given) if (given := os.environ.get("BENCH_HOME")) else scratch / "home"
    if not given:
        perennial("init", MODEL, "--data", str(labelled.resolve()), "--json", home=folder, folder=scratch)
        ran = perennial("run", MODEL, "--json", home=folder, folder=scratch)
        assert ran.code == 0, ran.output
    home = Home(folder)
    package = versions.package(home, MODEL)
    predictor = Predictor(home.store.root / package.path, digest=package.package_digest)
    return [str(one["label"]) for one in predictor.predict_columns({"text": list(texts)})]


def _by_words(labelled: Path, texts: Sequence[str]) -> list[str]:
    """What TF-IDF with logistic regression answers, the best of what needs no network."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rows = [json.loads(line) for line in labelled.read_text(encoding="utf-8").splitlines()]
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegression(C=10, max_iter=500, class_weight="balanced"),
    )
    model.fit([row["text"] for row in rows], [row["label"] for row in rows])
    return [str(one) for one in model.predict(list(texts))]
