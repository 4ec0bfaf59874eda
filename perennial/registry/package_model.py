"""What MLflow runs to load a registered package: a script that it keeps beside the model, instead of a pickle.

MLflow executes this file; Perennial never imports it. The `perennial` it imports is the part of the library that is
kept with the model, so that a model loads where Perennial is not installed.
"""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd


class PackageModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A package behind MLflow's `predict`: a data frame with the column `text` (for some kinds also `text_pair`) in,
    one row of answers a row out."""

    def load_context(self, context: Any) -> None:
        """Load the package's ONNX graph and tokenizer; raises when its digests don't match."""
        from perennial.inference.predictor import Predictor

        self._predictor = Predictor(Path(context.artifacts["package"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """The columns of the predictor's answers, for example label, score and scores.

        Raises TypeError for an empty cell: in a file that may happen, in a request it is a mistake.
        """
        columns = {str(name): model_input[name].tolist() for name in model_input.columns}
        if missing := [name for name, cells in columns.items() if any(cell is None for cell in cells)]:
            raise TypeError(f"expected something in each row, got null in: {', '.join(missing)}")
        return pd.DataFrame(self._predictor.predict_columns(columns))


mlflow.models.set_model(PackageModel())
