"""How faithful explanations are, by method and by rows that may be asked: a headline, and three of them together.

BENCH_HOME names a home that has a champion of the sentiment pipeline; without it one is trained first.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.common.command import MODEL, home_with_champion
from benchmarks.serving.clients import headlines

if TYPE_CHECKING:
    from perennial.inference.predictor import Predictor

TEXTS = 48
ROWS = (14, 18, 40)


def measure(scratch: Path) -> dict[str, object]:
    """`faithfulness` with its standard error."""
    from perennial.core.home import Home
    from perennial.inference.explanations.games import METHODS
    from perennial.inference.predictor import Predictor
    from perennial.registry import versions

    home = Home(home_with_champion(scratch).resolve())
    predictor = Predictor(home.store.root / versions.package(home, MODEL).path)
    measured: dict[str, object] = {}
    for name, together in (("a headline", 1), ("three headlines", 3)):
        texts = _texts(together)
        for rows in ROWS:
            for method in METHODS:
                measured[f"{name}, {rows} rows, {method}"] = _faithfulness(predictor, texts, method, rows)
    return measured


def _texts(together: int) -> list[str]:
    texts = headlines(TEXTS)
    return [" ".join(texts[start : start + together]) for start in range(TEXTS)]


def _faithfulness(predictor: "Predictor", texts: list[str], method: str, rows: int) -> str:
    from perennial.inference.explanations.deletion import deletion_curves

    curves = deletion_curves(predictor, texts, method=method, rows=rows)
    gains = np.array([(curve.explained - curve.random).mean() for curve in curves])
    return f"{gains.mean():.3f} ± {gains.std() / len(gains) ** 0.5:.3f}"
