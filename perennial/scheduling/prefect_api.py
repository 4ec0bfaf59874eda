"""What Perennial asks a Prefect server without importing Prefect: over its REST API, and in the embedded one's log."""

import base64
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from perennial.core.errors import PerennialError
from perennial.core.home import Home
from perennial.core.masking import mask_secrets

API_URL = "PREFECT_API_URL"
ADDRESS = "address"
"""File in Prefect's home with the address of a server that serves schedules."""
LOG = "server.log"
"""File in Prefect's home with the errors of that server, one a line, each with its traceback's indented lines."""
FLOW = "scheduled"
SECONDS = 5
"""In which it must answer."""
BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
"""Answers to ask again after: one on SQLite gives the second when two write at once."""
PAUSES = (0.2, 0.5, 1, 2)
"""Seconds after each try."""
ABOUT_SCHEDULES = "schedul"


class PrefectApiError(PerennialError):
    """A Prefect server does not answer, or in a way that says nothing."""


@dataclass(frozen=True)
class Deployment:
    """A pipeline as the server serves it."""

    identity: str
    paused: bool
    is_off: bool
    """Its schedule was switched off on Prefect's page."""
    updated: datetime


@dataclass(frozen=True)
class Server:
    """A Prefect server's REST API. Every method raises PrefectApiError when that does not answer."""

    address: str

    def find(self, pipeline: str) -> Deployment | None:
        """The deployment of a pipeline; None: it was never served by that server."""
        answer = self._ask(f"/deployments/name/{FLOW}/{pipeline}")
        if answer is None:
            return None
        try:
            is_off = not any(schedule["active"] for schedule in answer["schedules"])
            return Deployment(answer["id"], bool(answer["paused"]), is_off, datetime.fromisoformat(answer["updated"]))
        except (KeyError, TypeError, ValueError) as error:
            raise PrefectApiError(f"What answers at {mask_secrets(self.address)} is no Prefect server.") from error

    def planned(self, deployment: Deployment, until: datetime | None = None) -> datetime | None:
        """When the next run is due that the server's scheduler has planned; None: none is planned, or none `until`."""
        ahead = {"after_": _iso(datetime.now(UTC))} | ({"before_": _iso(until)} if until else {})
        runs = self._runs(deployment, {"expected_start_time": ahead, "state": {"type": {"any_": ["SCHEDULED"]}}})
        return next((_due(run) for run in runs if run["auto_scheduled"]), None)

    def late(self, deployment: Deployment, seconds: float) -> list[datetime]:
        """When the runs were due, oldest first, that nobody has started for so long."""
        past = {"before_": _iso(datetime.now(UTC) - timedelta(seconds=seconds))}
        runs = self._runs(deployment, {"expected_start_time": past, "state": {"type": {"any_": ["SCHEDULED"]}}})
        return [_due(run) for run in runs]

    def _runs(self, deployment: Deployment, only: dict[str, Any]) -> list[dict[str, Any]]:
        ours = {"deployment_id": {"any_": [deployment.identity]}, **only}
        asked = {"flow_runs": ours, "sort": "EXPECTED_START_TIME_ASC", "limit": 50}
        runs: list[dict[str, Any]] = self._ask("/flow_runs/filter", asked)
        return runs

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer; None: there is no such thing."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **_credentials()}
        for pause in PAUSES:
            try:
                with _opened(self.address, path, content, headers) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code == HTTPStatus.NOT_FOUND:
                    return None
                if error.code not in BUSY:
                    raise PrefectApiError(f"Prefect's server answers with HTTP status {error.code}.") from error
                time.sleep(pause)
            except (OSError, ValueError) as error:
                raise PrefectApiError(f"Prefect's server does not answer within {SECONDS} s.") from error
        raise PrefectApiError(f"Prefect's server is busy, and was asked {len(PAUSES)} times.")


def fault_of(address: str) -> str:
    """Why the server at `address` can't be used, in words; empty: it answers as Prefect's does."""
    fault = ""
    for pause in (*PAUSES[:2], 0):
        try:
            with _opened(address, "/health", None, _credentials()) as answer:
                return "" if json.load(answer) is True else "what answers there is no Prefect server"
        except urllib.error.HTTPError as error:
            # It is there; who may not ask for its health is told so by what is asked next.
            if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                return ""
            fault = f"it answers with HTTP status {error.code}"
        except ValueError:
            return "what answers there is no Prefect server"
        except OSError as error:
            reason = getattr(error, "reason", error)
            fault = "connection refused" if isinstance(reason, ConnectionRefusedError) else "it does not answer"
        time.sleep(pause)
    return fault


def running_server(home: Home) -> str | None:
    """The API's address of the server that `perennial schedule` serves on `home` now; None: there is none."""
    try:
        address = (home.prefect / ADDRESS).read_text(encoding="utf-8").strip()
        # One that was killed leaves its address behind.
        with urllib.request.urlopen(f"{address}/health", timeout=SECONDS) as answer:  # noqa: S310 - our own
            return address if answer.status == HTTPStatus.OK else None
    except (OSError, ValueError):
        return None


def in_use(home: Home) -> str | None:
    """The API's address of the server that is named, or else of the one that serves `home`; None: neither."""
    return os.environ.get(API_URL) or running_server(home)


def last_error(home: Home) -> str | None:
    """What the embedded server of `home` failed at last, in one line, if possible at planning runs; None: nothing."""
    try:
        lines = (home.prefect / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    errors = [line for line in lines if line and not line[0].isspace()]
    about = [line for line in errors if ABOUT_SCHEDULES in line]
    return (about or errors)[-1] if errors else None


def _opened(address: str, path: str, content: bytes | None, headers: dict[str, str]) -> Any:
    """The answer, to be closed. A user and password in the address are sent as a header, as Prefect does."""
    parts = urlsplit(address)
    if parts.username:
        sent = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers = {**headers, "Authorization": f"Basic {base64.b64encode(sent.encode()).decode()}"}
    bare_address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/") + path, "", ""))
    request = urllib.request.Request(bare_address, content, headers)  # noqa: S310 - by its setting
    return urllib.request.urlopen(request, timeout=SECONDS)  # noqa: S310


def _due(run: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(run["expected_start_time"])


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _credentials() -> dict[str, str]:
    if basic := os.environ.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {base64.b64encode(basic.encode()).decode()}"}
    key = os.environ.get("PREFECT_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}
