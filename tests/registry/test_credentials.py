"""Whom a server refused is told from a server that is down, in each way that MLflow hears of it."""

import pytest
from registry_helpers import answering

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.registry import credentials, tracking

ANN = {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "hunter2"}
JSON = b'{"error_code": "PERMISSION_DENIED", "message": "no"}'


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ANN, "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("status", "body", "user", "seen"),
    [
        (401, b"You are not authenticated.", {}, "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD are not set"),
        (401, b"", {"MLFLOW_TRACKING_USERNAME": "ann"}, "and MLFLOW_TRACKING_PASSWORD is not set"),
        (401, b"<h1>Unauthorized</h1>", ANN, "does not accept the user 'ann'"),
        (401, b'{"error_code": "UNAUTHENTICATED"}', {"MLFLOW_TRACKING_TOKEN": "hunter2"}, "does not accept the token"),
        (403, b"Permission denied", ANN, "does not let the user 'ann' do that"),
        (403, JSON, {}, "does not let whoever asks without a user name do that"),
    ],
)
def test_a_refusal_is_told(
    home: Home, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, user: dict[str, str], seen: str
) -> None:
    for name, value in user.items():
        monkeypatch.setenv(name, value)
    kind = "application/json" if body.startswith(b"{") else "text/plain"
    with answering(status, body, kind) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(RegistryError) as caught:
            tracking.check_mlflow(home)
    assert seen in str(caught.value)
    assert "champion is untouched" in str(caught.value)
    assert "Start that server" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("error", [OSError("Connection refused"), ValueError("error code 500 != 200"), None])
def test_all_else_is_no_refusal(error: Exception | None) -> None:
    assert credentials.refusal(error) is None


def test_a_file_that_may_not_be_fetched_is_a_refusal() -> None:
    assert credentials.refusal(OSError("403 Client Error: FORBIDDEN for url: http://x/api")) is not None
