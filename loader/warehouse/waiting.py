"""Waiting for somebody else: said after two seconds with whom it is for, and never without end.

Whoever has to wait asks again and again in short transactions, so that a wait works through a
pooler and no server's timeout ends it.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Final

from ..errors import ConfigurationError, WarehouseUnavailable
from ..show.guarded import tell
from ..show.render import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

VARIABLE: Final = "EVALMART_WAIT_SECONDS"
DEFAULT_SECONDS: Final = 600.0
_SAID_AFTER: Final = 2.0
_SAID_AGAIN_AFTER: Final = 60.0
_SHORTEST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.25
# PostgreSQL cuts an application's name to so many bytes
_NAME_BYTES: Final = 63


def limit_seconds() -> float:
    """Return how long a wait may take: `EVALMART_WAIT_SECONDS`, else ten minutes.

    Raises:
        ConfigurationError: the variable is no number of seconds.
    """
    said = os.environ.get(VARIABLE, "").strip()
    if not said:
        return DEFAULT_SECONDS
    try:
        seconds = float(said)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ConfigurationError(f"{VARIABLE} is no number of seconds: {printable(said)}")
    return seconds


def wait_for(
    attempt: Callable[[], bool],
    holder: Callable[[], str | None],
    what: str,
    limit: float | None = None,
) -> None:
    """Try until it works; after two seconds say on stderr for whom, and at the limit give up.

    Args:
        attempt: tries, and tells whether it worked. May itself block for a second or so.
        holder: who is in the way and since when, as `holder_text` says it; None when unknown.
        what: what is waited for: `another build of this database`.
        limit: in seconds; 0 tries once; else `limit_seconds`.

    Raises:
        WarehouseUnavailable: it did not work within the limit; says for whom it waited.
        ConfigurationError: the limit of the environment is no number.

    """
    longest = limit_seconds() if limit is None else limit
    begun = time.monotonic()
    say_at = begun + _SAID_AFTER
    pause = _SHORTEST_PAUSE
    while not attempt():
        now = time.monotonic()
        if now - begun >= longest:
            waited = f"waited {longest:g} s for" if longest else "did not wait for"
            raise WarehouseUnavailable(
                f"{waited} {what}{_named(holder())}; try again when that has ended, or wait "
                f"longer: {VARIABLE}=SECONDS or --wait SECONDS"
            )
        if now >= say_at:
            tell(f"waiting for {what}{_named(holder())} (for {longest:g} s at most)")
            say_at = now + _SAID_AGAIN_AFTER
        time.sleep(max(0.0, min(pause, begun + longest - now)))
        pause = min(2 * pause, _LONGEST_PAUSE)


def holder_text(
    name: str, since: datetime | None = None, *, user: str | None = None, pid: int | None = None
) -> str:
    """Return one who is waited for as a text: `evalmart build pid 7 on ci (user eve), since …`.

    Args:
        name: what it calls itself, as in `application_name`.
        since: a time with a zone.
        user: its database role.
        pid: the process of the server that serves it.
    """
    told = [f"user {user}"] if user else []
    if pid is not None:
        told.append(f"server process {pid}")
    beside = f" ({', '.join(told)})" if told else ""
    moment = f", since {since.astimezone():%Y-%m-%d %H:%M:%S %Z}" if since else ""
    return printable(f"{name or 'a session without a name'}{beside}{moment}")


def application_name(doing: str) -> str:
    """Return how a connection of this process calls itself: `evalmart build pid 7 on ci`."""
    name = f"evalmart {doing} pid {os.getpid()} on {socket.gethostname()}"
    return name.encode("ascii", "replace")[:_NAME_BYTES].decode()


def _named(holder: str | None) -> str:
    return f": {holder}" if holder else ""
