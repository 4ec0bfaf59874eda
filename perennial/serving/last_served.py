"""Which version a server of this home served last: with what it goes on if it starts while the registry is down."""

import logging
from pathlib import Path

from pydantic import ValidationError

from perennial.core.home import Home
from perennial.core.masking import mask_secrets
from perennial.core.record import Record
from perennial.core.store import write_atomically
from perennial.records.package import Champion
from perennial.registry import tracking

LOG = logging.getLogger(__name__)


class _Last(Record):
    registry: str
    """Its address, without passwords."""
    served: Champion


def note_served(home: Home, model: str, served: Champion) -> None:
    """`served` is the version of `model` that a server serves now. Where that can't be written, the log says so."""
    try:
        write_atomically(_file(home, model), _Last(registry=_registry(home), served=served).model_dump_json())
    except OSError as error:
        LOG.warning(
            "Which version serves could not be written (%s): started again while the registry is down, this server "
            "would have none.",
            error.strerror,
        )


def last_served_of(home: Home, model: str) -> Champion | None:
    """The version of `model` of this registry that served last; None: there is none, or what was noted is damaged."""
    try:
        last = _Last.model_validate_json(_file(home, model).read_bytes())
    except (OSError, ValidationError):
        return None
    return last.served if last.registry == _registry(home) else None


def _registry(home: Home) -> str:
    return mask_secrets(tracking.registry_uri(home))


def _file(home: Home, model: str) -> Path:
    return home.served / f"{model}.json"
