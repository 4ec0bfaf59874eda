"""What this process may use of the CPU: how many cores, and which instructions that decide speed and rounding."""

import math
import os
import platform
from pathlib import Path

# Instruction sets by which ONNX Runtime chooses its kernels; an int8 product may round differently without them.
FEATURES = frozenset(
    {"avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16"}
    | {"asimddp", "i8mm", "bf16", "sve", "sve2"}
)
INT8_PRODUCTS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})


def cores() -> int:
    """Physical cores this process may run on, and no more than its container's share of CPU time; at least 1."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    physical = {_siblings(number) for number in usable}
    return max(1, min(len(physical), _quota()))


def cpu_features() -> tuple[str, ...]:
    """The instruction sets among FEATURES that this CPU has, sorted, after the machine's architecture."""
    return (platform.machine(), *sorted(FEATURES & _flags()))


def multiplies_int8() -> bool:
    """Whether the CPU adds up int8 products in 32 bits; AVX2 alone does so in 16 and saturates."""
    return bool(INT8_PRODUCTS & _flags()) or not platform.machine().startswith(("x86", "AMD64", "i686"))


def _siblings(number: int) -> str:
    """The hyperthreads of the core that logical CPU `number` is on."""
    try:
        return Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list").read_text(encoding="ascii")
    except OSError:
        return str(number)


def _quota() -> int:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # no cgroup v2, or the quota is "max"
        return os.cpu_count() or 1


def _flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    line = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return set(line.partition(":")[2].split())
