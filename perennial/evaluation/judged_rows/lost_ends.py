"""How many rows are longer than the model reads, and how much of them it never sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from perennial import kinds
from perennial.core import progress
from perennial.inference import decoders, package
from perennial.inference.decoders import Input
from perennial.inference.tokenization import Tokenizer
from perennial.records.evaluation import CutRows, LostEnds

CHUNK_ROWS = 1_000
MOST_ROWS = 20_000
"""Of a split; of more, every so many'th is looked at."""
WHOLE = 1 << 20
"""Tokens; no text that passes validation has more."""


def measure_lost_ends(kind: str, folder: Path, splits: Mapping[str, Sequence[Input]]) -> LostEnds:
    """The rows of each split that the package in `folder` reads the beginning of only; what is lost is told."""
    lost = count_lost_ends(kind, folder / package.TOKENIZER, package.read_package(folder).max_length, splits)
    if lost.any:
        progress.note(lost.sentence)
    return lost


def count_lost_ends(kind: str, tokenizer: Path, length: int, splits: Mapping[str, Sequence[Input]]) -> LostEnds:
    """The rows of each split that are longer than `length` tokens, by the tokenizer.json `tokenizer`."""
    if kinds.kind_named(kind).reads_whole:
        counted = {name: CutRows(rows=len(inputs), cut=0, tokens=0, tokens_cut=0) for name, inputs in splits.items()}
        return LostEnds(max_length=length, splits=counted)
    read, whole = (Tokenizer(tokenizer, most) for most in (length, WHOLE))
    cut = {name: _cut_rows(kind, inputs, read, whole) for name, inputs in splits.items()}
    return LostEnds(max_length=length, splits=cut)


def _cut_rows(kind: str, inputs: Sequence[Input], read: Tokenizer, whole: Tokenizer) -> CutRows:
    every = -(-len(inputs) // MOST_ROWS) or 1
    looked_at = inputs[::every]
    decoder = decoders.decoder_named(kind)
    cut = tokens = kept = 0
    for start in range(0, len(looked_at), CHUNK_ROWS):
        chunk = looked_at[start : start + CHUNK_ROWS]
        encoded = decoder.encode(chunk, read)
        here = sum(map(len, encoded.segments))
        cut, kept = cut + encoded.truncated, kept + here
        tokens += sum(map(len, decoder.encode(chunk, whole).segments)) if encoded.truncated else here
    return CutRows(rows=len(looked_at), cut=cut, tokens=tokens, tokens_cut=tokens - kept)
