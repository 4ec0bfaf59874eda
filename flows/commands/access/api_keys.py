"""What `perennial keys add`, `list` and `revoke` do and answer."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from perennial.core.home import Home
from perennial.serving.access import api_keys
from perennial.serving.access.api_keys import ApiKey, KeyFile, Limits

FORM = "%Y-%m-%d %H:%M UTC"


def file_of(named: Path | None) -> Path:
    """The file that is meant: `named`, or the home's."""
    return named or Home.from_environment().api_keys


def add(path: Path, name: str, scopes: str, expires: str | None, limits: Limits) -> tuple[ApiKey, str]:
    """A new key, and what is sent as it."""
    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    return api_keys.add_key(path, name, wanted, api_keys.lifetime_of(expires), limits)


def known(path: Path) -> tuple[ApiKey, ...]:
    """The keys of the file, none where there is no file."""
    return (api_keys.read_keys(path) or KeyFile()).keys


def key_as_json(key: ApiKey) -> dict[str, Any]:
    """A key for machines; without its hash, which nobody needs."""
    return key.model_dump(mode="json", exclude={"sha256"}) | {"state": key.state(datetime.now(UTC))}


def added_in_words(key: ApiKey, text: str, path: Path) -> str:
    """For people; the key by itself on the last line."""
    until = f" until {key.expires:{FORM}}" if key.expires else ""
    return (
        f"Key {key.name} ({key.id}) may {', '.join(key.scopes)}{until}. Only its hash is kept, in {path}: this is the "
        f"one time that it is shown. A server that runs knows it within a second.\n{text}"
    )


def key_in_words(key: ApiKey) -> str:
    """One line for people."""
    parts = [f"{key.id}  {key.state(datetime.now(UTC)):<8} {key.name}: {', '.join(key.scopes)}"]
    parts.append(f"made {key.created:{FORM}}")
    if key.expires:
        parts.append(f"until {key.expires:{FORM}}")
    if key.revoked:
        parts.append(f"revoked {key.revoked:{FORM}}")
    limits = {"requests": key.requests_per_minute, "rows": key.rows_per_minute}
    parts += [f"{limit:,} {unit} a minute" for unit, limit in limits.items() if limit]
    return "; ".join(parts)
