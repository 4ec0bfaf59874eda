"""Serves the page until told to end."""

from __future__ import annotations

import socket
from collections.abc import Callable

from perennial.core.addresses import is_loopback
from perennial.core.errors import SpecError
from perennial.labelling.desk import Desk
from perennial.labelling.page.app import make_app
from perennial.labelling.page.checks import LOOPBACK, Admits


def serve_page(
    desk: Desk, host: str, port: int, say: Callable[[str], None], *, admits: Admits | None, insecure: bool
) -> None:
    """Serve the page of `desk` at `host` and `port` (0: any free one), and `say` where that is.

    `admits`: who may come in, by their key; None: everybody. Raises SpecError when the address can't be had, or others
    could reach it and nobody said that they may (`insecure`).
    """
    import uvicorn

    with _bound(host, port) as bound:
        address, at = bound.getsockname()[:2]
        is_local = is_loopback(str(address))
        if not (is_local or insecure or admits):
            raise SpecError(
                f"On {address}:{at} other machines could reach the page, and read and label the texts.",
                remedy="`perennial keys add NAME --scope label` makes keys, which are then asked for. --insecure lets "
                "everybody in.",
            )
        app = make_app(desk, hosts=LOOPBACK if is_local else None, admits=admits)
        say(f"Label at http://{f'[{address}]' if ':' in str(address) else address}:{at} (Ctrl-C ends).")
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, timeout_keep_alive=30)
        uvicorn.Server(config).run(sockets=[bound])


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SpecError(
            f"The page can't be served at {host}:{port}: {reason}.", remedy="Name another --port or --host."
        ) from error
    made.listen()
    return made
