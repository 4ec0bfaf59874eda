"""Words lie exactly where they are, in any text."""

import itertools
import time
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.inference.words import joined, stretches, touched, words_in

ODD = [
    *("Siemens", "AG", "e\u0301te\u0301", "\u0301", "中文", "株式会社", "ไทย", "น้ำ", "한국", "नमस्ते", "אבג", "₹1,000"),
    *("😀", "👩\u200d👩\u200d👧", "🇩🇪", "👍🏽", "❤\ufe0f", "🏴\U000e0067\U000e0062", "\ud83d", "\udc00", "\ufffd"),
    *("Ⅷ", "½", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u200b", "\u00ad", "\ufeff", "\x00", "\x85"),
    *(".", "—", "«", "'s"),
]
TEXTS = st.one_of(st.lists(st.sampled_from(ODD), max_size=20).map("".join), st.text())


def words_of(text: str) -> np.ndarray:
    return words_in([text])[0]


def said(text: str) -> list[str]:
    return [text[start:end] for start, end in words_of(text).tolist()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n\u00a0\u3000\u200b", []),
        ("Apple  buys\tU.S. firm", ["Apple", "buys", "U", ".", "S", ".", "firm"]),
        ("O'Neil\u00a0&\u00a0Co.'s", ["O", "'", "Neil", "&", "Co", ".", "'", "s"]),
        ("e\u0301te\u0301!\u0301a", ["e\u0301te\u0301", "!\u0301", "a"]),
        ("a \u0301b", ["a", "\u0301b"]),
        ("\u0301\u0302a", ["\u0301\u0302a"]),
        ("中国A股", ["中", "国", "A", "股"]),
        ("น้ำใส", ["น้", "ำ", "ใ", "ส"]),
        ("한국의 SK", ["한", "국", "의", "SK"]),
        ("TSLA🚀to❤\ufe0fx", ["TSLA", "🚀", "to", "❤\ufe0f", "x"]),
        ("👩\u200d👧", ["👩", "👧"]),
        ("€5.20", ["€", "5", ".", "20"]),
        ("a\ud83db", ["a", "\ud83d", "b"]),
        ("\ud83d\ude00", ["\ud83d", "\ude00"]),
    ],
)
def test_what_is_a_word(text: str, words: list[str]) -> None:
    assert said(text) == words


@given(TEXTS)
def test_words_are_in_order_and_cover_every_letter_and_digit(text: str) -> None:
    places = words_of(text)
    assert places.dtype == np.int64
    assert places.shape == (len(places), 2)
    assert (places[:, 0] < places[:, 1]).all()
    assert (places[1:, 0] >= places[:-1, 1]).all()
    covered = {place for start, end in places.tolist() for place in range(start, end)}
    for place, character in enumerate(text):
        assert (place in covered) != (character.isspace() or unicodedata.category(character) in ("Cc", "Cf"))
    assert not any(character.isspace() for word in said(text) for character in word)


@given(TEXTS)
def test_a_word_is_split_no_further(text: str) -> None:
    for word in said(text):
        assert said(word) == [word]


@given(st.lists(TEXTS, max_size=5))
def test_texts_do_not_touch_each_other(texts: list[str]) -> None:
    places, first = words_in(texts)
    assert first.tolist() == [sum(len(text) + 1 for text in texts[:row]) for row in range(len(texts))]
    each = [words_of(text) + start for text, start in zip(texts, first, strict=True)]
    assert places.tolist() == np.concatenate([np.empty((0, 2), np.int64), *each]).tolist()


@given(st.lists(st.text(max_size=4), max_size=6))
def test_tokens_lie_in_their_text_where_they_are_said_to(tokens: list[str]) -> None:
    text, places = joined(tokens)
    assert text == " ".join(tokens)
    assert [text[start:end] for start, end in places] == tokens
    assert all(end + 1 == start for (_, end), (start, _) in itertools.pairwise(places))


def test_stretches_touch_the_words_they_share_a_character_with() -> None:
    words = np.array([[0, 5], [6, 8], [8, 9]])
    starts, ends = np.array([0, 4, 5, 7, 9]), np.array([5, 7, 6, 9, 12])
    first, behind = touched(words, starts, ends)
    assert first.tolist() == [0, 0, 1, 1, 3]
    assert behind.tolist() == [1, 2, 1, 3, 3]
    assert stretches(first, behind).tolist() == [0, 0, 1, 1, 2]


@pytest.mark.parametrize("piece", ["中文", "word, ", "😀"])
def test_a_million_characters_take_little_time(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    started = time.process_time()
    words_of(text)
    assert time.process_time() - started < 2
