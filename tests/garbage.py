"""Looking for garbage, which training does once a run and whenever memory runs out, made cheap.

It goes through all that was ever loaded, which takes half a second and more beside torch, MLflow and Prefect.
"""

import gc


def keep_what_is_loaded() -> None:
    """Take what is here by now for kept: it is not gone through again. Called once libraries are loaded."""
    gc.collect()
    gc.freeze()
