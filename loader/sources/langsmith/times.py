"""Times as LangSmith writes them: with a zone, with Z, or without one (UTC)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

# The v2 run query gives start and end of a run in milliseconds, the v1 query in microseconds.
RESOLUTION = timedelta(milliseconds=1)


def moment(value: object) -> datetime | None:
    """Read an ISO 8601 time as UTC; None when it is none.

    A time without a zone is UTC. Fractions longer than microseconds are cut.
    """
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def utc_text(value: object) -> str | None:
    """Write a time in one form whatever form it came in: UTC, microseconds.

    The same instant always gives the same text, so texts sort as the instants do.
    """
    read = moment(value)
    return read.isoformat(timespec="microseconds") if read else None
