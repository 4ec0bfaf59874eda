"""Memory that goes back to the system when a version serves no more.

glibc keeps what was freed, in a pool ("arena") of its own for each thread that asked; a new version, loaded by another
thread or into gaps that are a little too small, then takes new memory, and a server grows with every swap. So there are
few arenas, and what is free in them is given back after a swap.
"""

import ctypes
import gc
from functools import cache
from typing import Any

M_ARENA_MAX = -8
"""glibc's number for `how many arenas there may be at most` (malloc.h)."""
ARENAS = 2
"""One for the event loop and what loads versions, one for the model: more are faster only for many busy threads."""


@cache
def _glibc() -> Any:
    """The C library of this process, if it is glibc; None: it is another, which keeps less, or can't be asked."""
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None
    except OSError:
        return None


def use_few_arenas() -> None:
    """From now on; arenas that are there stay. To be called before threads are started."""
    if library := _glibc():
        library.mallopt(M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Give the system what is free. Takes milliseconds."""
    gc.collect()
    if library := _glibc():
        library.malloc_trim(0)
