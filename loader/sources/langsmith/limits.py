"""Published rate limits, kept by this side so that the other need not answer 429.

LangSmith publishes 15 run queries per 10 s and key, 3 per 10 s when the time window
asked for is longer than 7 days, and 1,000 other calls per 10 s.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_SECONDS = 10.0
RUN_QUERIES = 15
LONG_RUN_QUERIES = 3
OTHER_CALLS = 1000
LONG_WINDOW = timedelta(days=7)


class RateLimit:
    """At most `calls` in any `seconds`; shared by threads."""

    def __init__(
        self,
        calls: int,
        seconds: float = WINDOW_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Start with nothing spent."""
        self._calls = calls
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._started: deque[float] = deque()
        self._held_until = 0.0
        self._lock = threading.Lock()

    def acquire(self) -> None:
        """Wait until one more call is within the limit, and count it."""
        while True:
            with self._lock:
                now = self._clock()
                while self._started and self._started[0] <= now - self._seconds:
                    self._started.popleft()
                wait = self._held_until - now
                if wait <= 0 and len(self._started) < self._calls:
                    self._started.append(now)
                    return
                if len(self._started) >= self._calls:
                    wait = max(wait, self._started[0] + self._seconds - now)
            self._sleep(max(wait, 0.001))

    def hold(self, seconds: float) -> None:
        """Let no call through for a while: the other side asked for it."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + seconds)
