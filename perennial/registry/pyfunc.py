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

SCRIPT = Path(__file__).with_name("package_model.py")
EXAMPLE = ("The new timetable starts on Monday.", "Nobody liked the soup, but the bread was excellent.")
CODE = ("errors.py", "telemetry.py", "inference")
REQUIREMENTS = ("mlflow", "numpy", "onnxruntime", "pandas", "tokenizers")
# The kept part must not hide the rest of the library where that is installed, be it in place (pip install -e).
FALL_THROUGH = """
import sys as _sys
from pkgutil import extend_path as _extend_path

__path__ = _extend_path(__path__, __name__)
for _finder in _sys.meta_path:
    _spec = _finder.find_spec(__name__, None)
    __path__ += [place for place in (_spec and _spec.submodule_search_locations) or [] if place not in __path__]
"""


def save(folder: Path, package: Path, package_digest: str, logged: "LoggedModel") -> None:
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
            input_example=_example(),
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


def _example() -> Any:
    import pandas as pd

    return pd.DataFrame({"text": list(EXAMPLE)})


def _signature(package: Path) -> "ModelSignature":
    from mlflow.models import infer_signature

    from perennial.inference.predictor import Predictor

    return infer_signature(_example(), Predictor(package).predict(list(EXAMPLE)))


@contextmanager
def _code(folder: Path) -> Iterator[Path]:
    source = Path(perennial.__file__).parent
    folder.mkdir()
    start = (source / "__init__.py").read_text(encoding="utf-8")
    (folder / "__init__.py").write_text(start + FALL_THROUGH, encoding="utf-8")
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
