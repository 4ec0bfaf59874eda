"""Which users are in a trial: by a hash, so that the same user always is, or never, on whichever server."""

import hashlib

_RANGE = 2.0**64


def is_in_share(salt: str, user: str, share: float) -> bool:
    """Whether `user` is among the `share` of users that the trial of this `salt` is about.

    Another trial has another salt, so that not the same users are in every one. Shares are nested: who is in 0.1 of a
    trial is in 0.2 of it.
    """
    hashed = hashlib.sha256(f"{salt}\n{user}".encode()).digest()
    return int.from_bytes(hashed[:8], "big") / _RANGE < share
