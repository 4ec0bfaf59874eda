"""Logits become answers that add up."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from tiny_model import TINY_LABELS

from perennial.core.errors import PackageError
from perennial.inference import decoders, package
from perennial.inference.decoders.base import Encoded, softmax


def test_softmax_survives_huge_logits() -> None:
    logits = np.array([[1e4, -1e4, 0], [1e4, 1e4, 1e4], [0, 0, 1e-3]], np.float32)
    probabilities = softmax(logits)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert probabilities[0].tolist() == [1, 0, 0]


def test_the_label_is_the_likeliest(tiny_package: Path) -> None:
    info = package.read_package(tiny_package)
    outputs = list(np.array([[0, 1, 3], [2, 1, 0]], np.float32))
    answers = decoders.decoder_named(info.kind).decode(outputs, Encoded([], 0), info)
    assert [answer["label"] for answer in answers] == [TINY_LABELS[2], TINY_LABELS[0]]
    for answer in answers:
        assert answer["score"] == answer["scores"][answer["label"]] == max(answer["scores"].values())
        assert tuple(answer["scores"]) == TINY_LABELS
    assert json.loads(json.dumps(answers)) == answers


def test_an_unknown_kind_names_those_there_are(tiny_package: Path) -> None:
    with pytest.raises(PackageError, match="'table-reading'; this version of perennial decodes text-classification"):
        decoders.decoder_named(dataclasses.replace(package.read_package(tiny_package), kind="table-reading").kind)
