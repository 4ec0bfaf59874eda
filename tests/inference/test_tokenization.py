"""Texts become the same ids however long they are, and a cut never changes them."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import TINY_MAX_LENGTH, tiny_texts, write_tiny_tokenizer
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers, trainers

from perennial.core.errors import PackageError
from perennial.inference.tokenization import Tokenizer


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    write_tiny_tokenizer(path)
    return path


@pytest.fixture(scope="module")
def byte_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("byte-pairs") / "tokenizer.json"
    tokenizer = Backend(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(tiny_texts(50), trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet))
    tokenizer.save(str(path))
    return path


def whole(file: Path, text: str, max_length: int) -> list[int]:
    """The ids of all of `text`, cut after tokenizing."""
    backend = Backend.from_file(str(file))
    backend.enable_truncation(max_length)
    return list(backend.encode(text).ids)


def test_rows_keep_their_order_and_end_at_max_length(file: Path) -> None:
    texts = tiny_texts(40)
    ids, truncated = Tokenizer(file, TINY_MAX_LENGTH).encode(texts)
    assert [row.tolist() for row in ids] == [whole(file, text, TINY_MAX_LENGTH) for text in texts]
    assert all(row.dtype == np.int32 and len(row) <= TINY_MAX_LENGTH for row in ids)
    assert truncated == sum(len(text.split()) > TINY_MAX_LENGTH - 2 for text in texts) > 0


def test_no_texts_give_no_rows(file: Path) -> None:
    assert Tokenizer(file, 16).encode([]) == ([], 0)


@pytest.mark.parametrize("text", ["", "\0", "a\0b", "😀 profit", "\ud83d profit", "\u202e\ufeff", "\r\n\t", "中文"])
def test_any_string_is_tokenized(file: Path, text: str) -> None:
    ids, truncated = Tokenizer(file, 16).encode([text, "profit"])
    assert (ids[0][0], ids[0][-1], truncated) == (2, 3, 0)
    assert ids[1].tolist() == whole(file, "profit", 16)


PIECES = st.sampled_from(
    ["profit", " ", "  ", "\n", " \n ", "\t", "loss", "x" * 90, "中", "é", "\0", "…", "'s", "sales", "\u00a0"]
)


@settings(max_examples=3 * settings.default.max_examples)
@given(pieces=st.lists(PIECES, max_size=60), times=st.sampled_from([1, 30, 300]))
@pytest.mark.parametrize("name", ["file", "byte_pairs"])
def test_a_long_text_gives_the_ids_of_the_whole(
    name: str, pieces: list[str], times: int, file: Path, byte_pairs: Path
) -> None:
    chosen = {"file": file, "byte_pairs": byte_pairs}[name]
    text = "".join(pieces) * times
    ids, truncated = Tokenizer(chosen, 16).encode([text])
    assert ids[0].tolist() == whole(chosen, text, 16)
    backend = Backend.from_file(str(chosen))
    assert truncated == (len(backend.encode(text).ids) > 16)


def test_words_after_much_white_space_still_count(file: Path) -> None:
    text = " " * 100_000 + "profit" + " " * 100_000 + "fell"
    assert Tokenizer(file, 16).encode([text])[0][0].tolist() == whole(file, "profit fell", 16)


@pytest.mark.parametrize("piece", ["profit warning ", "中文", "profit\n"])
def test_ten_megabytes_cost_no_more_than_their_beginning(file: Path, piece: str) -> None:
    text = piece * (10_000_000 // len(piece.encode()))
    tokenizer = Tokenizer(file, 128)
    started = time.process_time()
    ids, truncated = tokenizer.encode([text])
    assert time.process_time() - started < 1
    assert (len(ids[0]), truncated) == (128, 1)


def test_a_tokenizer_that_need_not_split_at_spaces_reads_the_whole_text(tmp_path: Path, byte_pairs: Path) -> None:
    settings_ = json.loads(byte_pairs.read_text())
    settings_["pre_tokenizer"]["use_regex"] = False
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(settings_))
    text = "profit fell " * 2_000
    assert Tokenizer(path, 16).encode([text])[0][0].tolist() == whole(path, text, 16)


def test_the_padding_token_is_found(file: Path, byte_pairs: Path) -> None:
    assert Tokenizer(file, 16).pad_id == 0
    assert Tokenizer(byte_pairs, 16).pad_id == 0


def test_something_else_than_a_tokenizer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text("{}")
    with pytest.raises(PackageError, match=r"tokenizer\.json is no tokenizer"):
        Tokenizer(path, 16)


def test_something_else_than_a_text_is_refused(file: Path) -> None:
    with pytest.raises(TypeError, match="expected texts of type str, got NoneType"):
        Tokenizer(file, 16).encode(["profit", None])  # type: ignore[list-item]
