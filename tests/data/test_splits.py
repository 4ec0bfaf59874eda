import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.rows.splits import (
    keys_and_splits,
    normalise,
    normalised,
    splits_of_keys,
    text_key,
    text_keys,
)
from perennial.settings.data import SplitsSpec

DEFAULT = SplitsSpec()
LEADING = 13
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)

# For ever: a change here moves rows between splits, and a model would be judged on rows it was trained on.
PINNED = [
    (
        "Profit warning sends shares down 12%",
        "profit warning sends shares down 12%",
        "c7923af07ee6814896ff7d250bf018d2",
    ),
    ("  ＦＵＬＬ　width\tand\nlines  ", "full width and lines", "2ce22a3c9a96be7c149463ff3541b023"),
    ("Straße ﬁnanziert", "strasse finanziert", "cf0c20e2e402876aa87d405a18e4ad19"),
    ("", "", "cae66941d9efbd404e4d88758ea67670"),
]


@pytest.mark.parametrize(("text", "normal", "key"), PINNED)
def test_normal_form_and_key_are_pinned(text: str, normal: str, key: str) -> None:
    assert normalise(text) == normal
    assert text_key(normal) == key


@pytest.mark.parametrize(
    ("key", "split"),
    [
        ("0" * 32, "test"),
        ("2666666666666" + "f" * 19, "test"),
        ("2666666666667" + "0" * 19, "validation"),
        ("4000000000000" + "0" * 19, "train"),
        ("3ffffffffffff" + "f" * 19, "validation"),
        ("f" * 32, "train"),
    ],
)
def test_limits_are_pinned(key: str, split: str) -> None:
    assert split_of(key, DEFAULT) == split
    assert splits_of_keys([key], DEFAULT) == [split]


def split_of(key: str, splits: SplitsSpec) -> str:
    """What is meant, one key after the other: the fraction itself decides."""
    fraction = int(key[:LEADING], 16) / 16.0**LEADING
    if fraction < splits.test:
        return "test"
    return "validation" if fraction < splits.test + splits.validation else "train"


@given(TEXT)
def test_normalising_is_idempotent(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.lists(st.none() | st.text("aB Ä\u00a0ﬁ\t\n\x1c\x7f!~İΣ", max_size=8) | TEXT))
def test_columns_are_read_as_rows_are(texts: list[str | None]) -> None:
    column = pa.array(texts, pa.string())
    assert normalised(column) == [normalise(text or "") for text in texts]
    assert text_keys([column, column]) == keys_and_splits([(text, text) for text in texts], DEFAULT)[0]


@given(st.text("abcXYZÄöñ éΣ 019.,!-", max_size=60), st.text(" \t\n\r\u00a0\u3000", max_size=4))
def test_case_whitespace_and_width_share_a_split(text: str, space: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
    variants = [text, text.upper(), text.lower(), wide, space + text + space, text.replace(" ", f" {space}")]
    keys, split = keys_and_splits([(variant,) for variant in variants], DEFAULT)
    assert len(set(keys)) == 1
    assert len(set(split)) == 1


@given(st.lists(st.binary(min_size=16, max_size=16)), st.floats(0.01, 0.49), st.floats(0.01, 0.49))
def test_batch_version_agrees(keys: list[bytes], test: float, validation: float) -> None:
    spec = SplitsSpec(test=test, validation=validation)
    assert splits_of_keys([key.hex() for key in keys], spec) == [split_of(key.hex(), spec) for key in keys]


def test_shares_are_as_asked_and_enlarging_one_moves_no_other_row() -> None:
    keys = [text_key(f"text {number}") for number in range(20_000)]
    small, large = SplitsSpec(test=0.15, validation=0.1), SplitsSpec(test=0.15, validation=0.2)
    assert splits_of_keys(keys, small).count("test") == pytest.approx(3_000, rel=0.06)
    assert splits_of_keys(keys, small).count("validation") == pytest.approx(2_000, rel=0.06)
    moved = {
        pair
        for pair in zip(splits_of_keys(keys, small), splits_of_keys(keys, large), strict=True)
        if pair[0] != pair[1]
    }
    assert moved == {("train", "validation")}


def test_several_texts_are_told_apart_from_one() -> None:
    keys, _ = keys_and_splits([("a", "b"), ("a b", None), ("a b", ""), (None, "a b")], DEFAULT)
    assert keys[1] == keys[2]
    assert len(set(keys)) == 3
