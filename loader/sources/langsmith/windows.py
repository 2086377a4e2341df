"""Time windows of the v2 run query: it answers for a stretch of start times, and a short one.

The service refuses 401 days and more, and without bounds takes the last day. A project's
life is cut into windows of at most 400 days, newest first; neighbours share their bound, so
that a run which began at that very moment is in one of them, whichever end the service
counts in.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .projects import Project

LONGEST = timedelta(days=400)
# Clocks of the tracing machine, of this one and of the service may differ. Half a millisecond
# keeps the bounds off the round times at which imported runs begin: one on a bound comes twice.
CLOCK_MARGIN = timedelta(days=1, microseconds=500)
# An earlier start of a project is none: services write times that they do not know as year 1.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# Imported runs may have begun before their project: so many windows before it are looked
# through for runs that the service counts and does not give. Each is a request.
LOOK_BACK = 4


class Window(NamedTuple):
    """The start times that one query asks for."""

    begin: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """Return how much time it covers."""
        return self.end - self.begin


def split(begin: datetime, end: datetime) -> list[Window]:
    """Cut a stretch of time into windows, newest first; none when it is empty."""
    windows = []
    while end > begin:
        windows.append(Window(max(begin, end - LONGEST), end))
        end -= LONGEST
    return windows


def life_of(
    project: Project, since: datetime | None = None, until: datetime | None = None
) -> list[Window]:
    """Return the windows of a project's life, or of the part from `since` to `until`.

    From its start, or its last run if that is earlier, to its last run, or to now where
    there is none or `since` asks for what is new; with a margin at both ends. A project
    whose start is not known is looked at for one window.
    """
    now = datetime.now(UTC)
    last, start = _known(project.last_run_at), _known(project.started_at)
    if last is None or since is not None or last + CLOCK_MARGIN > now:
        end = max(now, last or now) + CLOCK_MARGIN
    else:
        # a narrow window may be queried more often
        end = last + CLOCK_MARGIN
    begin = min(start, last or start) - CLOCK_MARGIN if start else end - LONGEST
    return split(max(begin, since or begin), min(end, until or end))


def before(windows: list[Window]) -> list[Window]:
    """Return the windows in which runs older than their project are looked for."""
    oldest = windows[-1].begin if windows else datetime.now(UTC)
    return split(oldest - LOOK_BACK * LONGEST, oldest)


def _known(moment: datetime | None) -> datetime | None:
    return moment if moment is not None and moment >= EARLIEST else None
