"""Which version a server of this home served last: with what it goes on if it starts while the registry is down."""

import logging
from pathlib import Path

from pydantic import ValidationError

from perennial.core.home import Home
from perennial.core.masking import mask_secrets
from perennial.core.record import Record
from perennial.core.store import write_atomically
from perennial.records.package import Champion
from perennial.registry import aliases, tracking

LOG = logging.getLogger(__name__)


class LastServed(Record):
    """The version that served last."""

    registry: str
    """Its address, without passwords."""
    served: Champion
    signature: str = ""
    """The envelope of its signed statement; "": there was none."""
    shown_with: tuple[str, ...] = ()
    """With what it answered in a clean process as it was judged to: machine and libraries. Empty: not known."""


def note_served(
    home: Home, model: str, served: Champion, signature: str = "", shown_with: tuple[str, ...] = ()
) -> None:
    """`served` is the version of `model` that a server serves now, once it showed that it does in a clean process, on
    the machine and with the libraries `shown_with`. Where that can't be written, the log says so."""
    last = LastServed(registry=_registry(home), served=served, signature=signature, shown_with=shown_with)
    try:
        write_atomically(_file(home, model), last.model_dump_json())
    except OSError as error:
        LOG.warning(
            "Which version serves could not be written (%s): started again while the registry is down, this server "
            "would have none.",
            error.strerror,
        )


def last_served_of(home: Home, model: str) -> LastServed | None:
    """The version of `model` of this registry that served last; None: there is none, or what was noted is damaged."""
    try:
        last = LastServed.model_validate_json(_file(home, model).read_bytes())
    except (OSError, ValidationError):
        return None
    return last if last.registry == _registry(home) else None


def shown_to_serve(home: Home, model: str, version: str | None) -> LastServed | None:
    """The version that served last, if it is known with what it showed that, and the registry still names it, by
    its digest and signature, as `version` of `model` (None: as champion), as far as can be read at once; else None.
    """
    last = last_served_of(home, model)
    if last is None or not last.shown_with:
        return None
    named = aliases.registered_package(home, model, version)
    return last if named == (last.served.version, last.served.package_digest, last.signature) else None


def _registry(home: Home) -> str:
    return mask_secrets(tracking.registry_uri(home))


def _file(home: Home, model: str) -> Path:
    return home.served / f"{model}.json"
