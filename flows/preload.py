"""What a run imports while Prefect's server starts, which takes seconds, too."""

from perennial.core import libraries
from perennial.registry import tracking


def for_a_run(*, all_of_it: bool) -> None:
    """Import Prefect and MLflow, which every run needs; with `all_of_it` what the steps need, too."""
    import flows.retrain  # noqa: F401 - with Prefect, which reads its settings when it is imported

    tracking.load_mlflow()
    if all_of_it:
        libraries.load_slow()
