"""Edits: what they make of a text, and where spans are after them."""

from hypothesis import given
from hypothesis import strategies as st

from perennial.rows.text_edits import Edit, apply, moved_end, moved_start


@st.composite
def texts_with_edits(draw: st.DrawFn) -> tuple[str, list[Edit]]:
    text = draw(st.text(max_size=30))
    bounds = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pairs = list(zip(bounds[::2], bounds[1::2], strict=False))
    # Neighbours that touch at the same place would have no order.
    kept = [pair for place, pair in enumerate(pairs) if not place or pairs[place - 1][1] < pair[0]]
    return text, [Edit(start, end, draw(st.text(max_size=5))) for start, end in kept]


@given(texts_with_edits())
def test_what_is_outside_of_edits_stays_and_is_found_again(made: tuple[str, list[Edit]]) -> None:
    text, edits = made
    after = apply(text, edits)
    places = [0, *(place for edit in edits for place in (edit.start, edit.end)), len(text)]
    for start, end in zip(places[::2], places[1::2], strict=True):
        assert after[moved_start(edits, start) : moved_end(edits, end)] == text[start:end] or start == end


@given(texts_with_edits())
def test_an_edited_span_becomes_what_was_put_there(made: tuple[str, list[Edit]]) -> None:
    text, edits = made
    after = apply(text, edits)
    for edit in edits:
        if edit.start < edit.end:
            assert after[moved_start(edits, edit.start) : moved_end(edits, edit.end)] == edit.new
            inside = edit.start + 1
            if inside < edit.end:
                assert after[moved_start(edits, inside) : moved_end(edits, edit.end)] == edit.new


def test_what_is_put_in_beside_a_span_is_not_part_of_it() -> None:
    edits = [Edit(0, 0, "Update: "), Edit(4, 4, ", it says")]
    after = apply("Acme", edits)
    assert after == "Update: Acme, it says"
    assert after[moved_start(edits, 0) : moved_end(edits, 4)] == "Acme"


def test_a_name_that_becomes_longer_moves_what_follows() -> None:
    edits = [Edit(0, 3, "Katarzyna")]
    after = apply("Ann quits Acme", edits)
    assert after == "Katarzyna quits Acme"
    assert after[moved_start(edits, 0) : moved_end(edits, 3)] == "Katarzyna"
    assert after[moved_start(edits, 10) : moved_end(edits, 14)] == "Acme"
