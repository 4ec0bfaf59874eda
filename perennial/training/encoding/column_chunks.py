"""Reading thousands of texts by their chunks at a time: Arrow splits them and tells which chunks are the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from typing import TYPE_CHECKING

from perennial.inference.chunks import LONGEST, Chunks

if TYPE_CHECKING:
    import pyarrow as pa

# Texts that are split at a time. The more, the fewer words are looked up more than once.
TEXTS = 10_000
LONG_WORD = f"[^ ]{{{LONGEST + 1}}}"


class ColumnChunks(Chunks):
    """Gives what `Chunks` gives, several times as fast for thousands of texts; slower for one."""

    def read(self, texts: Sequence[str]) -> Iterator[bytes]:
        """The token ids of each text, all of them, without special ones, as the bytes of 32-bit integers."""
        for first in range(0, len(texts), TEXTS):
            yield from self._of_some(texts[first : first + TEXTS])

    def _of_some(self, texts: Sequence[str]) -> Iterator[bytes]:
        import pyarrow as pa
        import pyarrow.compute as pc

        column = pa.array(texts, pa.large_string())
        apart = pc.match_substring_regex(column, LONG_WORD)
        by_words = self._by_words(column.filter(pc.invert(apart)))
        if not apart.true_count:
            return by_words
        whole = self.tokenized(list(compress(texts, apart.to_pylist())))
        return (next(whole if is_apart else by_words) for is_apart in apart.to_pylist())

    def _by_words(self, column: pa.Array) -> Iterator[bytes]:
        import pyarrow as pa
        import pyarrow.compute as pc

        words = pc.split_pattern(column, " ")
        coded = words.flatten().dictionary_encode()
        distinct = coded.dictionary.to_pylist()
        ids_by_word = self.learnt(set(distinct))
        ids = pa.array([ids_by_word[word] for word in distinct], pa.large_binary()).take(coded.indices)
        rows = pc.binary_join(type(words).from_arrays(words.offsets, ids), pa.scalar(b"", pa.large_binary()))
        return iter(rows.to_pylist())
