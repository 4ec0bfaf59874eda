import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.rows.folding import fold, folded, normalise, normalised
from perennial.rows.splits import SEPARATOR, fingerprint, split_keys, splits_of_keys, text_key, text_keys
from perennial.settings.data import DataSpec, SplitsSpec

DEFAULT, FOLDED = SplitsSpec(), SplitsSpec(by="folded_text")
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
    assert text_keys([column, column]) == [text_key(SEPARATOR.join([normalise(text or "")] * 2)) for text in texts]


@given(st.lists(st.none() | st.text("aB 7Ä\u00a0ﬁ\n<>/&;amp#\xff\u200b😀", max_size=12) | TEXT))
def test_columns_are_folded_as_texts_are(texts: list[str | None]) -> None:
    column = pa.array(texts, pa.string())
    assert folded(column) == [fold(text or "") for text in texts]
    assert split_keys([column], None, FOLDED) == [text_key(fold(text or "")) for text in texts]


@given(st.text("abcXYZÄöñ éΣ 019.,!-", max_size=60), st.text(" \t\n\r\u00a0\u3000", max_size=4))
def test_case_whitespace_and_width_share_a_split(text: str, space: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
    variants = [text, text.upper(), text.lower(), wide, space + text + space, text.replace(" ", f" {space}")]
    keys = text_keys([pa.array(variants)])
    assert len(set(keys)) == 1
    assert len(set(splits_of_keys(keys, DEFAULT))) == 1


SAME = [
    "Great product, well made", "Great product, well made!!", "GREAT  PRODUCT\u3000well-made",
    "Great pro\u200bduct well made", "<p>Great <b>product</b>, well made</p>", "Great&nbsp;product, well&#32;made",
    "&lt;b&gt;Great&lt;/b&gt; product well made", "Great product (2), well made 100%",
    "Ｇreat product, well made™ 😀\ufe0f", "“Great” product – well\u00admade",
]  # fmt: skip


def test_what_edits_a_text_only_a_little_keeps_its_split() -> None:
    assert {fold(text) for text in SAME} == {"greatproductwellmade"}
    assert len(set(split_keys([pa.array(SAME)], None, FOLDED))) == 1
    assert len(set(text_keys([pa.array(SAME)]))) > 6, "by the text alone they are others"


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("नमस्ते, दुनिया! १२", "नमस्तेदुनिया"),
        ("日本語、テスト。2026", "日本語テスト"),
        ("Что-то NEW…", "чтотоnew"),
        ("Cafe\u0301 №5", "café"),
        ("12,345 😀!", "12,345 😀!"),
        ("5&nbsp;%", "5&nbsp;%"),
        ("", ""),
    ],
)
def test_letters_of_any_script_stay_and_a_text_without_any_is_itself(text: str, letters: str) -> None:
    assert fold(text) == letters


def test_of_two_texts_the_one_asked_for_decides() -> None:
    first, second = pa.array(["A dog.", "a dog!", "a cat"]), pa.array(["sits", "runs", "Runs 2"])
    keys = {
        by: split_keys([first, second], None, SplitsSpec(by=by)) for by in ("folded_text", "first_text", "second_text")
    }
    assert [len(set(found)) for found in keys.values()] == [3, 2, 2]
    assert keys["first_text"][0] == keys["first_text"][1] == text_key("adog")
    assert keys["second_text"][1] == keys["second_text"][2] == text_key("runs")


def test_a_group_is_in_one_split_and_a_row_without_one_goes_by_its_text() -> None:
    texts, by = pa.array(["one", "two", "One!", "one", "g"]), SplitsSpec(by="group")
    keys = split_keys([texts], pa.array(["g", "g", None, "", None]), by)
    assert keys[0] == keys[1]
    assert keys[2:] == split_keys([texts[2:]], None, FOLDED)
    assert keys[0] != keys[4], "a group is no text"


def test_each_way_of_splitting_is_told_apart_and_the_first_is_called_what_it_was() -> None:
    def data(by: str, **columns: str) -> DataSpec:
        source = {"type": "file", "path": "a.csv"}
        return DataSpec.model_validate({"source": source, "columns": columns, "splits": {"by": by}})

    assert fingerprint(data("text")) == fingerprint(data("text", group="a")) == "validation=0.1 test=0.15"
    others = [data("folded_text"), data("first_text"), data("group", group="a"), data("group", group="b")]
    assert len({fingerprint(one) for one in others} | {fingerprint(data("text"))}) == 5
    assert SplitsSpec().model_dump() == {"validation": 0.1, "test": 0.15}


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
    keys = text_keys([pa.array(["a", "a b", "a b", None]), pa.array(["b", None, "", "a b"])])
    assert keys[1] == keys[2]
    assert len(set(keys)) == 3
