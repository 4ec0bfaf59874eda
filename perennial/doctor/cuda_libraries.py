"""Whether CUDA's libraries, some gigabytes, were installed where there is no GPU to use them."""

from collections.abc import Iterable, Iterator
from importlib import metadata

from perennial.core.home import Home
from perennial.doctor.finding import HealthFinding

PREFIX = "nvidia-"
WORTH_A_WORD = 100_000_000
"""Bytes: a package that only asks the driver is small."""
REMEDY = (
    "It works, they only take room and time. To be rid of them: `make clean`, then `make setup ACCEL=cpu "
    "TORCH_INDEX=…` with your index of CPU wheels of torch, or a folder of such wheels; torch's page on how to install "
    "it names one."
)


def cuda_libraries(_: Home) -> Iterator[HealthFinding]:
    """No CUDA libraries are installed where no GPU answers."""
    import torch

    names, size = installed(metadata.distributions())
    if torch.cuda.is_available() or size < WORTH_A_WORD:
        yield HealthFinding.ok("CUDA libraries", f"{size / 1e9:.1f} GB" if names else "none, and none are needed")
    else:
        yield HealthFinding.warning("CUDA libraries", in_words(names, size), REMEDY)


def say() -> None:
    """Print what `make setup` says of a machine without a GPU; nothing where there is nothing to say."""
    names, size = installed(metadata.distributions())
    if size >= WORTH_A_WORD:
        print(f"Note: {in_words(names, size)}. {REMEDY}")  # noqa: T201 - for make, before there is a command line


def installed(distributions: Iterable[metadata.Distribution]) -> tuple[list[str], int]:
    """Names of NVIDIA's packages among `distributions`, and the bytes that their files take."""
    theirs = {one.name: one for one in distributions if one.name.lower().startswith(PREFIX)}
    return sorted(theirs), sum(file.size or 0 for one in theirs.values() for file in one.files or ())


def in_words(names: list[str], size: int) -> str:
    """What is there and not needed."""
    return f"{len(names)} packages of CUDA libraries ({size / 1e9:.1f} GB) are installed, and no GPU answers here"
