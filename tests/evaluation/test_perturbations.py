"""Named changes of texts and swapped terms: small, repeatable, safe for any string."""

import re
from collections import Counter
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.evaluation.behaviours import perturbations, terms
from perennial.evaluation.behaviours.perturbations import NAMED
from perennial.rows.text_edits import apply
from perennial.settings.behaviours import BUILT_IN_GROUPS, Change

WORDS = (
    "Mary",
    "he",
    "HER",
    "German",
    "Profit",
    "12%",
    "3,400.5m",
    "Q3",
    "naïve",
    "e\u0301",
    "🙂",
    "東京",
    "-",
    ".",
    "Smith's",
)
TEXTS = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
DIGITS = re.compile(r"[0-9]")


def drawing(seed: int = 0) -> Random:
    return Random(seed)  # noqa: S311 - not for secrets


def changed(name: str, text: str, seed: int = 0) -> str:
    return apply(text, NAMED[name]([text], drawing(seed))[0])


def test_the_settings_name_all_changes_and_groups() -> None:
    assert set(get_args(Change)) == set(NAMED)
    assert set(BUILT_IN_GROUPS) == set(terms.built_in_terms())


@pytest.mark.parametrize("name", NAMED)
@given(text=TEXTS, seed=st.integers(0, 99))
def test_the_same_seed_changes_any_string_in_the_same_way(name: str, text: str, seed: int) -> None:
    once = changed(name, text, seed)
    assert once == changed(name, text, seed)
    if text.isprintable():
        once.encode()


@pytest.mark.parametrize("name", sorted(set(NAMED) - {"numbers"}))
@given(text=TEXTS, seed=st.integers(0, 99))
def test_only_the_change_of_numbers_changes_digits(name: str, text: str, seed: int) -> None:
    assert DIGITS.findall(changed(name, text, seed)) == DIGITS.findall(text)


@given(text=TEXTS, seed=st.integers(0, 99))
def test_a_typo_keeps_every_character_and_both_ends_of_each_word(text: str, seed: int) -> None:
    after = changed("typo", text, seed)
    assert Counter(after) == Counter(text)
    differing = [place for place, (a, b) in enumerate(zip(text, after, strict=True)) if a != b]
    assert len(differing) in (0, 2)
    for word in re.finditer(r"[^\W\d_]+", text):
        assert not {word.start(), word.end() - 1} & set(differing)


@given(text=TEXTS, seed=st.integers(0, 99))
def test_numbers_stay_as_long_as_they_were_and_all_else_stays(text: str, seed: int) -> None:
    after = changed("numbers", text, seed)
    assert DIGITS.sub("0", after) == DIGITS.sub("0", text)


@pytest.mark.parametrize("kept", ["Q3", "2nd", "COVID19", "x2", "no digits", "v1.2.3rc"])
def test_what_only_looks_like_a_number_stays(kept: str) -> None:
    assert changed("numbers", kept) == kept


@pytest.mark.parametrize("text", ["12%", "12m", "$40 million", "€2.5bn", "1,200.50", "in 2026", "up 7."])
def test_a_number_changes_in_its_last_digit_and_never_to_nothing(text: str) -> None:
    after = changed("numbers", text)
    assert after != text
    assert sum(a != b for a, b in zip(after, text, strict=True)) == 1


@given(text=TEXTS)
def test_case_changes_nothing_but_case(text: str) -> None:
    for name in ("upper", "lower"):
        assert changed(name, text).casefold() == text.casefold() or not text.isascii()


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("It rose", "It rose."),
        ("It rose.", "It rose"),
        ("It rose!", "It rose"),
        ("Rose?", "Rose?"),
        ("So …", "So …"),
        ("", ""),
    ],
)
def test_the_full_stop_comes_and_goes(text: str, after: str) -> None:
    assert changed("final_punctuation", text) == after


@given(text=TEXTS, seed=st.integers(0, 9))
def test_neutral_words_leave_the_text_whole(text: str, seed: int) -> None:
    after = changed("neutral_words", text, seed)
    assert text in after
    assert len(after) > len(text)


def swapped(lists: list[list[str]], *texts: str, seed: int = 0) -> list[str]:
    found = terms.swaps(terms.terms_of(lists), texts, drawing(seed))
    return [apply(text, edits) for text, edits in zip(texts, found, strict=True)]


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("he said", "she said"),
        ("He said HE", "She said SHE"),
        ("The theatre", "The theatre"),
        ("she-wolf and he", "he-wolf and she"),
        ("his shares, not him", "her shares, not her"),
    ],
)
def test_genders_are_swapped_as_whole_words_in_their_case(text: str, after: str) -> None:
    assert changed("genders", text) == after


def test_a_name_is_found_as_written_or_in_capitals_only() -> None:
    lists = [["Rose Bank", "Lily Bank"]]
    assert swapped(lists, "Rose Bank, ROSE BANK's") == ["Lily Bank, LILY BANK's"]
    assert swapped(lists, "rose bank, Rose Banker, Roses") == ["rose bank, Rose Banker, Roses"]


def test_a_term_becomes_the_same_one_everywhere_and_none_that_is_there() -> None:
    for seed in range(20):
        one, other = swapped([["Ann", "Bea", "Cleo", "Dora"]], "Ann meets Bea; Ann wins", "Ann?", seed=seed)
        first, second, again = re.findall(r"Ann|Bea|Cleo|Dora", one)
        assert {first, second} == {"Cleo", "Dora"}
        assert again == first
        assert other == f"{first}?"


def test_two_terms_never_become_one_where_the_list_is_long_enough() -> None:
    for seed in range(20):
        one, other = re.findall(r"Ann|Bea|Cleo", swapped([["Ann", "Bea", "Cleo"]], "Ann buys Bea", seed=seed)[0])
        assert one != other


def test_the_longest_term_is_taken() -> None:
    assert swapped([["South Africa", "Peru"], ["South", "North"]], "South Africa, South") == ["Peru, North"]


def test_an_article_goes_on_fitting() -> None:
    for seed in range(30):
        assert re.match(r"an [AEIOU]", changed("nationalities", "an American firm", seed))


def test_terms_of_scripts_without_spaces_are_found() -> None:
    assert swapped([["東京", "大阪"]], "私は東京にいる") == ["私は大阪にいる"]


@given(texts=st.lists(TEXTS, max_size=6))
def test_every_text_with_a_term_is_among_those_that_may_have_one(texts: list[str]) -> None:
    for group in BUILT_IN_GROUPS:
        known = terms.terms_of(terms.built_in_terms()[group])
        having = [place for place, text in enumerate(texts) if terms.swaps(known, [text], drawing())[0]]
        assert set(having) <= set(terms.rows_with_terms(known, texts))


@given(text=TEXTS, seed=st.integers(0, 9))
def test_a_swap_never_leaves_a_term_of_a_text_as_it_was(text: str, seed: int) -> None:
    known = terms.terms_of(terms.built_in_terms()["names"])
    edits = terms.swaps(known, [text], drawing(seed))[0]
    assert all(text[edit.start : edit.end] != edit.new for edit in edits)


def test_replacing_goes_one_way_only() -> None:
    change = perturbations.replacing({"rose": "fell", "fell": "stayed"})
    text = "It rose, then fell; ROSE"
    assert apply(text, change([text], drawing())[0]) == "It fell, then stayed; FELL"
