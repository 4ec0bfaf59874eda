"""MinHash of texts: a few numbers of each, from which is seen how much two have in common, and which to compare.

A text is its shingles, the runs of SHINGLE letters that it has (Broder 1997). It is kept as the least hash of a shingle
in each of HASHES classes (one-permutation MinHash: Li, Owen and Zhang 2012). Two texts of which some band of ROWS such
hashes agrees are worth comparing (banding: Leskovec, Rajaraman and Ullman, *Mining of Massive Datasets*, chapter 3).

Broder 1997, *Compression and Complexity of Sequences* · Li, Owen and Zhang 2012, *NeurIPS* · Shrivastava 2017, *ICML*
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SHINGLE = 5
"""Letters."""
HASHES = 128
BANDS, ROWS = 32, 4
"""Texts whose hashes agree in all ROWS of any of the BANDS are compared: of those with a similarity of 0.75 all but one
in 100,000, of those with 0.5 seven in eight."""
NONE = np.uint32(0xFFFFFFFF)
"""Where a text has no shingle of that class."""
_ATTEMPTS = 64


def least_hashes(texts: Sequence[str]) -> np.ndarray:
    """Of each text the least hash of a shingle in each class; one that is shorter than a shingle is one."""
    whole = [text.ljust(SHINGLE, "\0") for text in texts]
    codes = np.frombuffer("".join(whole).encode("utf-32-le"), np.uint32)
    lengths = np.fromiter(map(len, whole), np.int64, len(whole))
    begins = np.ones(len(codes), bool)
    for back in range(1, SHINGLE):
        begins[np.cumsum(lengths) - back] = False
    positions = np.flatnonzero(begins)
    hashed = np.zeros(len(positions), np.uint64)
    for letter in range(SHINGLE):
        hashed = hashed * np.uint64(0x9E3779B97F4A7C15) + codes[positions + letter]
    hashed = mixed(hashed)
    classes = np.repeat(np.arange(len(whole)) * HASHES, lengths - SHINGLE + 1) + (hashed % HASHES).astype(np.int64)
    least = np.full(len(whole) * HASHES, NONE, np.uint32)
    np.minimum.at(least, classes, (hashed >> np.uint64(32)).astype(np.uint32))
    return least.reshape(len(whole), HASHES)


def band_keys(hashes: np.ndarray) -> np.ndarray:
    """One number for each text and band. A class without a shingle borrows the hash of another, the same for all texts
    as far as they have it (Shrivastava 2017), or short texts would agree in what they lack."""
    filled = hashes.copy()
    rows, columns = np.nonzero(hashes == NONE)
    for lender in np.random.default_rng(0).integers(HASHES, size=(_ATTEMPTS, HASHES)):
        lent = hashes[rows, lender[columns]]
        has = lent != NONE
        filled[rows[has], columns[has]] = lent[has]
        rows, columns = rows[~has], columns[~has]
    filled[rows, columns] = hashes.min(axis=1, initial=NONE)[rows]
    bands = np.zeros((len(hashes), BANDS), np.uint64)
    for row in range(ROWS):
        bands = mixed(bands + filled[:, row::ROWS])
    return bands


def mixed(numbers: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit depends on every one."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = numbers ^ (numbers >> np.uint64(31))
    return mixed
