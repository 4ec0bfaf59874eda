"""What windows are held to is of rows that the champion did not learn from; drift is of answers that it gave."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from health_tables import table
from tiny_model import TINY_LABELS, TINY_WORDS, tiny_spec, tiny_texts

from perennial.core.home import Home
from perennial.inference.package import read_package
from perennial.inference.predictor import Predictor
from perennial.monitoring.health.look import look_at_health
from perennial.monitoring.health.reference import HealthReference, asked, reference_of, scores_of
from perennial.monitoring.health.scored_texts import ScoredTexts
from perennial.monitoring.rows import WindowRows
from perennial.settings.monitor import MonitorSpec
from perennial.settings.monitor.health import HealthSpec

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def package(_tiny_package: tuple[Path, Any]) -> Path:
    return _tiny_package[0]


@pytest.fixture(scope="module")
def held(package: Path) -> HealthReference:
    texts = tiny_texts(900)
    draw = np.random.default_rng(1)
    rows = WindowRows(
        texts=[(text,) for text in texts],
        targets=pa.array([TINY_LABELS[number] for number in draw.integers(0, 3, 899)] + ["unheard of"]),
        held_out=np.arange(900) >= 300,
        keys=[],
        times=(None, None),
        slices={"number": [str(number) for number in range(900)]},
    )
    return asked(tiny_spec(), Predictor(package), rows, version="1", folder=package, accuracy=0.5)


def stored(package: Path, texts: list[str], first: int = 0) -> pa.Table:
    predictor, labels = Predictor(package), read_package(package).labels
    answers = predictor.predict(texts)
    return table(ScoredTexts(texts, scores_of(answers, labels)), first=first)


def test_rows_that_were_learned_or_have_no_known_label_are_left_out(held: HealthReference) -> None:
    learned, texts_of = set(tiny_texts(300)), tiny_texts(900)
    assert len(held.judged.texts) == len(held.targets) == len(held.judged.scores)
    assert 500 < len(held.judged.texts) <= 599
    assert [texts_of[int(row)] for row in held.judged.columns["number"]] == held.judged.texts
    assert not learned & set(held.judged.texts) - set(tiny_texts(900)[300:])
    assert tiny_texts(900)[-1] not in held.judged.texts or tiny_texts(900)[-1] in tiny_texts(900)[:-1]
    assert np.allclose(held.judged.scores.sum(axis=1), 1, atol=1e-5)


def test_drift_is_measured_on_stored_answers(held: HealthReference, package: Path, tmp_path: Path) -> None:
    settings = HealthSpec(window_texts=200, needed=1)
    monitor = MonitorSpec.model_validate({"source": {"type": "file", "path": "live.jsonl"}, "health": settings})
    spec = tiny_spec().model_copy(update={"monitor": monitor})
    alike = stored(package, tiny_texts(1200)[1000:])
    texts = [" ".join([word] * 40) + f" {n}" for n in range(14) for word in ("qq", "zz", *TINY_WORDS)]
    other = stored(package, texts, first=200)
    found = look_at_health(spec, Home(tmp_path), [alike, other], lambda: held, [], now=NOW)
    assert not {"length", "tokens", "answers"} & {name for name, value in found[0].drift.items() if value > 0.2}
    assert found[1].drift["length"] > 0.2
    assert any("text length shifted" in sentence for sentence in found[1].violations)
    assert "text length shifted" in str(found[1].calls_for_retraining)


def test_without_a_champion_there_is_nothing_to_hold_to(tmp_path: Path) -> None:
    assert reference_of(tiny_spec(), Home(tmp_path)) is None
