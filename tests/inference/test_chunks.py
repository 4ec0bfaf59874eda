"""Reading texts by their chunks gives what the tokenizers library gives for the whole, and is used where that holds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import tiny_texts, write_tiny_tokenizer
from tokenizers import Tokenizer as Backend

from perennial.inference import chunks
from perennial.inference.chunks import Chunks
from perennial.inference.tokenization import Tokenizer
from perennial.training.encoding import column_chunks
from perennial.training.encoding.column_chunks import ColumnChunks


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chunks") / "tokenizer.json"
    write_tiny_tokenizer(path)
    return path


@pytest.fixture(scope="module", params=[Chunks, ColumnChunks])
def reader(request: pytest.FixtureRequest, file: Path) -> Chunks:
    made: Chunks = request.param(Backend.from_file(str(file)))
    return made


def ids(reader: Chunks, texts: list[str]) -> list[list[int]]:
    return [np.frombuffer(content, np.int32).tolist() for content in reader.read(texts)]


def whole(file: Path, texts: list[str]) -> list[list[int]]:
    encodings = Backend.from_file(str(file)).encode_batch(texts, add_special_tokens=False)
    return [encoding.ids for encoding in encodings]


# Everything that normalization looks at: marks that combine, control characters, all kinds of white space, special
# tokens inside of words, scripts without spaces, letters that get longer or shorter in lower case.
TEXT = st.lists(
    st.one_of(
        st.sampled_from(
            [" ", "  ", "profit", "[SEP]", "[UNK]s", "Σίγμας", "İ", "ß", "\u0301", "e\u0301", "\u200b", "\x1c"]
        ),
        st.text(max_size=5),
        st.sampled_from(["中文", "\u00a0", "\t", "\n", "\u3000", "x" * 70, "한국어", "ﬁ", "\u202e", "'s", "3.5%"]),
    ),
    max_size=12,
).map("".join)


@settings(max_examples=5 * settings.default.max_examples)
@given(texts=st.lists(TEXT, max_size=6))
def test_chunks_give_the_ids_of_the_whole(texts: list[str], file: Path, reader: Chunks) -> None:
    readable = [text.encode(errors="ignore").decode() for text in texts]
    assert ids(reader, readable) == whole(file, readable)


@pytest.mark.parametrize("kind", [Chunks, ColumnChunks])
def test_what_is_known_stays_bounded(kind: type[Chunks], file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "ROOM", 40)
    monkeypatch.setattr(chunks, "TEXTS", 3)
    monkeypatch.setattr(column_chunks, "TEXTS", 3)
    reader = kind(Backend.from_file(str(file)))
    texts = [f"profit {number} rose" for number in range(200)] + tiny_texts(20)
    assert ids(reader, texts) == whole(file, texts)
    longest = max(len(set(" ".join(texts[first : first + 3]).split())) for first in range(0, len(texts), 3))
    assert len(reader._ids_by_word) <= 40 + longest


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("normalizer", {"type": "Replace", "pattern": {"String": " a"}, "content": "b"}),
        ("pre_tokenizer", {"type": "Whitespace"}),
        ("pre_tokenizer", {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}),
        ("added_tokens", [{"id": 9, "content": "New York", "lstrip": False, "rstrip": False, "single_word": False}]),
        ("added_tokens", [{"id": 9, "content": "<mask>", "lstrip": True, "rstrip": False, "single_word": False}]),
    ],
)
def test_other_tokenizers_read_whole_texts(part: str, change: Any, file: Path) -> None:
    content = json.loads(file.read_text())
    assert chunks.can_be_used(content)
    assert not chunks.can_be_used({**content, part: change})


@pytest.mark.parametrize("kind", [Chunks, ColumnChunks])
def test_special_tokens_stand_around_what_is_kept(kind: type[Chunks], file: Path) -> None:
    texts = ["profit", "", "profit rose " * 20]
    backend = Backend.from_file(str(file))
    backend.enable_truncation(16)
    rows, truncated = Tokenizer(file, 16, kind).encode(texts)
    assert [row.tolist() for row in rows] == [backend.encode(text).ids for text in texts]
    assert truncated == 1
