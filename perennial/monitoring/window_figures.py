"""The figures of a window: how far its rows are from those that the champion was trained and judged on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from perennial import kinds
from perennial.core.home import Home
from perennial.evaluation import asking
from perennial.inference import package
from perennial.inference.predictor import Predictor
from perennial.inference.tokenization import Tokenizer
from perennial.metrics.prediction import Prediction
from perennial.monitoring import effect_sizes
from perennial.monitoring.rows import Texts, WindowRows
from perennial.records.package import Champion
from perennial.settings.drift import DriftLimits, WindowsSpec
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa
    from scipy.sparse import csr_array

RECIPE = 2
"""Raised when a figure is computed otherwise, so that old ones are measured again."""
NAMES = tuple(DriftLimits.model_fields)
TOKENS = 1000
"""Most frequent tokens that are told apart; all others are one."""
ANSWERED = 2000
"""Held-out rows at most that the champion answers to be compared with."""
Measure = Callable[[WindowRows], float]
T = TypeVar("T")


class AsksChampion(Protocol):
    """What gives the champion's answers."""

    @property
    def folder(self) -> Path:
        """Of its package."""

    def answers(self, texts: Sequence[Texts]) -> list[Prediction]:
        """Its answer to each of `texts`."""


class AskedChampion:
    """The champion, asked about rows; loaded when it is first asked, and not asked twice running about the same."""

    def __init__(self, spec: PipelineSpec, champion: Champion, home: Home) -> None:
        """`champion`: its package is in the store."""
        self._spec, self._champion = spec, champion
        self.folder = home.store.root / champion.path
        self._predictor: Predictor | None = None
        self._last: tuple[object, list[Prediction]] = (None, [])

    def answers(self, texts: Sequence[Texts]) -> list[Prediction]:
        """Its answer to each of `texts`."""
        if self._predictor is None:
            self._predictor = Predictor(self.folder, digest=self._champion.package_digest)
        if self._last[0] is not texts:
            answered = asking.answers(self._spec, self._predictor, texts)
            self._last = texts, [answered[one] for one in texts]
        return self._last[1]


class Reference:
    """What windows are compared with."""

    def __init__(
        self, spec: PipelineSpec, settings: WindowsSpec, rows: WindowRows, asked: AsksChampion, *, labelled: bool
    ) -> None:
        """`rows`: some of the champion's; `asked`: that champion; `labelled`: whether windows have labels."""
        wanted = [name for name in NAMES if getattr(settings.limits, name) is not None]
        self._measures: dict[str, Measure] = {}
        if labelled and "labels" in wanted:
            self._measures["labels"] = _labels(spec, rows, settings.window_rows)
        if "length" in wanted:
            self._measures["length"] = _length(rows, settings.window_rows)
        if "tokens" in wanted:
            self._measures["tokens"] = _tokens(rows, asked.folder, settings.window_rows)
        if "domain" in wanted:
            self._measures["domain"] = _domain(rows, settings.window_rows)
        answers = {"answers", "scores"} & set(wanted)
        self._answering = _Answering(spec, settings.window_rows, rows, asked, answers) if answers else None

    def figures(self, window: WindowRows) -> dict[str, float]:
        """Every figure that is wanted and that this kind of task has."""
        figures = {name: measure(window) for name, measure in self._measures.items()}
        if self._answering:
            figures |= self._answering.figures(window)
        return {name: round(float(figures[name]), 4) for name in NAMES if name in figures}


class _Answering:
    """The champion's answers to rows that it did not learn from, and to windows."""

    def __init__(
        self, spec: PipelineSpec, window_rows: int, rows: WindowRows, asked: AsksChampion, wanted: set[str]
    ) -> None:
        self._spec, self._wanted, self._asked = spec, wanted, asked
        held_out = [texts for texts, kept in zip(rows.texts, rows.held_out, strict=True) if kept]
        answers = asked.answers(_spread(held_out, ANSWERED))
        self._labels = self._labels_of(answers)
        self._scores = self._scores_of(answers)
        self._cuts = effect_sizes.edges(self._scores, window_rows) if len(answers) else np.empty(0)

    def figures(self, window: WindowRows) -> dict[str, float]:
        if not len(self._scores):
            return {}
        answers = self._asked.answers(window.texts)
        labels = self._labels_of(answers)
        figures = {}
        if "answers" in self._wanted and (self._labels or labels):
            figures["answers"] = _psi_of(self._labels, labels)
        if "scores" in self._wanted:
            old, new = (effect_sizes.binned(scores, self._cuts) for scores in (self._scores, self._scores_of(answers)))
            figures["scores"] = effect_sizes.psi(old, new)
        return figures

    def _labels_of(self, answers: Sequence[Prediction]) -> Counter[str]:
        kind = kinds.kind_named(self._spec.kind)
        return Counter(label for answer in answers for label in kind.labels_answered(answer))

    def _scores_of(self, answers: Sequence[Prediction]) -> np.ndarray:
        kind = kinds.kind_named(self._spec.kind)
        is_number = kind.degree_of == "number"
        return np.array([kind.degree(one, None) if is_number else kind.sureness(one) for one in answers], float)


def _labels(spec: PipelineSpec, reference: WindowRows, window_rows: int) -> Measure:
    kind = kinds.kind_named(spec.kind)
    old = kind.labels_in(reference.targets)
    if old is None:
        cuts = effect_sizes.edges(_numbers(reference.targets), window_rows)
        base = effect_sizes.binned(_numbers(reference.targets), cuts)
        return lambda window: effect_sizes.psi(base, effect_sizes.binned(_numbers(window.targets), cuts))
    counts_before = Counter(old.to_pylist())

    def measure(window: WindowRows) -> float:
        new = kind.labels_in(window.targets)
        return _psi_of(counts_before, Counter(new.to_pylist() if new is not None else ()))

    return measure


def _psi_of(old: Mapping[str, int], new: Mapping[str, int]) -> float:
    names = sorted({*old, *new}, key=str)
    if not sum(new.values()):
        return 0.0
    counts = (np.array([lot.get(name, 0) for name in names], float) for lot in (old, new))
    return effect_sizes.psi(*counts)


def _numbers(targets: pa.Array) -> np.ndarray:
    import pyarrow as pa

    return np.asarray(targets.drop_null().cast(pa.float64()), float)


def _length(reference: WindowRows, window_rows: int) -> Measure:
    def lengths(rows: WindowRows) -> np.ndarray:
        return np.array([sum(map(len, texts)) for texts in rows.texts], float)

    cuts = effect_sizes.edges(lengths(reference), window_rows)
    base = effect_sizes.binned(lengths(reference), cuts)
    return lambda window: effect_sizes.psi(base, effect_sizes.binned(lengths(window), cuts))


def _tokens(reference: WindowRows, folder: Path, window_rows: int) -> Measure:
    tokenizer = Tokenizer(folder / package.TOKENIZER, package.read_package(folder).max_length)
    # Around every text, whatever it says.
    special = {int(token) for token in tokenizer.encode([""])[0][0]}
    old = tokenizer.encode(reference.joined)[0]
    counts = Counter(int(token) for ids in old for token in ids if int(token) not in special)
    places = {token: index for index, (token, _) in enumerate(sorted(counts.most_common(TOKENS)))}
    base = _counted(old, places, special)
    chance = effect_sizes.chance_of(base, window_rows)
    return lambda window: effect_sizes.distance(
        base, _counted(tokenizer.encode(window.joined)[0], places, special), chance
    )


def _counted(encoded: Sequence[np.ndarray], places: Mapping[int, int], special: set[int]) -> csr_array:
    """How often each text holds each token of `places`, and at the end all others; (texts, places + 1)."""
    from scipy.sparse import csr_array

    rest = len(places)
    kept = [[places.get(token, rest) for token in ids.tolist() if token not in special] for ids in encoded]
    columns = np.array([column for row in kept for column in row], int)
    rows = np.repeat(np.arange(len(kept)), [len(row) for row in kept])
    return csr_array((np.ones(len(columns)), (rows, columns)), shape=(len(kept), rest + 1))


def _domain(reference: WindowRows, window_rows: int) -> Measure:
    # As many of either sort would do; twice as many old ones steady the figure.
    old = _spread(reference.joined, 2 * window_rows)
    return lambda window: effect_sizes.domain_auc(old, window.joined)


def _spread(items: list[T], most: int) -> list[T]:
    """`most` of `items` at most, evenly from first to last: they stand in the order of their parts."""
    return [items[index] for index in np.linspace(0, len(items) - 1, min(most, len(items)), dtype=int)]
