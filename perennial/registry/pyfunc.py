"""Wraps a package as an MLflow model from code: the package, a script, and the code that reads packages. No pickle."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import perennial
from perennial.registry import packages

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.models import Model, ModelSignature

    from perennial.inference.decoders import Columns

SCRIPT = Path(__file__).with_name("package_model.py")
EXAMPLE = ("The new timetable starts on Monday.", "Nobody liked the soup, but the bread was excellent.")
FAR = 20.0
"""An output that leaves no doubt."""
CODE = (
    "core/errors.py",
    "core/masking.py",
    "core/model_families.py",
    "core/plugins.py",
    "core/telemetry.py",
    "inference",
)
REQUIREMENTS = ("mlflow", "numpy", "onnxruntime", "pandas", "tokenizers")
# The kept part must not hide the rest of the library where that is installed, be it in place (pip install -e).
FALL_THROUGH = """
import sys as _sys
from pkgutil import extend_path as _extend_path

__path__ = _extend_path(__path__, __name__)
for _finder in _sys.meta_path:
    _spec = _finder.find_spec(__name__, None)
    __path__ += [path for path in (_spec and _spec.submodule_search_locations) or [] if path not in __path__]
"""
# Within it the parent's search path, extended as above, leads to the rest.
FALL_THROUGH_INSIDE = """
from pkgutil import extend_path as _extend_path

__path__ = _extend_path(__path__, __name__)
"""


def save_pyfunc(folder: Path, package: Path, package_digest: str, logged: "LoggedModel") -> None:
    """Write the MLflow model of `package` into `folder`, which must not exist; `logged` is where it will go.

    The package is loaded and answers the input example, which gives the signature. Raises RegistryError if the package
    is not whole.
    """
    import mlflow

    with TemporaryDirectory(prefix="perennial-") as scratch, _code(Path(scratch) / "perennial") as code:
        staged = packages.copy(package, Path(scratch) / packages.FOLDER, package_digest)
        mlflow.pyfunc.save_model(
            folder,
            mlflow_model=_model(logged),
            python_model=SCRIPT,
            artifacts={packages.FOLDER: str(staged)},
            code_paths=[str(code)],
            signature=_signature(staged),
            input_example=_example(staged),
            pip_requirements=[_pinned(name) for name in REQUIREMENTS],
        )


def _model(logged: "LoggedModel") -> "Model":
    from mlflow.models import Model

    return Model(
        artifact_path=logged.artifact_location,
        run_id=logged.source_run_id,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
    )


def _example(package: Path) -> Any:
    import pandas as pd

    from perennial.inference import decoders
    from perennial.inference.package import read_package

    # The columns of texts, whatever the kind; lists would need a signature of their own.
    columns = decoders.decoder_named(read_package(package).kind).columns[-1]
    return pd.DataFrame({name: list(EXAMPLE) for name in columns})


def _signature(package: Path) -> "ModelSignature":
    from mlflow.models import infer_signature

    example = _example(package)
    return infer_signature(example, _possible_answers(package, example.to_dict("list")))


def _possible_answers(package: Path, columns: "Columns") -> list[dict[str, Any]]:
    """What would be answered to `columns` if each of the model's outputs in turn were by far the largest.

    The model's own answers may hold no label or no span, and of an empty list nobody can tell what it is a list of.
    """
    import numpy as np

    from perennial.inference.package import TOKENIZER
    from perennial.inference.predictor import Predictor
    from perennial.inference.tokenization import Tokenizer

    predictor = Predictor(package)
    decoder, info = predictor.decoder, predictor.package
    inputs = decoder.inputs(columns)
    encoded = decoder.encode(inputs, Tokenizer(package / TOKENIZER, info.max_length))
    outputs = predictor.outputs(inputs)
    width = outputs[0].shape[-1]
    largest = np.where(np.eye(width, dtype=bool), FAR, -FAR).astype(np.float32)
    return [
        answer
        for row in largest
        for answer in decoder.decode([np.broadcast_to(row, output.shape) for output in outputs], encoded, info)
    ]


@contextmanager
def _code(folder: Path) -> Iterator[Path]:
    source = Path(perennial.__file__).parent
    for part, rest in ((".", FALL_THROUGH), ("core", FALL_THROUGH_INSIDE)):
        (folder / part).mkdir()
        start = (source / part / "__init__.py").read_text(encoding="utf-8")
        (folder / part / "__init__.py").write_text(start + rest, encoding="utf-8")
    for name in CODE:
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source / name, folder / name)
    yield folder


def _pinned(name: str) -> str:
    try:
        return f"{name}=={version(name)}"
    except PackageNotFoundError:
        # onnxruntime-gpu is the same import under another name.
        return f"{name}-gpu=={version(f'{name}-gpu')}"
