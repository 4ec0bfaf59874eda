"""`perennial serve`: settings found, the log set up, the server run."""

import json
import logging
import time
from collections.abc import Sequence

from perennial.core.errors import SpecError
from perennial.core.home import Home
from perennial.pipeline_file import loader
from perennial.settings.serving import ServingSpec


def serve(
    model: str, version: str | None, host: str, port: int, overrides: Sequence[str], *, wait: bool, as_json: bool
) -> None:
    """Serve until told to end. Raises PerennialError when it can't start."""
    settings, names = settings_of(model, overrides)
    _log_to_standard_error(as_json)
    # Web libraries and ONNX Runtime, only now that the settings are known to be good.
    from perennial.serving import server

    home = Home.from_environment()
    server.run_server(home, model, version, settings, host=host, port=port, wait=wait, names=names)


def settings_of(model: str, overrides: Sequence[str]) -> tuple[ServingSpec, dict[str, str]]:
    """Of the pipeline of the same name, if it is here; and its names for canonical columns."""
    try:
        path = loader.find_pipeline(model)
    except SpecError:
        return loader.read_serving(overrides), {}
    spec = loader.read_pipeline(path, overrides)
    columns = spec.data.columns.model_dump()
    return spec.serving, {role: name for role, name in columns.items() if isinstance(name, str)}


def _log_to_standard_error(as_json: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines(as_json))
    for name, level in (("perennial.serving", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False


class _Lines(logging.Formatter):
    """A line for each message: time in UTC, level, message; of an exception only its type, for it may hold a text."""

    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        message = record.getMessage().rstrip()
        if record.exc_info and record.exc_info[0]:
            message += f" ({record.exc_info[0].__name__})"
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        if self._as_json:
            said = {"time": when, "level": record.levelname.lower(), "message": message}
            return json.dumps(said, ensure_ascii=False)
        return f"{when} {record.levelname.lower():<7} {message}"
