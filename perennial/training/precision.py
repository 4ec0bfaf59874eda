"""What training computes in: bf16 where the processor multiplies matrices faster in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from perennial.inference import cpu

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "bf16"]
CPU_FLAGS = {"amx_bf16", "avx512_bf16", "bf16"}
"""x86's matrix and vector units, and Arm's, as Linux names them; elsewhere bf16 is emulated and slow."""
WORTH = 1.2
"""How many times as fast bf16 must be. Processors lie far on either side: 2.7 times and half the speed of fp32 were
measured, so the same one always answers the same."""
ROWS, WIDTH = 1024, 512
"""Of the products that are timed, as a small encoder has them."""
ROUNDS = 5


def choose_precision(asked: Literal["auto", "fp32", "bf16"]) -> Precision:
    """`asked`, or for auto bf16 where the GPU has it, or else where the CPU is measured to be faster in it."""
    if asked != "auto":
        return asked
    import torch

    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    # That a CPU has the instructions does not say that they are fast.
    return "bf16" if CPU_FLAGS & set(cpu.cpu_features()) and _gain() >= WORTH else "fp32"


@lru_cache(maxsize=1)
def _gain() -> float:
    """How many times as fast a product of matrices is in bf16 as in fp32, on one core."""
    import torch

    threads = torch.get_num_threads()
    # On several cores the product would wait for whatever else runs on one of them.
    torch.set_num_threads(1)
    try:
        products = [_product(dtype) for dtype in (torch.float32, torch.bfloat16)]
        rounds = [[_seconds(product) for product in products] for _ in range(ROUNDS)]
    finally:
        torch.set_num_threads(threads)
    exact, low = (float(min(times)) for times in zip(*rounds, strict=True))
    return exact / low


def _product(dtype: torch.dtype) -> Callable[[], torch.Tensor]:
    import torch

    rows, weights = torch.ones(ROWS, WIDTH, dtype=dtype), torch.ones(WIDTH, WIDTH, dtype=dtype)
    return lambda: rows @ weights


def _seconds(call: Callable[[], object]) -> float:
    """The processor's time, so that what else the machine does does not count."""
    started = time.thread_time()
    call()
    return time.thread_time() - started
