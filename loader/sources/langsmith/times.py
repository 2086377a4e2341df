"""Times as LangSmith writes them: with a zone, with Z, or without one (UTC)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MICROSECOND = timedelta(microseconds=1)
# The v2 run query gives start and end of a run in milliseconds, the v1 query in microseconds.
RESOLUTION = timedelta(milliseconds=1)


def moment(value: object, resolution: timedelta = MICROSECOND) -> datetime | None:
    """Read an ISO 8601 time as UTC; None when it is none.

    A time without a zone is UTC. What is finer than the resolution is cut off.
    """
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    utc = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    steps = resolution // MICROSECOND
    return utc.replace(microsecond=utc.microsecond // steps * steps)


def utc_text(value: object, resolution: timedelta = MICROSECOND) -> str | None:
    """Write a time in one form whatever form it came in: UTC, six decimals.

    The same instant always gives the same text, so texts sort as the instants do.
    """
    read = moment(value, resolution)
    return read.isoformat(timespec="microseconds") if read else None
