"""What the processor computes in natively."""

import platform
from pathlib import Path
from typing import Literal

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
    return "bf16" if CPU_FLAGS & cpu_flags() else "fp32"


def cpu_flags() -> frozenset[str]:
    """The CPU's feature flags; empty where the system does not tell (then nothing is assumed)."""
    if platform.system() != "Linux":
        return frozenset()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith(("flags", "Features")):
            return frozenset(line.partition(":")[2].split())
    return frozenset()
