"""The cascade step: a linear model, fitted on the train rows, is put before the transformer in its package."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perennial import kinds
from perennial.core import digest, progress
from perennial.core.home import Home
from perennial.export import package_writer
from perennial.inference import decoders
from perennial.inference.cascade import Linear, confidence, hashed_features, scale
from perennial.inference.decoders import Meaning
from perennial.inference.package import LINEAR, TOKENIZER, PackageInfo, read_package
from perennial.inference.predictor import Predictor
from perennial.inference.tokenization import Tokenizer
from perennial.records.data import EncodedData
from perennial.records.package import CascadeFigures, OnnxPackage
from perennial.settings.export import CascadeSpec
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    from perennial.training.encoding.dataset import EncodedRows

STEP = "cascade"
FOLDER = "package"
# Part of the key: raise it when the code of this step gives another package for the same one.
RECIPE = 1
LIBRARIES = ("numpy", "scikit-learn")
STAGES = ("asking the transformer", "fitting the linear model", "packing")

MOST_ROWS, MOST_FEATURES = 200_000, 10_000_000
"""To fit the linear model on: of more rows, every n-th is taken. They bound time and memory."""
MOST_BUCKETS, MOST_WEIGHTS, FEWEST_BUCKETS = 1 << 18, 1 << 20, 1 << 8
"""The fewer the more labels there are: the weights take 4 MB, unless there are thousands."""
STRENGTH = 10.0
"""The inverse of the regularisation, as the baseline has it; how sure the answers are is fitted afterwards."""
NEVER = -30.0
"""The output for a label that no train row has."""
ROUNDING = 1e-9


def put_before(
    spec: PipelineSpec,
    wanted: CascadeSpec,
    made: OnnxPackage,
    data: EncodedData,
    inputs: Sequence[decoders.Input],
    targets: Sequence[Any],
    home: Home,
) -> OnnxPackage:
    """The package `made` with a linear model before its transformer, fitted on the train rows in `data`; `made` itself,
    which is said, where that model may answer no row.

    `inputs` and `targets`: validation rows, on which it is chosen how sure the linear model must be to answer.
    """
    key = digest.of_values(
        package=made.digest,
        cascade=wanted,
        data=data.digest,
        rows=digest.of_values(inputs=list(inputs), targets=list(targets)),
        versions={name: metadata.version(name) for name in LIBRARIES},
        recipe=RECIPE,
    )

    def make(folder: Path) -> OnnxPackage:
        weights, figures = _weights(spec, wanted, made, data, inputs, targets, home.store.root)
        if figures.threshold is None:
            progress.note(figures.sentence)
            return made.model_copy(update={"cascade": figures})
        _stage(2)
        info = _pack(home.store.root / made.path, weights, figures, folder / FOLDER)
        path = home.store.relative(home.store.folder(STEP, key) / FOLDER)
        size = package_writer.package_size(folder / FOLDER)
        return made.model_copy(
            update={"digest": info.digest, "path": path, "size_bytes": size, "cascade": figures},
        )

    return home.store.get_or_make(STEP, key, OnnxPackage, make)


def fit(rows: EncodedRows, labels: int) -> np.ndarray:
    """The weights (float32, buckets + 1 × `labels`) of a `Linear` that tells the targets of `rows`: multinomial
    logistic regression. Memory does not grow with the rows."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    buckets = _buckets(labels)
    weights = np.zeros((buckets + 1, labels), np.float32)
    every = max(1, -(-len(rows) // MOST_ROWS), -(-2 * int(rows.lengths.sum()) // MOST_FEATURES))
    learned = [rows[index] for index in range(0, len(rows), every)]
    answers = np.array([int(row[1]) for row in learned])
    classes = np.unique(answers)
    weights[-1, np.setdiff1d(np.arange(labels), classes)] = NEVER
    if len(classes) > 1:
        feature_rows, columns = hashed_features([row[0] for row in learned], buckets)
        values = (1 / scale(feature_rows, len(learned)))[feature_rows].astype(np.float32)
        table = csr_matrix((values, (feature_rows, columns)), shape=(len(learned), buckets))
        model = LogisticRegression(C=STRENGTH, max_iter=300).fit(table, answers)
        # Of two labels scikit-learn gives the weights of the second beside the first.
        halves = len(classes) == 2
        weights[:-1, classes] = (np.vstack([-model.coef_, model.coef_]) / 2 if halves else model.coef_).T
        weights[-1, classes] = np.append(-model.intercept_, model.intercept_) / 2 if halves else model.intercept_
    return weights


def threshold(sureness: np.ndarray, own: np.ndarray, other: np.ndarray, max_loss: float) -> float | None:
    """The lowest sureness of one model at which it may answer in place of another one; None: at none.

    `own` and `other`: whether each row's answer by the one and by the other is right. Rows whose `sureness` is at least
    the threshold then have the one's answer, as many as there can be without losing more than `max_loss` of all.
    """
    order = np.argsort(-sureness, kind="stable")
    sure = sureness[order]
    gained = np.cumsum(own[order].astype(np.int64) - other[order].astype(np.int64))
    # Rows of the same sureness are answered by the same model.
    ends = np.append(sure[1:] < sure[:-1], True)
    possible = np.flatnonzero(ends & (gained >= -max_loss * len(sure) - ROUNDING))
    if not len(possible):
        return None
    last = int(possible[-1])
    # Half-way to the next row, so that another machine's rounding moves none.
    return float(sure[last] if last + 1 == len(sure) else (float(sure[last]) + float(sure[last + 1])) / 2)


def _weights(
    spec: PipelineSpec,
    wanted: CascadeSpec,
    made: OnnxPackage,
    data: EncodedData,
    inputs: Sequence[decoders.Input],
    targets: Sequence[Any],
    root: Path,
) -> tuple[np.ndarray, CascadeFigures]:
    """The linear model's weights, its outputs being as sure as it is right, and what it does on the validation rows."""
    from perennial.metrics import temperature
    from perennial.training.encoding.dataset import EncodedRows

    kind, labels = kinds.kind_named(spec.kind), spec.data.labels
    _stage(0)
    predictor = Predictor(root / made.path, digest=made.digest)
    other = np.array([bool(kind.right(*each)) for each in zip(targets, predictor.predict(inputs), strict=True)])
    _stage(1)
    weights = fit(EncodedRows(data, root), len(labels))
    decoder = predictor.decoder
    encoded = decoder.encode(inputs, Tokenizer(root / made.path / TOKENIZER, spec.model.max_length))
    logits = Linear(weights).logits(encoded.segments)
    answers = decoder.decode(list(logits.astype(np.float32)), encoded, Meaning(labels))
    own = np.array([bool(kind.right(*each)) for each in zip(targets, answers, strict=True)])
    weights /= temperature.of_one(logits, np.array([labels.index(target) for target in targets])).temperature
    sureness = confidence(Linear(weights).logits(encoded.segments))
    least = threshold(sureness, own, other, wanted.max_loss)
    easy = np.zeros(len(own), bool) if least is None else sureness >= least
    figures = CascadeFigures(
        threshold=least,
        share=float(easy.mean()),
        rows=len(own),
        metric=kind.headline_metric,
        alone=float(other.mean()),
        together=float(np.where(easy, own, other).mean()),
    )
    return weights, figures


def _pack(source: Path, weights: np.ndarray, figures: CascadeFigures, folder: Path) -> PackageInfo:
    info = read_package(source)
    folder.mkdir()
    for name in info.files:
        shutil.copyfile(source / name, folder / name)
    np.save(folder / LINEAR, weights, allow_pickle=False)
    return package_writer.write_package(folder, dataclasses.replace(info, cascade=figures.model_dump()))


def _buckets(labels: int) -> int:
    buckets = MOST_BUCKETS
    while buckets * labels > MOST_WEIGHTS and buckets > FEWEST_BUCKETS:
        buckets //= 2
    return buckets


def _stage(number: int) -> None:
    progress.advance(number, len(STAGES), unit="stage", detail=STAGES[number])
