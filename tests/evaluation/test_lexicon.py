"""The dictionary of spans seen finds them again, the longest first."""

from perennial.metrics.lexicon import find_spans, learn_lexicon


def spans(text: str, *learned: tuple[str, str, str]) -> list[tuple[str, str]]:
    """What is found in `text` after learning (text, span, label)."""
    targets = [[(row.index(span), row.index(span) + len(span), label)] for row, span, label in learned]
    (found,) = find_spans(learn_lexicon([row for row, _, _ in learned], targets), [text])
    return [(text[span["start"] : span["end"]], span["label"]) for span in found]


YORK = ("in York today", "York", "LOC")
NEW_YORK = ("in New York", "New York", "LOC")
TIMES = ("the New York Times", "New York Times", "ORG")


def test_the_longest_span_from_the_left_is_found() -> None:
    text = "New York Times: New\tYork, York and New Jersey"
    assert spans(text, YORK, NEW_YORK, TIMES) == [("New York Times", "ORG"), ("New\tYork", "LOC"), ("York", "LOC")]


def test_the_commonest_label_is_given() -> None:
    other = ("York plc rose", "York", "ORG")
    assert spans("York", YORK, other, other) == [("York", "ORG")]


def test_a_longer_span_need_not_fit_in_the_rest() -> None:
    assert spans("New York", NEW_YORK, TIMES, ("New York Times Group Ltd", "New York Times Group Ltd", "ORG")) == [
        ("New York", "LOC")
    ]


def test_words_are_whole_and_as_they_were_written() -> None:
    assert spans("Yorks york Yorkshire New-York", NEW_YORK, YORK) == [("York", "LOC")]


def test_nothing_learned_finds_nothing() -> None:
    assert find_spans(learn_lexicon([], []), ["New York", ""]) == [[], []]
    assert find_spans(learn_lexicon(["a \u200b b"], [[(2, 3, "LOC")]]), ["a \u200b b"]) == [[]], "a span without a word"
    assert find_spans(learn_lexicon(["York"], [[(0, 4, "LOC")]]), []) == []


def test_every_text_is_searched_by_itself() -> None:
    known = learn_lexicon(["in New York"], [[(3, 11, "LOC")]])
    found = find_spans(known, ["New", "York", "", "to New York", "New York"])
    assert [[(span["start"], span["end"]) for span in row] for row in found] == [[], [], [], [(3, 11)], [(0, 8)]]
