"""The keys as a running server sees them: a key that was added or revoked counts within a second, without a restart.

Fail closed: a server that has asked for keys once asks for them until it ends, and a file that can't be read lets
nobody in.
"""

import logging
import time
from datetime import UTC, datetime
from pathlib import Path

from perennial.core.errors import KeyFileError
from perennial.serving import problems
from perennial.serving.access.api_keys import ApiKey, KeyFile, Scope, read_keys

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
"""How often the file is looked at, at most: by its size, time and number, which costs some microseconds."""
_HOW = (
    "Send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`; who runs this server makes one with `perennial keys`."
)


class KeyRing:
    """The keys in the file at `path`, as they are now. Used by the event loop's thread alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._looked = float("-inf")
        self._keys: KeyFile | None = None
        self._trouble = ""
        self._look()

    @property
    def asks(self) -> bool:
        """Whether a request needs a key."""
        self._look()
        return self._keys is not None or bool(self._trouble)

    @property
    def trouble(self) -> str:
        """Why no key can be told from another; "": all is well."""
        return self._trouble

    def valid(self) -> int:
        """How many keys are good now."""
        now = datetime.now(UTC)
        return sum(key.state(now) == "valid" for key in self._keys.keys) if self._keys else 0

    def admit(self, presented: str | None, scope: Scope) -> ApiKey:
        """The key that was `presented`, if it may do what `scope` is.

        Raises RequestProblem, which never says which key it was: 401 where it is none, or good no more, 403 where it
        may do other things, 503 where the keys can't be read.
        """
        self._look()
        if self._trouble or self._keys is None:
            raise problems.keys_unreadable()
        if not presented:
            raise problems.unauthorized("This server answers who has a key, and the request has none.", _HOW)
        key = self._keys.holder(presented)
        if key is None or key.state(datetime.now(UTC)) != "valid":
            raise problems.unauthorized(
                "The key is unknown here, has expired, or was revoked.", "Ask who runs this server for another one."
            )
        if scope not in key.scopes:
            raise problems.forbidden(scope)
        return key

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        stamp = self._stamp_now()
        if stamp == self._stamp and not self._trouble:
            return
        try:
            keys = read_keys(self._path)
        except KeyFileError as error:
            self._tell(str(error))
            return
        if keys is None and self._keys is not None:
            self._tell(f"The file of API keys, {self._path}, is gone: put it back, or end this server to ask for none.")
        else:
            self._keep(keys, stamp)

    def _keep(self, keys: KeyFile | None, stamp: tuple[int, int, int] | None) -> None:
        if keys != self._keys and keys is not None:
            good = sum(key.state(datetime.now(UTC)) == "valid" for key in keys.keys)
            LOG.info("API keys were read: %d of %d are good.", good, len(keys.keys))
        self._keys, self._stamp, self._trouble = keys, stamp, ""

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            LOG.error("%s Until then nobody is let in.", trouble)
        self._trouble = trouble

    def _stamp_now(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
