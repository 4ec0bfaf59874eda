"""How much one caller may ask: a token bucket each, in requests and in rows a minute.

A bucket holds a minute's worth, so that who asked little may ask much at once, and fills up evenly
(https://en.wikipedia.org/wiki/Token_bucket).
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from perennial.serving import problems

MOST_CALLERS = 10_000
"""Whose buckets are kept; beyond that the one that was used longest ago starts full again."""
MINUTE = 60.0


@dataclass
class TokenBucket:
    """Fills up to `capacity` in a minute."""

    capacity: int
    tokens: float
    moment: float
    """When it held `tokens`, on the clock of its limiter."""

    def wait_for(self, amount: int, now: float) -> float:
        """Take `amount` out at `now` and give 0; or take nothing, and give the seconds until they are there."""
        filled = self.tokens + max(now - self.moment, 0.0) * self.capacity / MINUTE
        self.tokens, self.moment = min(float(self.capacity), filled), now
        if amount <= self.tokens:
            self.tokens -= amount
            return 0.0
        return (amount - self.tokens) * MINUTE / self.capacity


class RateLimiter:
    """The buckets of all callers, for one kind of thing. Used by the event loop's thread alone."""

    def __init__(self, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`unit`: what is counted, in words."""
        self._unit, self._clock = unit, clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, caller: str, amount: int, per_minute: int | None) -> None:
        """Count `amount` for `caller`; `per_minute` None: without limit. Raises RequestProblem: 429 when it is too
        soon, 413 when it is more than a minute's worth at once, which no waiting helps."""
        if per_minute is None:
            return
        if amount > per_minute:
            raise problems.too_large(
                f"The request has {amount:,} {self._unit}; you may ask {per_minute:,} a minute.",
                "Ask them in several requests.",
            )
        now = self._clock()
        bucket = self._buckets.get(caller)
        if bucket is None or bucket.capacity != per_minute:
            bucket = TokenBucket(per_minute, float(per_minute), now)
        self._buckets[caller] = bucket
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MOST_CALLERS:
            self._buckets.popitem(last=False)
        if seconds := bucket.wait_for(amount, now):
            raise problems.too_often(self._unit, per_minute, math.ceil(seconds))
