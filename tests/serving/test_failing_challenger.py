"""A user of a canary whose challenger fails gets the champion's answer, and the failure is counted once."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from hosting import make_host, serving_of, tiny_predictor

from perennial.core.errors import PackageError
from perennial.serving.current import LoadedVersion
from perennial.serving.host import AnsweredRows, FailedRows


class Broken:
    """A predictor that answers nothing."""

    def __init__(self, whole: Any) -> None:
        self._whole = whole

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    def predict(self, *_: Any, **__: Any) -> Any:
        raise PackageError("The model is broken.")


def ask(address: str) -> dict[str, Any]:
    request = urllib.request.Request(f"{address}/predict", json.dumps({"texts": ["soup"]}).encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: dict[str, Any] = json.loads(answer.read())
    return content


def test_the_champion_answers_in_the_place_of_a_challenger_that_fails(tmp_path: Path) -> None:
    whole = tiny_predictor(tmp_path, "text-classification")
    host = make_host({"tiny": whole})
    challenger = LoadedVersion("tiny", "2", Broken(whole))  # type: ignore[arg-type]
    answered, failed = list[AnsweredRows](), list[FailedRows]()
    host.first.choosers.append(lambda _, served: challenger)
    host.first.watchers.append(answered.append)
    host.first.failure_watchers.append(failed.append)
    with serving_of(host) as address:
        assert ask(address)["version"] == "1"
    assert [one.served.version for one in failed] == ["2"]
    assert [one.served.version for one in answered] == ["1"]


def test_a_champion_that_fails_is_an_error_as_before(tmp_path: Path) -> None:
    host = make_host({"tiny": Broken(tiny_predictor(tmp_path, "text-classification"))})  # type: ignore[dict-item]
    with serving_of(host) as address, pytest.raises(urllib.error.HTTPError, match="500"):
        ask(address)
