"""Two texts read together: what is kept of pairs that are too long, and what is no pair."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import write_tiny_tokenizer
from tokenizers import Tokenizer as Backend
from tokenizers import processors

from perennial.inference import decoders
from perennial.inference.tokenization import Tokenizer

BERT = {"single": "[CLS] $A [SEP]", "pair": "[CLS] $A [SEP] $B:1 [SEP]:1"}
ROBERTA = {"single": "[CLS] $A [SEP]", "pair": "[CLS] $A [SEP] [SEP] $B:1 [SEP]:1"}
# The tiny model's own tokenizer has no template for pairs: nothing stands between them.
NONE = {"single": "[CLS] $A [SEP]"}
TEMPLATES = {"bert": BERT, "roberta": ROBERTA, "none": NONE}
WORDS = st.sampled_from(["profit", "sales", "loss", "rose", "zebra", "中文", "…"])
TEXTS = st.lists(WORDS, max_size=40).map(" ".join)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tokenizer.json for each template."""
    folder = tmp_path_factory.mktemp("pairs")
    return {name: write(folder / f"{name}.json", template) for name, template in TEMPLATES.items()}


def write(path: Path, template: dict[str, str]) -> Path:
    write_tiny_tokenizer(path)
    backend = Backend.from_file(str(path))
    special = [("[CLS]", 2), ("[SEP]", 3)]
    backend.post_processor = processors.TemplateProcessing(**template, special_tokens=special)  # type: ignore[arg-type]
    backend.save(str(path))
    return path


def whole(file: Path, pair: tuple[str, str], max_length: int) -> list[int]:
    """The library's own: both texts tokenized to their ends, then the longer one cut first."""
    backend = Backend.from_file(str(file))
    backend.enable_truncation(max_length, strategy="longest_first")
    return list(backend.encode(*pair).ids)


def of_two_long_ones(file: Path, pair: tuple[str, str], max_length: int) -> list[list[int]]:
    """Where neither text is read to its end, nobody knows which is longer: the odd token may go to either."""
    backend = Backend.from_file(str(file))
    room = max_length - backend.num_special_tokens_to_add(True)
    found = []
    for kept in {room // 2, room - room // 2}:
        first, second = (backend.encode(text, add_special_tokens=False) for text in pair)
        if min(len(first), len(second)) > max_length:
            first.truncate(kept)
            second.truncate(room - kept)
            found.append(list(backend.post_process(first, second).ids))
    return found


@given(pairs=st.lists(st.tuples(TEXTS, TEXTS), max_size=4), max_length=st.integers(8, 33))
@pytest.mark.parametrize("template", TEMPLATES)
def test_pairs_are_cut_as_the_library_cuts_whole_ones(
    template: str, pairs: list[tuple[str, str]], max_length: int, files: dict[str, Path]
) -> None:
    file = files[template]
    ids, truncated = Tokenizer(file, max_length).encode_pairs(pairs)
    assert all(row.dtype == np.int32 for row in ids)
    for row, pair in zip(ids, pairs, strict=True):
        assert row.tolist() in (whole(file, pair, max_length), *of_two_long_ones(file, pair, max_length))
    lengths = [len(Backend.from_file(str(file)).encode(*pair).ids) for pair in pairs]
    assert truncated == sum(length > max_length for length in lengths)


@pytest.mark.parametrize(
    ("words", "kept"),
    [((3, 3), (3, 3)), ((5, 8), (5, 8)), ((20, 2), (11, 2)), ((2, 20), (2, 11)), ((20, 20), (6, 7)), ((9, 8), (7, 6))],
)
def test_the_longer_text_is_cut_first(words: tuple[int, int], kept: tuple[int, int], files: dict[str, Path]) -> None:
    [ids], truncated = Tokenizer(files["bert"], 16).encode_pairs([("profit " * words[0], "loss " * words[1])])
    profit, loss = 4, 6
    assert [(ids == token).sum() for token in (profit, loss)] == list(kept)
    assert truncated == (words != kept)


@pytest.mark.parametrize("piece", ["profit warning ", "中文"])
def test_two_long_texts_cost_no_more_than_their_beginnings(piece: str, files: dict[str, Path]) -> None:
    # Joining each rest of one with each rest of the other took gigabytes.
    text = piece * (5_000_000 // len(piece.encode()))
    tokenizer = Tokenizer(files["bert"], 128)
    started = time.process_time()
    [ids], truncated = tokenizer.encode_pairs([(text, text)])
    assert time.process_time() - started < 1
    assert (len(ids), truncated) == (128, 1)
    shorter = piece * 400
    assert ids.tolist() == whole(files["bert"], (shorter, shorter), 128)


@pytest.mark.parametrize("pair", [("", ""), ("profit", ""), ("", "\0"), ("\ud83d profit", "中文"), ("😀", "\u202e")])
def test_any_two_strings_are_a_pair(pair: tuple[str, str], files: dict[str, Path]) -> None:
    [ids], truncated = Tokenizer(files["bert"], 16).encode_pairs([pair])
    assert (ids[0], ids[-1], (ids == 3).sum(), truncated) == (2, 3, 2, 0)


@pytest.mark.parametrize(
    ("row", "seen"),
    [("ab", "got str"), (("a",), "got 1 texts"), (("a", "b", "c"), "got 3 texts"), (None, "got NoneType")],
)
def test_what_is_no_pair_is_refused(row: Any, seen: str, files: dict[str, Path]) -> None:
    with pytest.raises(TypeError, match=rf"expected pairs of texts \(text, text_pair\), {seen}"):
        Tokenizer(files["bert"], 16).encode_pairs([row])
    with pytest.raises(TypeError, match="expected texts of type str, got int"):
        Tokenizer(files["bert"], 16).encode_pairs([("a", 1)])  # type: ignore[list-item]


def test_the_decoder_reads_both_columns(files: dict[str, Path]) -> None:
    decoder, tokenizer = decoders.decoder_named("text-pair"), Tokenizer(files["bert"], 16)
    inputs = decoder.inputs({"text": ["profit", None], "text_pair": ["loss", "sales"]})
    assert inputs == [("profit", "loss"), ("", "sales")]
    encoded = decoder.encode(inputs, tokenizer)
    assert [row.tolist() for row in encoded.segments] == [whole(files["bert"], pair, 16) for pair in inputs]
    assert decoder.columns == (("text", "text_pair"),)
