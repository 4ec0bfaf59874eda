"""What is installed: Python, packages, the base model, ONNX Runtime, and what the processor can do."""

import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

import perennial
from perennial.core import incompatible_packages, telemetry
from perennial.core.errors import BaseModelError, listing
from perennial.core.home import Home
from perennial.core.incompatible_packages import installed_version
from perennial.doctor.finding import HealthFinding

MIN_PYTHON = (3, 11)
CONSTRAINTS = "constraints.txt"
SETUP = "Run `make setup`, or install perennial again with its extra `cpu` or `gpu`."
RUNTIMES = ("onnxruntime", "onnxruntime-gpu")
MODULES = {
    "phonenumberslite": "phonenumbers",
    "python-stdnum": "stdnum",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "onnxruntime-gpu": "onnxruntime",
}
"""Packages that are imported under another name than their own."""
IMPORT_SECONDS = 180
_IMPORT = """
import importlib, json, sys
failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = type(error).__name__
print(json.dumps(failed))
"""


def python(_: Home) -> Iterator[HealthFinding]:
    """Python is new enough."""
    observed = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < MIN_PYTHON:
        yield HealthFinding.problem("Python", observed, f"Install Python {'.'.join(map(str, MIN_PYTHON))} or newer.")
    else:
        yield HealthFinding.ok("Python", observed)


def mlflow_folder(_: Home) -> Iterator[HealthFinding]:
    """No folder here is imported in place of the package mlflow."""
    intruders = [root / "mlflow" for root in _roots() if (root / "mlflow" / "__init__.py").exists()]
    if intruders:
        observed = f"{intruders[0]}/__init__.py makes Python import that folder instead of the package mlflow"
        yield HealthFinding.problem("folder mlflow/", observed, f"Remove {intruders[0]}/__init__.py.")
    else:
        yield HealthFinding.ok("folder mlflow/", "no __init__.py, so the installed package is imported")


def telemetry_off(_: Home) -> Iterator[HealthFinding]:
    """No dependency reports its use to anybody."""
    telemetry.off()
    yield HealthFinding.ok("telemetry", "switched off for every dependency before it is imported")


def packages(_: Home) -> Iterator[HealthFinding]:
    """Everything Perennial needs is installed, and only one ONNX Runtime."""
    missing = [name for name in required() if importlib.util.find_spec(module_of(name)) is None]
    runtimes = [name for name in RUNTIMES if installed_version(name)]
    if missing:
        yield HealthFinding.problem("packages", f"not installed: {listing(missing, 30)}", SETUP)
    if len(runtimes) > 1:
        yield HealthFinding.problem(
            "packages",
            "onnxruntime and onnxruntime-gpu are both installed; they share one folder and overwrite each other",
            "Uninstall both, then install the one for this machine (make setup chooses).",
        )
    if not runtimes:
        yield HealthFinding.problem("packages", "neither onnxruntime nor onnxruntime-gpu is installed", SETUP)
    if not missing and len(runtimes) == 1:
        yield HealthFinding.ok(
            "packages", f"all {len(required()) + 1} there, with {runtimes[0]} {installed_version(runtimes[0])}"
        )


def versions(_: Home) -> Iterator[HealthFinding]:
    """The installed versions are those of constraints.txt, which were tested together."""
    file = next((root / CONSTRAINTS for root in _roots() if (root / CONSTRAINTS).is_file()), None)
    if file is None:
        yield HealthFinding.ok("versions", f"no {CONSTRAINTS} here to compare with")
        return
    pinned = re.findall(r"^([\w.-]+)==([^\s;#]+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    differ = [
        f"{name} {installed} (not {pin})"
        for name, pin in pinned
        if (installed := installed_version(name)) and not _same(installed, pin)
    ]
    if differ:
        yield HealthFinding.warning("versions", f"other than in {CONSTRAINTS}: {listing(differ)}", "Run `make setup`.")
    else:
        yield HealthFinding.ok("versions", f"as in {CONSTRAINTS}")


def pairs(_: Home) -> Iterator[HealthFinding]:
    """No two installed packages are known not to work together, though their own requirements allow it."""
    clashing = list(incompatible_packages.installed_pairs())
    for pair in clashing:
        yield HealthFinding.problem("pairs", pair.observed, pair.pair.remedy)
    if not clashing:
        yield HealthFinding.ok("pairs", "no two packages here are known not to work together")


def base_model(_: Home) -> Iterator[HealthFinding]:
    """The default base model is there, and is what it claims to be."""
    from perennial.training import base_model

    name = next(iter(base_model.PACKAGED))
    try:
        base_model.packaged_folder(name)
    except BaseModelError as error:
        yield HealthFinding.problem("base model", error.problem, error.remedy)
    else:
        yield HealthFinding.ok("base model", f"{name}, its sha256 as expected")


def onnx_runtime(_: Home) -> Iterator[HealthFinding]:
    """ONNX Runtime loads, and uses the GPU if it was installed for one."""
    import onnxruntime as ort

    observed = f"{ort.__version__} with {listing(ort.get_available_providers())}"
    if installed_version("onnxruntime-gpu") and not _cuda_works():
        yield HealthFinding.warning(
            "ONNX Runtime",
            f"{observed}: built for CUDA, but a session falls back to the CPU (no GPU, or CUDA's libraries are "
            "missing)",
            "Install CUDA and cuDNN in the versions this ONNX Runtime asks for, or use ACCEL=cpu make setup.",
        )
    else:
        yield HealthFinding.ok("ONNX Runtime", observed)


def processor(_: Home) -> Iterator[HealthFinding]:
    """What training and inference compute on."""
    import torch

    from perennial.inference import cpu
    from perennial.training import precision

    gpu = f"GPU {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else "no GPU"
    observed = f"{cpu.cores()} cores, {gpu}, training is in {precision.choose_precision('auto')}"
    if not torch.cuda.is_available() and not cpu.multiplies_int8():
        remedy = "It still works; on CPUs with VNNI (or Arm's dot product) int8 is faster and rounds as in training."
        yield HealthFinding.warning("processor", f"{observed}, int8 products are emulated", remedy)
    else:
        yield HealthFinding.ok("processor", observed)


def imports(_: Home) -> Iterator[HealthFinding]:
    """The packages really import: tried in a process of its own, so that a crash is only a finding."""
    failed = failing([module_of(name) for name in required()])
    if failed:
        failures = [f"{name} ({error})" for name, error in failed.items()]
        remedy = f"Versions may not fit each other: install those of {CONSTRAINTS} (make setup)."
        yield HealthFinding.problem("imports", f"can't be imported: {listing(failures, 10)}", remedy)
    else:
        yield HealthFinding.ok("imports", "every package Perennial needs imports")


def required() -> list[str]:
    """Names of the packages that perennial says it needs, without extras; none if it is not installed itself."""
    try:
        stated = metadata.requires("perennial") or []
    except metadata.PackageNotFoundError:
        return []
    return [re.split(r"[\s;<>=!~\[(]", line)[0] for line in stated if "extra ==" not in line]


def module_of(package: str) -> str:
    """The name a package is imported under."""
    return MODULES.get(package, package.replace("-", "_"))


def failing(modules: Sequence[str]) -> dict[str, str]:
    """Those of `modules` that can't be imported, with the kind of error."""
    telemetry.off()
    command = [sys.executable, "-c", _IMPORT, *modules]
    try:
        done = subprocess.run(command, capture_output=True, timeout=IMPORT_SECONDS, check=False, text=True)
        last = done.stdout.strip().rpartition("\n")[2]
        return dict(json.loads(last))
    except subprocess.TimeoutExpired:
        return {"one of them": f"not done in {IMPORT_SECONDS} s"}
    except ValueError:
        return {"one of them": f"Python ended with code {done.returncode}"}


def _roots() -> list[Path]:
    return [Path.cwd(), Path(os.path.abspath(perennial.__file__)).parent.parent]  # noqa: PTH100  (links are kept)


def _same(installed: str, pinned: str) -> bool:
    # A local build such as 2.13.0+cpu is that version.
    return installed == pinned or installed.partition("+")[0] == pinned


def _cuda_works() -> bool:
    import onnx
    import onnxruntime as ort

    one = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    two = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Abs", ["x"], ["y"])], "probe", [one], [two])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    session = ort.InferenceSession(
        model.SerializeToString(), providers=["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    return "CUDAExecutionProvider" in session.get_providers()
