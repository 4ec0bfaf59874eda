"""Tags in any scheme and spans, there and back; the likeliest tags are legal ones."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from span_tags import bio2

from perennial.inference import spans

LABELS = ("PER", "ORG", "B-X", "I")


@st.composite
def some_spans(draw: st.DrawFn) -> tuple[list[spans.Span], int]:
    """Spans that do not overlap, and the number of words they lie in."""
    gaps = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(LABELS)), max_size=6))
    found, place = [], 0
    for gap, size, label in gaps:
        found.append((place + gap, place + gap + size, label))
        place += gap + size
    return found, place + draw(st.integers(0, 2))


def bio1(found: list[spans.Span], words: int) -> list[str]:
    tags = ["O"] * words
    for start, end, label in found:
        touches = start > 0 and spans.split(tags[start - 1])[1] == label
        tags[start:end] = [f"{'B' if touches else 'I'}-{label}", *[f"I-{label}"] * (end - start - 1)]
    return tags


def four_parts(found: list[spans.Span], words: int, first: str, inside: str, last: str, only: str) -> list[str]:
    tags = ["O"] * words
    for start, end, label in found:
        inner = [f"{inside}-{label}"] * (end - start - 2)
        tags[start:end] = [f"{only}-{label}"] if end - start == 1 else [f"{first}-{label}", *inner, f"{last}-{label}"]
    return tags


SCHEMES = {
    "BIO2": bio2,
    "BIO1": bio1,
    "IOBES": lambda found, words: four_parts(found, words, *"BIES"),
    "BMES": lambda found, words: four_parts(found, words, *"BMES"),
    "BIOLU": lambda found, words: four_parts(found, words, *"BILU"),
}


@pytest.mark.parametrize("scheme", SCHEMES)
@given(some=some_spans(), joint=st.sampled_from("-_"))
def test_every_scheme_gives_the_spans_it_encodes(scheme: str, some: tuple[list[spans.Span], int], joint: str) -> None:
    found, words = some
    tags = [tag.replace("-", joint, 1) for tag in SCHEMES[scheme](found, words)]
    assert len(tags) == words
    assert spans.of_tags(tags) == found
    assert bio2(spans.of_tags(tags), words) == bio2(found, words)


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("", None),
        ("O O", None),
        ("B-PER I-PER O B-ORG", None),
        ("I-PER I-PER O", "BIO1"),
        ("B-PER I-ORG", "BIO1"),
        ("B-PER E-PER S-ORG", "IOBES"),
        ("B-PER I-PER E-PER", "IOBES"),
        ("B-PER M-PER E-PER", "BMES"),
        ("B-PER L-PER", "BIOLU"),
        ("U-PER", "BIOLU"),
        ("b-per i-per o b-org", None),
        ("i-per i-per o", "BIO1"),
    ],
)
def test_the_scheme_is_known_by_its_tags(tags: str, scheme: str | None) -> None:
    assert spans.scheme(tags.split()) == scheme


@pytest.mark.parametrize("tag", ["", "B", "B-", "-PER", "X-PER", "PER", "PER-B", "3", "bi-PER", "BI-PER", "O-PER"])
def test_a_tag_of_no_scheme_is_named(tag: str) -> None:
    for read in (spans.of_tags, spans.scheme):
        with pytest.raises(ValueError, match=f"^{tag}$"):
            read(["O", tag])


def test_tags_in_small_letters_are_tags() -> None:
    assert spans.of_tags(["b-per", "i-per", "o", "b-loc", "o", "s-org"]) == [
        (0, 2, "per"),
        (3, 4, "loc"),
        (5, 6, "org"),
    ]


@given(st.lists(st.sampled_from(["O", *(f"{prefix}-{label}" for prefix in "BI" for label in ("PER", "ORG"))])))
def test_illegal_bio_is_read_as_seqeval_reads_it(tags: list[str]) -> None:
    assert spans.of_tags(tags) == [(start, last + 1, label) for label, start, last in get_entities(tags)]


def is_legal(tags: list[int]) -> bool:
    return all(tag == 0 or tag % 2 == 1 or before in (tag - 1, tag) for before, tag in itertools.pairwise([0, *tags]))


def rows_of(flat: np.ndarray, lengths: list[int]) -> list[list[int]]:
    ends = np.cumsum([0, *lengths]).tolist()
    return [flat[start:end].tolist() for start, end in itertools.pairwise(ends)]


@given(
    lengths=st.lists(st.integers(0, 12), max_size=8),
    labels=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([0.0, 1.0, 1e3, 1e30]),
)
def test_the_likeliest_tags_are_legal_whatever_the_scores(
    lengths: list[int], labels: int, seed: int, spread: float
) -> None:
    draw = np.random.default_rng(seed)
    scores = draw.normal(size=(sum(lengths), spans.output_count([""] * labels))) * spread
    scores[draw.random(scores.shape) < 0.1] = -np.inf
    scores[:, spans.OUTSIDE] = np.maximum(scores[:, spans.OUTSIDE], -1e300)
    found = rows_of(spans.likeliest(scores, np.array(lengths, dtype=np.int64)), lengths)
    assert [len(row) for row in found] == lengths
    assert all(map(is_legal, found))


@given(words=st.integers(1, 4), labels=st.integers(1, 2), seed=st.integers(0, 2**32 - 1))
def test_no_other_legal_tags_are_likelier(words: int, labels: int, seed: int) -> None:
    width = spans.output_count([""] * labels)
    scores = np.log(np.random.default_rng(seed).dirichlet(np.ones(width), size=words))
    best = max(
        (list(tags) for tags in itertools.product(range(width), repeat=words) if is_legal(list(tags))),
        key=lambda tags: sum(scores[place, tag] for place, tag in enumerate(tags)),
    )
    assert spans.likeliest(scores, np.array([words])).tolist() == best


@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=8), seed=st.integers(0, 2**32 - 1))
def test_a_row_is_tagged_alike_alone_and_among_others(lengths: list[int], seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(sum(lengths), 5)) * 3
    together = rows_of(spans.likeliest(scores, np.array(lengths)), lengths)
    ends = np.cumsum([0, *lengths]).tolist()
    for row, (start, end) in enumerate(itertools.pairwise(ends)):
        assert spans.likeliest(scores[start:end], np.array([end - start])).tolist() == together[row]


def test_one_long_row_among_many_takes_no_room_for_all() -> None:
    import tracemalloc

    lengths = np.array([4_000, *[3] * 4_000])
    scores = np.random.default_rng(1).normal(size=(int(lengths.sum()), 5))
    tracemalloc.start()
    try:
        spans.likeliest(scores, lengths)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
