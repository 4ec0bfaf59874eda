"""`perennial serve`: settings found, the log set up, the server run."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.core.errors import SpecError, listing
from perennial.core.home import Home
from perennial.pipeline_file import loader
from perennial.settings.serving import ServingSpec

if TYPE_CHECKING:
    from perennial.serving.server import AccessOptions


@dataclass(frozen=True)
class ServeOptions:
    """Who may ask, as the command line has it."""

    keys: Path | None
    insecure: bool
    tls_cert: Path | None
    tls_key: Path | None
    trusted_keys: Sequence[Path]


def serve(
    models: Sequence[str],
    version: str | None,
    host: str,
    port: int,
    overrides: Sequence[str],
    options: ServeOptions,
    *,
    wait: bool,
    as_json: bool,
    workers: int,
) -> None:
    """Serve until told to end. Raises PerennialError when it can't start."""
    settings, names = settings_of_all(models, overrides)
    _check_version(models, version)
    _log_to_standard_error(as_json)
    # Web libraries and ONNX Runtime, only now that the settings are known to be good.
    from perennial.serving.workers import shared_figures

    home = Home.from_environment()
    with shared_figures(workers):
        from perennial.serving import server

        to_serve = [server.ModelToServe(model, version, names[model]) for model in models]
        access = _access(models, settings, options)
        server.run_server(home, to_serve, settings, host=host, port=port, wait=wait, options=access, workers=workers)


def _access(models: Sequence[str], settings: ServingSpec, options: ServeOptions) -> "AccessOptions":
    from perennial.serving.server import AccessOptions

    return AccessOptions(
        keys=options.keys,
        insecure=options.insecure,
        certificate=options.tls_cert,
        key=options.tls_key,
        trusted=_trusted(models, settings, options),
    )


def _trusted(models: Sequence[str], settings: ServingSpec, options: ServeOptions) -> tuple[Path, ...]:
    """Of all models, each file once: the settings are the same, and the folders that they start at are not."""
    files = [file for model in models for file in trusted_files(model, settings, ())]
    return tuple(dict.fromkeys([*files, *options.trusted_keys]))


def trusted_files(model: str, settings: ServingSpec, named: Sequence[Path]) -> tuple[Path, ...]:
    """The files of public keys: those of the settings, which start at the pipeline's folder, and those `named`."""
    try:
        folder = loader.find_pipeline(model).parent
    except SpecError:
        folder = Path()
    return (*(folder / Path(one).expanduser() for one in settings.trusted_keys), *named)


def settings_of_all(models: Sequence[str], overrides: Sequence[str]) -> tuple[ServingSpec, dict[str, dict[str, str]]]:
    """The settings that the pipelines of all `models` agree on, and by model its names for canonical columns.

    Raises SpecError where they don't, or a model is named twice.
    """
    if len(set(models)) < len(models):
        raise SpecError("A model is named twice; one server serves it once.", remedy="Name each model once.")
    by_model = {model: settings_of(model, overrides) for model in models}
    settings = by_model[models[0]][0]
    for model, (others, _) in by_model.items():
        if differing := [name for name in ServingSpec.model_fields if getattr(others, name) != getattr(settings, name)]:
            raise SpecError(
                f"The pipelines {models[0]} and {model} have different settings for a server: "
                f"{listing(f'serving.{name}' for name in differing)}. One process can have only one of each.",
                remedy="Make them the same in both, or say for this server which holds, with --set.",
            )
    return settings, {model: names for model, (_, names) in by_model.items()}


def _check_version(models: Sequence[str], version: str | None) -> None:
    if version and len(models) > 1:
        raise SpecError(
            f"--version {version} can't be of {len(models)} models at once.",
            remedy="Leave it out, so that each model's champion serves, or start a server for that model alone.",
        )


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
    from perennial.serving.requests.request_ids import WithRequestId

    handler = logging.StreamHandler()
    handler.setFormatter(_Lines(as_json))
    handler.addFilter(WithRequestId())
    for name, level in (("perennial.serving", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False


class _Lines(logging.Formatter):
    """A line for each message: time in UTC, level, message, id of the request if it is of one; of an exception only
    its type, for it may hold a text."""

    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        message = record.getMessage().rstrip()
        request_id = getattr(record, "request_id", "")
        if record.exc_info and record.exc_info[0]:
            message += f" ({record.exc_info[0].__name__})"
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        if self._as_json:
            said = {"time": when, "level": record.levelname.lower(), "message": message}
            return json.dumps(said | ({"request_id": request_id} if request_id else {}), ensure_ascii=False)
        return f"{when} {record.levelname.lower():<7} {message}" + (f" [{request_id}]" if request_id else "")
