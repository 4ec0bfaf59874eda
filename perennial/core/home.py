"""Where Perennial keeps what it makes: `.perennial/` in the working folder, or PERENNIAL_HOME."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from perennial.core.store import Store


@dataclass(frozen=True)
class Home:
    """The folder that holds the store, the pipelines' state and the embedded MLflow and Prefect stores."""

    root: Path
    mlflow_address: str | None = field(default=None, repr=False)
    """Where MLflow is; None: where the environment says. It may hold a password."""

    @classmethod
    def from_environment(cls) -> "Home":
        """PERENNIAL_HOME, or `.perennial` in the working folder. Makes nothing."""
        return cls(Path(os.environ.get("PERENNIAL_HOME", ".perennial")).expanduser().resolve())

    def with_mlflow_at(self, address: str) -> "Home":
        """The same folder beside another MLflow, as if MLFLOW_TRACKING_URI were `address`."""
        return replace(self, mlflow_address=address)

    @property
    def store(self) -> Store:
        """Step outputs."""
        return Store(self.root / "store")

    def state(self, pipeline: str) -> Path:
        """What the last run of `pipeline` left for the next: its snapshot heads."""
        return self.root / "state" / pipeline

    def checkpoints(self, key: str) -> Path:
        """Where the training run under `key` keeps what it needs to resume; removed when it ends."""
        return self.root / "checkpoints" / key

    @property
    def served(self) -> Path:
        """Which version of each model a server served last, a file a model."""
        return self.root / "served"

    @property
    def api_keys(self) -> Path:
        """The hashes of the keys that a server asks for, unless it is told another file."""
        return self.root / "api-keys.json"

    @property
    def tuning(self) -> Path:
        """What `perennial tune` found out, a file a pipeline."""
        return self.root / "tuning"

    @property
    def mlflow(self) -> Path:
        """MLflow's embedded database and artifacts."""
        return self.root / "mlflow"

    @property
    def prefect(self) -> Path:
        """Prefect's embedded database and settings."""
        return self.root / "prefect"
