"""The installed libraries that a candidate is made and judged with: their versions, and loading them beforehand."""

import importlib
import importlib.metadata
import platform
from collections.abc import Iterable, Iterator
from contextlib import suppress

from perennial.core import telemetry

NAMES = (
    "perennial",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "great_expectations",
    "pyarrow",
    "pandas",
    "numpy",
    "scikit-learn",
    "cleanlab",
)

SLOW = ("great_expectations", "perennial.training.trainer", "onnxruntime")
"""What takes seconds to import, or imports what does."""


def load_slow() -> None:
    """Import SLOW, for what comes after. What is wrong with one is told where it is needed."""
    telemetry.off()
    for name in SLOW:
        with suppress(Exception):
            importlib.import_module(name)


def installed() -> dict[str, str]:
    """The version of Python and of each of NAMES that is there."""
    return {"python": platform.python_version(), **versions(NAMES)}


def versions(names: Iterable[str]) -> dict[str, str]:
    """The version of each of `names` that is installed."""
    return dict(_versions(names))


def _versions(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        # One of onnxruntime and onnxruntime-gpu is never there.
        with suppress(importlib.metadata.PackageNotFoundError):
            yield name, importlib.metadata.version(name)
