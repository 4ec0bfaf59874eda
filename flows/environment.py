"""What must be set before heavy libraries are imported: Prefect's home and quiet, threads that share, no telemetry."""

import os
from pathlib import Path

from perennial.core import telemetry
from perennial.core.home import Home

_EMBEDDED = {
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "true",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
}
# A failed task's traceback belongs on Prefect's page, not on the terminal, where the command says what went wrong.
_QUIET = {
    # It shows nothing, for its handlers let nothing through; the embedded server keeps its errors in a file.
    "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_HANDLERS_DEBUG_LEVEL": "CRITICAL",
}


def prepare(home: Home) -> None:
    """Point Prefect at the embedded server under `home`, unless the environment says otherwise.

    With PREFECT_API_URL set, Prefect speaks to that server. PREFECT_HOME is kept, too, and PREFECT_LOGGING_LEVEL makes
    Prefect talk on the terminal as well.
    """
    telemetry.off()
    share_cores()
    os.environ.setdefault("PREFECT_HOME", str(home.prefect))
    # Prefect does not make its home's parents, and its server then never starts.
    Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
    quiet = {} if "PREFECT_LOGGING_LEVEL" in os.environ else _QUIET
    for name, value in (_EMBEDDED | quiet).items():
        os.environ.setdefault(name, value)


def share_cores() -> None:
    """Let threads that wait for one another sleep instead of spin.

    By default OpenMP's spin: where anything else runs on the same cores, each waits for the one that is not running,
    and training takes more than twice as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
