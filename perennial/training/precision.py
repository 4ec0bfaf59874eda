"""What the processor computes in natively."""

from typing import Literal

from perennial.inference import cpu

Precision = Literal["fp32", "bf16"]
CPU_FLAGS = {"amx_bf16", "avx512_bf16", "bf16"}
"""x86's matrix and vector units, and Arm's, as Linux names them; elsewhere bf16 is emulated and slow."""


def choose(asked: Literal["auto", "fp32", "bf16"]) -> Precision:
    """`asked`, or for auto bf16 where the GPU, or else the CPU, computes in it natively."""
    if asked != "auto":
        return asked
    import torch

    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if CPU_FLAGS & set(cpu.features()) else "fp32"
