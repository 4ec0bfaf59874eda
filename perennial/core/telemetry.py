"""Turns off the telemetry of dependencies. Called right before each of them is first imported."""

import os

_OFF = {
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}


def off() -> None:
    """Set the environment variables by which each dependency's telemetry is switched off."""
    os.environ.update(_OFF)
