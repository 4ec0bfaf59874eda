"""What the figures were measured on."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from perennial.inference import cpu

VERSIONS = (
    *("torch", "transformers", "tokenizers", "datasets", "onnxruntime", "onnxruntime-gpu"),
    *("great_expectations", "mlflow", "prefect"),
)


def describe() -> dict[str, object]:
    """Processor, cores, the features that decide speed, and the versions that matter."""
    return {
        "processor": _processor(),
        "cores": cpu.cores(),
        "features": list(cpu.cpu_features()),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {name: version for name in VERSIONS if (version := _version(name))},
    }


def in_words(described: dict[str, Any]) -> str:
    """What `describe` found, on one line."""
    versions = ", ".join(f"{name} {version}" for name, version in described["versions"].items())
    return (
        f"{described['processor']}, {described['cores']} cores ({', '.join(described['features'])}), "
        f"load {described['load']}, Python {described['python']}, {versions}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
