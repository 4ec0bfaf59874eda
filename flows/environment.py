"""What must be set before Prefect is imported: its home, its quiet, and no telemetry."""

import os
from pathlib import Path

from perennial import telemetry
from perennial.home import Home

_EMBEDDED = {
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "true",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
}


def prepare(home: Home) -> None:
    """Point Prefect at the embedded server under `home`, unless the environment says otherwise.

    With PREFECT_API_URL set, Prefect speaks to that server; PREFECT_HOME and PREFECT_LOGGING_LEVEL are kept, too.
    """
    telemetry.off()
    os.environ.setdefault("PREFECT_HOME", str(home.prefect))
    # Prefect does not make its home's parents, and its server then never starts.
    Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
    for name, value in _EMBEDDED.items():
        os.environ.setdefault(name, value)
