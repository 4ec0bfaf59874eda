"""Digests depend on content alone, and on all of it."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.core import digest
from perennial.records.data import Part
from perennial.records.decision import Verdict
from perennial.settings.data import ExpectationSpec
from perennial.settings.training import TrainingSpec

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("size", [0, 1, digest.CHUNK_BYTES - 1, digest.CHUNK_BYTES, 2 * digest.CHUNK_BYTES + 1])
def test_a_files_digest_is_its_sha256(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "file").write_bytes(content[:size])
    assert digest.of_file(tmp_path / "file") == hashlib.sha256(content[:size]).hexdigest()


def test_a_missing_file_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digest.of_file(tmp_path / "nothing")


def test_names_count_and_their_order_does_not() -> None:
    assert digest.of_values(a=1, b=2) == digest.of_values(b=2, a=1)
    assert digest.of_values(a=1, b=2) != digest.of_values(a=2, b=1)
    assert digest.of_values(a={"x": 1, "y": 2}) == digest.of_values(a={"y": 2, "x": 1})
    assert digest.of_values(a=[1, 2]) != digest.of_values(a=[2, 1])
    assert len(digest.of_values()) == 64


def test_values_of_different_types_differ() -> None:
    values: list[object] = [1, "1", True, "true", None, "null", "", [], {}, 0, 1.5, [1], {"1": 1}]
    assert len({digest.of_values(value=value) for value in values}) == len(values)


def test_records_and_settings_are_hashed_by_their_content() -> None:
    part = Part(path="a", sha256="b", rows=1)
    assert digest.of_values(part=part) == digest.of_values(part=Part(path="a", sha256="b", rows=1))
    assert digest.of_values(part=part) == digest.of_values(part=part.model_dump(mode="json"))
    assert digest.of_values(part=part) != digest.of_values(part=part.model_copy(update={"rows": 2}))
    assert digest.of_values(parts=(part,)) == digest.of_values(parts=[part])
    assert digest.of_values(a=TrainingSpec()) != digest.of_values(a=TrainingSpec(seed=43))
    assert digest.of_values(verdict=Verdict.PASS) == digest.of_values(verdict="pass")
    assert digest.of_values(path=Path("a") / "b") == digest.of_values(path="a/b")


def test_an_expectations_own_arguments_count() -> None:
    ten, twenty = (ExpectationSpec.model_validate({"type": "e", "min_value": value}) for value in (10, 20))
    assert digest.of_values(expectation=ten) != digest.of_values(expectation=twenty)


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object()], ids=["set", "bytes", "object"])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=f"got {type(value).__name__}"):
        digest.of_values(value=value)


@given(one=PLAIN, other=PLAIN)
def test_equal_digests_mean_equal_values(one: object, other: object) -> None:
    same = digest.of_values(value=one) == digest.of_values(value=other)
    if same:
        assert one == other
    if repr(one) == repr(other):
        assert same


def test_a_digest_is_the_same_in_every_process() -> None:
    code = "from perennial.core import digest; print(digest.of_values(labels=('b', 'a'), share=0.1, text='ä'))"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in ("0", "1")
    }
    assert digests == {digest.of_values(labels=("b", "a"), share=0.1, text="ä")}
