"""bf16 as a processor that has it computes it, on one that has not: the same numbers, and not thirty times as slow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from perennial.inference import cpu
from perennial.training import precision


@contextmanager
def bf16_products() -> Iterator[None]:
    """For the block, products of bf16 matrices are computed in fp32 and rounded, where the processor has no units for
    them: those, too, add up in fp32 what they multiply, and round the sums."""
    import torch

    if torch.cuda.is_available() or precision.CPU_FLAGS & set(cpu.cpu_features()):
        yield
        return
    with _mode():
        yield


def _mode() -> Any:
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_map

    aten = torch.ops.aten
    products = {aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default}

    class Rounded(TorchDispatchMode):
        """Products by way of fp32."""

        def __torch_dispatch__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
        ) -> Any:
            low = func in products and any(
                isinstance(one, torch.Tensor) and one.dtype == torch.bfloat16 for one in args
            )
            if not low:
                return func(*args, **(kwargs or {}))
            wide = tree_map(lambda one: one.float() if isinstance(one, torch.Tensor) else one, args)
            return func(*wide, **(kwargs or {})).to(torch.bfloat16)

    return Rounded()
