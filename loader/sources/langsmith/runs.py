"""Runs of a project, page by page, from either run query, in one shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ...errors import ConfigurationError, SourceUnavailable
from ...tools.counts import counted
from ..values import finite
from . import windows
from .answers import Answer
from .times import RESOLUTION, moment, utc_text
from .wire import PAGE, Protocol, Question, RunPage, Wire, identified

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from .client import LangSmith
    from .projects import Project
    from .spool import Spool
    from .windows import Window

V2_FIRST_VERSION = (0, 16)
# Traces named in one request; more of them are cheaper to pick from all of the project's runs.
TRACES_AT_ONCE = 100

_TOKENS = ("total_tokens", "prompt_tokens", "completion_tokens")


@dataclass
class RunQuery:
    """The paged query for one project's runs; one page at a time.

    `since` and `until` keep to root runs that started then. The route is found out with
    the first page asked for.
    """

    client: LangSmith
    project: Project
    with_io: bool
    since: datetime | None = field(default=None, kw_only=True)
    until: datetime | None = field(default=None, kw_only=True)
    protocol: Protocol = field(default="v2", init=False)
    filled: int = field(default=0, init=False)
    """Runs that only the v1 query gave."""
    _has_answered: bool = field(default=False, init=False)
    _cursors: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        """Fix what to ask for: later pages must fit the first."""
        self._wire = Wire(self.client, self.project.id)
        self._roots = Question(with_io=self.with_io, since=self.since, until=self.until)
        self._windows = windows.life_of(self.project, self.since, self.until)

    def first(self) -> RunPage:
        """Read the first page of root runs, newest first.

        Raises:
            SourceUnavailable: the server answers neither run query.
        """
        self._cursors.clear()
        return self._step(self._roots, self._windows, "")

    def after(self, cursor: str) -> RunPage:
        """Read the page that a cursor leads to, in this time window or the next.

        Raises:
            SourceUnavailable: the server stopped answering, or leads in circles.
        """
        self._refuse_repeated(cursor, self._cursors)
        return self._step(self._roots, self._windows, cursor)

    def by_ids(self, ids: Sequence[str], earliest: datetime | None = None) -> Iterator[RunPage]:
        """Read the root runs that have these ids; those that are gone are left out.

        Args:
            ids: any number of run ids.
            earliest: when the oldest of them began, where that may be before the project.
        """
        self._prefer()
        life = windows.life_of(self.project)
        if earliest and (not life or earliest < life[-1].begin):
            begin = earliest - windows.CLOCK_MARGIN
            life += windows.split(begin, life[-1].begin if life else datetime.now(UTC))
        size = PAGE[self.protocol]
        for start in range(0, len(ids), size):
            wanted = list(dict.fromkeys(ids[start : start + size]))
            for window in life if self.protocol == "v2" else life[:1]:
                for page in self._walk(Question(with_io=self.with_io, ids=wanted), [window]):
                    found = {identified(run).id for run in page.runs}
                    wanted = [one for one in wanted if one not in found]
                    yield page
                if not wanted:
                    break

    def children(self, trace_ids: Sequence[str], run_type: str | None = None) -> Iterator[RunPage]:
        """Read the runs below the roots of some traces, as `normalised_child` takes them.

        Many traces cost no more requests than all runs of the project have pages.

        Args:
            trace_ids: ids of root runs.
            run_type: only runs of this type, such as `llm`.
        """
        named = tuple(trace_ids) if len(trace_ids) <= TRACES_AT_ONCE else ()
        question = Question(is_root=False, with_io=True, trace_ids=named, run_type=run_type)
        # one that cannot be decoded may be of any of them: whoever reads it decides
        wanted = {*trace_ids, None}
        for page in self._walk(question, windows.life_of(self.project)) if trace_ids else ():
            yield page._replace(
                runs=[run for run in page.runs if identified(run).trace_id in wanted]
            )

    def missing(self, spool: Spool) -> Iterator[RunPage]:
        """Look further for runs that the service counts and the windows do not hold.

        Where the v1 query still answers, it is asked for everything up to the oldest run
        that v2 gave; it knows no windows. Elsewhere v2 is asked for windows before the
        project's start, as long as runs are missing.
        """
        if self.protocol == "v1" or self._is_part or not self._is_short(spool):
            return
        if (yield from self._fill_from_v1(spool)):
            return
        for window in windows.before(self._windows):
            if not self._is_short(spool):
                return
            yield from self._walk(self._roots, [window])

    def notes(self, spool: Spool) -> list[str]:
        """Say where runs came from the other query, and how many are still missing."""
        said = []
        name = self.project.name
        if self.filled:
            said.append(
                f"By the v1 query, where v2 lacks it: {counted(self.filled, 'run')} of project "
                f"{name!r}. LangSmith's cloud ends v1 on 2027-01-31."
            )
        read = spool.count("read")
        if read and not self._is_part and self._is_short(spool):
            said.append(
                f"LangSmith counts {counted(self.project.run_count or 0, 'run')} in project "
                f"{name!r} and gives {read:,}. Its count may be late; on the v2 query, a run dated "
                f"more than {windows.LOOK_BACK * windows.LONGEST.days:,} days before its project, "
                "or not dated, is not found."
            )
        return said

    @property
    def _is_part(self) -> bool:
        """Whether only a stretch of the project's time is read."""
        return self.since is not None or self.until is not None

    def _fill_from_v1(self, spool: Spool) -> Generator[RunPage, None, bool]:
        """Read what is older than v2 has; False where the server does not answer v1."""
        if _flag(self.client.info(), "ch_query_enabled") is False:
            return False
        oldest = spool.oldest()
        # one page is one request, with or without a bound
        is_bound = oldest and (self.project.run_count or 0) > PAGE["v1"]
        until = oldest + RESOLUTION if oldest and is_bound else None
        question = Question(with_io=self.with_io, until=until)
        before = spool.count("read")
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            try:
                page = self._wire.v1(question, cursor)
            except (ConfigurationError, SourceUnavailable):
                # v2 has answered: a route on its way out must not cost the load
                if cursor:
                    raise
                return False
            if isinstance(page, Answer):
                return False
            yield page
            if page.cursor is None:
                break
            cursor = self._refuse_repeated(page.cursor, seen)
        self.filled = spool.count("read") - before
        return True

    def _is_short(self, spool: Spool) -> bool:
        """Whether the service counts more runs than were read."""
        counted = self.project.run_count
        return spool.count("read") < (1 if counted is None else counted)

    def _walk(self, question: Question, stretch: Sequence[Window]) -> Iterator[RunPage]:
        """Yield every page of an answer."""
        seen: set[str] = set()
        page = self._step(question, stretch, "")
        while page.cursor:
            yield page
            page = self._step(question, stretch, self._refuse_repeated(page.cursor, seen))
        yield page

    def _step(self, question: Question, stretch: Sequence[Window], cursor: str) -> RunPage:
        """Read one page; its cursor is `NUMBER OF WINDOW:CURSOR OF SERVICE`."""
        self._prefer()
        if not stretch:
            return RunPage([], None)
        place, _, marker = cursor.partition(":")
        number = int(place or 0)
        page = self._ask(question, stretch[number], marker or None)
        if page.cursor:
            return RunPage(page.runs, f"{number}:{page.cursor}")
        is_last = self.protocol == "v1" or number + 1 == len(stretch)
        return RunPage(page.runs, None if is_last else f"{number + 1}:")

    def _ask(self, question: Question, window: Window, marker: str | None) -> RunPage:
        """Ask the route that answers; until one has, the preferred one first."""
        other: Protocol = "v1" if self.protocol == "v2" else "v2"
        status = 0
        for protocol in (self.protocol,) if self._has_answered else (self.protocol, other):
            page = (
                self._wire.v2(question, window, marker)
                if protocol == "v2"
                else self._wire.v1(question, marker)
            )
            if not isinstance(page, Answer):
                self.protocol = protocol
                self._has_answered = True
                return page
            status = page.status
        if not self._has_answered:
            raise SourceUnavailable(
                f"LangSmith at {self.client.endpoint} answers neither run query (v2 nor v1). "
                "Check that LANGSMITH_ENDPOINT is its API address."
            )
        raise SourceUnavailable(
            f"LangSmith at {self.client.endpoint} stopped answering the run query "
            f"(status {status}) between two pages. Run the command again."
        )

    def _prefer(self) -> None:
        """Choose the route to ask first, before anything was asked."""
        if not self._has_answered:
            self.protocol = preference(self.client.info())

    def _refuse_repeated(self, cursor: str, seen: set[str]) -> str:
        """Refuse a cursor met before: following it would never end."""
        if cursor in seen:
            raise SourceUnavailable(
                f"LangSmith at {self.client.endpoint} gave the same page marker twice. "
                "Run the command again; nothing was loaded."
            )
        seen.add(cursor)
        return cursor


def preference(info: Mapping[str, object]) -> Protocol:
    """Choose the run query to try first, from `/info`.

    v2, unless the server says that it has switched it off or is older than it.
    """
    enabled = _flag(info, "sdb_query_enabled")
    if enabled is not None:
        return "v2" if enabled else "v1"
    version = str(info.get("version") or "")
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    older = len(numbers) == len(V2_FIRST_VERSION) and tuple(numbers) < V2_FIRST_VERSION
    return "v1" if older else "v2"


def _flag(info: Mapping[str, object], name: str) -> bool | None:
    """Read one of the server's flags; None when it says nothing."""
    flags = info.get("instance_flags")
    said = flags.get(name) if isinstance(flags, dict) else None
    return None if said is None else bool(said)


def normalised(run: dict[str, object]) -> dict[str, object]:
    """Bring a run of either query to one shape; absent stays None.

    The same run gives the same values by either route: times to the millisecond, costs to
    12 digits, and no tokens where v1 writes 0 for want of a number.

    Keys: id, name, status (success, error, pending), started_at (ISO, UTC),
    latency_ms, tokens, prompt_tokens, completion_tokens, cached_tokens,
    reasoning_tokens, cost_usd, error, metadata,
    example_id, tags, inputs, outputs.

    Raises:
        KeyError: it has no id.
    """
    if not isinstance(run.get("id"), str) or not run["id"]:
        raise KeyError("id")
    metadata = run.get("metadata")
    extra = run.get("extra")
    if metadata is None and isinstance(extra, dict):
        metadata = extra.get("metadata")
    cost = number(run.get("total_cost"))
    tokens = {name: run.get(name) for name in _TOKENS}
    if cost is None and not any(tokens.values()):
        tokens = dict.fromkeys(_TOKENS)
    return {
        "id": run["id"],
        "name": run.get("name"),
        "status": _status(run),
        "started_at": utc_text(run.get("start_time"), RESOLUTION),
        "latency_ms": _latency_ms(run),
        "tokens": tokens["total_tokens"],
        "prompt_tokens": tokens["prompt_tokens"],
        "completion_tokens": tokens["completion_tokens"],
        "cached_tokens": _detail(run.get("prompt_token_details"), "cache_read"),
        "reasoning_tokens": _detail(run.get("completion_token_details"), "reasoning"),
        "cost_usd": cost,
        "error": run.get("error"),
        "metadata": metadata if isinstance(metadata, dict) else {},
        "example_id": run.get("reference_example_id"),
        "tags": run.get("tags"),
        "inputs": run.get("inputs"),
        "outputs": run.get("outputs"),
    }


def normalised_child(run: dict[str, object]) -> dict[str, object]:
    """Bring a run below a root to the same shape, with its place in the trace.

    Further keys: run_type (lower case), trace_id, parent_run_id.
    """
    ancestors = run.get("parent_run_ids")
    parent = run.get("parent_run_id")
    if parent is None and isinstance(ancestors, list) and ancestors:
        parent = ancestors[-1]
    run_type = run.get("run_type")
    return {
        **normalised(run),
        "run_type": run_type.lower() if isinstance(run_type, str) else None,
        "trace_id": run.get("trace_id"),
        "parent_run_id": parent,
    }


def number(value: object) -> float | str | None:
    """Read a cost: a number, a number as text, or null; other text stays as it is.

    v1 writes decimals and v2 sums of floats, which differ behind the twelfth digit.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(f"{float(value):.12g}")
    except (ValueError, OverflowError):
        return str(value)


def _detail(details: object, name: str) -> object:
    """Return one kind of tokens; the v2 query has the kinds one step further in."""
    if not isinstance(details, dict):
        return None
    raw = details.get("raw")
    return (raw if isinstance(raw, dict) else details).get(name)


def _status(run: dict[str, object]) -> str:
    """Return success, error or pending, in lower case."""
    said = str(run.get("status") or "").lower()
    if said in {"success", "error", "pending"}:
        return said
    if run.get("error"):
        return "error"
    if run.get("end_time") is None and run.get("latency_seconds") is None:
        return "pending"
    # a status not documented, such as an interrupted run, is no success
    return "error" if said else "success"


def _latency_ms(run: dict[str, object]) -> float | None:
    """Return the run's duration in milliseconds, negative if it ends before it begins.

    From its times as far as both routes give them; v2's own figure is of finer ones.
    """
    begin, end = (moment(run.get(name), RESOLUTION) for name in ("start_time", "end_time"))
    if begin is not None and end is not None:
        return (end - begin) / timedelta(milliseconds=1)
    seconds = finite(run.get("latency_seconds"))
    return None if seconds is None else float(round(seconds * 1000))
