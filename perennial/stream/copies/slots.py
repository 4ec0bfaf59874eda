"""Which remembered text has a band of hashes that a new one has: a table of fixed size, in which new displaces old."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from perennial.rows.likeness import minhash
from perennial.stream.copies.wording import sketched

_NOBODY = -1


class BandSlots:
    """A slot holds the last text whose band led there: two bands may share one, so what is found is compared.

    A near copy shares many of its 32 bands with the text it is of, so that one lost to another text does no harm.
    """

    def __init__(self, most: int) -> None:
        """`most`: about as many texts are remembered; 128 bytes each."""
        self._size = 1 << max(10, (most - 1).bit_length())
        self._slots = [array("i", [_NOBODY]) * self._size for _ in range(minhash.BANDS)]

    def places(self, letters: Sequence[str]) -> list[list[int]]:
        """The slot of each band of each text."""
        if not letters:
            return []
        keys = minhash.band_keys(minhash.least_hashes([sketched(one) for one in letters]))
        places: list[list[int]] = (keys % np.uint64(self._size)).astype(np.int64).tolist()
        return places

    def found(self, places: Sequence[int]) -> set[int]:
        """Numbers of texts that share a slot."""
        numbers = {slots[slot] for slots, slot in zip(self._slots, places, strict=True)}
        numbers.discard(_NOBODY)
        return numbers

    def put(self, places: Sequence[int], number: int) -> None:
        """Remember text `number` in its slots."""
        for slots, slot in zip(self._slots, places, strict=True):
            slots[slot] = number
