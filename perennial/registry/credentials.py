"""Whom a tracking server refused: who gives no name, who is not known to it, or who may not do that."""

import os
import re

USER = "MLFLOW_TRACKING_USERNAME"
PASSWORD = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105  (a variable's name)
TOKEN = "MLFLOW_TRACKING_TOKEN"  # noqa: S105
UNKNOWN = ("401", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED")
FORBIDDEN = ("403", "PERMISSION_DENIED")


def refusal(error: BaseException | None) -> tuple[str, str] | None:
    """What the server refused and what to do about it, each a sentence without its full stop; None: it was no refusal.

    Names the user, never the password.
    """
    match = re.search(r"error code (\d{3}) !=|\b(\d{3}) Client Error", str(error))
    signs = {str(getattr(error, "error_code", "")), (match[1] or match[2]) if match else ""}
    if signs.intersection(UNKNOWN):
        return _unknown()
    if signs.intersection(FORBIDDEN):
        return _forbidden()
    return None


def _unknown() -> tuple[str, str]:
    if os.environ.get(USER) and os.environ.get(PASSWORD):
        problem = f"it does not accept the user {os.environ[USER]!r} with the password in {PASSWORD}"
        return problem, f"Correct {USER} and {PASSWORD}, or ask the server's administrator for a new password"
    if os.environ.get(TOKEN):
        return f"it does not accept the token in {TOKEN}", f"Correct {TOKEN}"
    missing = [name for name in (USER, PASSWORD) if not os.environ.get(name)]
    problem = f"it wants to know who asks, and {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set"
    return problem, "Set them to what the server's administrator gave you"


def _forbidden() -> tuple[str, str]:
    user = os.environ.get(USER)
    who = f"the user {user!r}" if user else "whoever asks without a user name"
    return (
        f"it does not let {who} do that (PERMISSION_DENIED)",
        "Ask the server's administrator for the permission EDIT on this model and its experiment, or set "
        f"{USER} and {PASSWORD} to a user who has it",
    )
