"""Root runs of a project, page by page, from either run query, in one shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from loader.errors import SourceUnavailable
from loader.sources.langsmith.answers import Answer
from loader.sources.langsmith.client import Kind, LangSmith, Parameters
from loader.sources.langsmith.limits import LONG_WINDOW_DAYS
from loader.sources.langsmith.times import moment, utc_text

if TYPE_CHECKING:
    from loader.sources.langsmith.projects import Project

Protocol = Literal["v2", "v1"]
PAGE = {"v2": 1000, "v1": 100}
# A server that lacks a route, or has it switched off.
ABSENT = (404, 405, 410, 501)
V2_FIRST_VERSION = (0, 16)
# Clocks of the tracing machine and the service may differ.
CLOCK_MARGIN = timedelta(days=1)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

V2_SELECTS = (
    "ID", "NAME", "STATUS", "START_TIME", "END_TIME", "LATENCY_SECONDS", "ERROR", "METADATA",
    "REFERENCE_EXAMPLE_ID", "TOTAL_TOKENS", "PROMPT_TOKENS", "COMPLETION_TOKENS", "TOTAL_COST",
    "TAGS",
)  # fmt: skip
V1_SELECT = (
    "id", "name", "status", "start_time", "end_time", "error", "extra", "reference_example_id",
    "total_tokens", "prompt_tokens", "completion_tokens", "total_cost", "tags",
)  # fmt: skip


class _V2Page(msgspec.Struct):
    """What the v2 query answers; each run is decoded on its own."""

    items: list[msgspec.Raw] | None = None
    next_cursor: str | None = None
    has_more: bool | None = None


class _V1Page(msgspec.Struct):
    """What the v1 query answers."""

    runs: list[msgspec.Raw]
    cursors: dict[str, object] | None = None


class RunPage(NamedTuple):
    """One page of runs, each still JSON, and the way to the next page."""

    runs: list[msgspec.Raw]
    cursor: str | None


@dataclass
class RunQuery:
    """The paged query for one project's root runs; one page at a time."""

    client: LangSmith
    project: Project
    with_io: bool
    protocol: Protocol = "v2"
    subtree_usage: bool = True
    is_widened: bool = False

    def first(self) -> RunPage:
        """Read the first page, and find out which query the server answers.

        Raises:
            SourceUnavailable: it answers neither.
        """
        preferred = preference(self.client.info())
        order: tuple[Protocol, ...] = ("v2", "v1") if preferred == "v2" else ("v1", "v2")
        for protocol in order:
            self.protocol = protocol
            page = self._page(None)
            if not isinstance(page, Answer):
                return page
        raise SourceUnavailable(
            f"LangSmith at {self.client.endpoint} answers neither run query (v2 nor v1). "
            "Check that LANGSMITH_ENDPOINT is its API address."
        )

    def after(self, cursor: str) -> RunPage:
        """Read the page that a cursor leads to."""
        page = self._page(cursor)
        if isinstance(page, Answer):
            raise SourceUnavailable(
                f"LangSmith at {self.client.endpoint} stopped answering the run query "
                f"(status {page.status}) between two pages. Run the command again."
            )
        return page

    def widen(self) -> bool:
        """Ask for runs of any time from now on; False when that was so all along.

        Imported runs may be older than their project.
        """
        if self.protocol == "v1" or self.is_widened:
            return False
        self.is_widened = True
        return True

    def _page(self, cursor: str | None) -> RunPage | Answer:
        return self._v2(cursor) if self.protocol == "v2" else self._v1(cursor)

    def _v2(self, cursor: str | None) -> RunPage | Answer:
        begin, end = self._window()
        selects = [*V2_SELECTS, *(("INPUTS", "OUTPUTS") if self.with_io else ())]
        body: dict[str, object] = {
            "project_ids": [self.project.id],
            "is_root": True,
            "page_size": PAGE["v2"],
            "selects": selects,
            # without it the service silently answers for the last day only
            "min_start_time": begin.isoformat(),
        }
        if end:
            body["max_start_time"] = end.isoformat()
        if cursor:
            body["cursor"] = cursor
        if self.subtree_usage:
            # tokens and cost of an agent are those of the calls below its root
            body["include_subtree_usage"] = True
        length = (end or datetime.now(UTC)) - begin
        kind: Kind = "long_runs" if length > timedelta(days=LONG_WINDOW_DAYS) else "runs"
        refusing = (400, 422) if self.subtree_usage and cursor is None else ()
        found = self.client.ask(
            "POST",
            "/api/v2/runs/query",
            _V2Page,
            Parameters(body=body, kind=kind),
            ABSENT + refusing,
        )
        if isinstance(found, Answer):
            if found.status in refusing:
                # a server older than this property, and strict about it
                self.subtree_usage = False
                return self._v2(cursor)
            return found
        more = found.next_cursor if found.has_more is not False else None
        return RunPage(found.items or [], more or None)

    def _v1(self, cursor: str | None) -> RunPage | Answer:
        select = [*V1_SELECT, *(("inputs", "outputs") if self.with_io else ())]
        body: dict[str, object] = {
            "session": [self.project.id],
            "is_root": True,
            "limit": PAGE["v1"],
            "select": select,
        }
        if cursor:
            body["cursor"] = cursor
        found = self.client.ask(
            "POST", "/runs/query", _V1Page, Parameters(body=body, kind="runs"), ABSENT
        )
        if isinstance(found, Answer):
            return found
        following = (found.cursors or {}).get("next")
        return RunPage(found.runs, str(following) if following else None)

    def _window(self) -> tuple[datetime, datetime | None]:
        """Return the time window of the runs; a narrow one may be queried more often."""
        if self.is_widened:
            return EARLIEST, None
        began = self.project.started_at
        begin = began - CLOCK_MARGIN if began else EARLIEST
        last = self.project.last_run_at
        if last is None or last + CLOCK_MARGIN > datetime.now(UTC):
            return begin, None
        return begin, last + CLOCK_MARGIN


def preference(info: object) -> Protocol:
    """Choose the run query to try first, from `/info`.

    v2, unless the server says that it has switched it off or is older than it.
    """
    said = info if isinstance(info, dict) else {}
    flags = said.get("instance_flags")
    enabled = flags.get("sdb_query_enabled") if isinstance(flags, dict) else None
    if enabled is not None:
        return "v2" if enabled else "v1"
    version = str(said.get("version") or "")
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    older = len(numbers) == len(V2_FIRST_VERSION) and tuple(numbers) < V2_FIRST_VERSION
    return "v1" if older else "v2"


def normalised(run: dict[str, object]) -> dict[str, object]:
    """Bring a run of either query to one shape; absent stays None.

    Keys: id, name, status (success, error, pending), started_at (ISO, UTC),
    latency_ms, tokens, prompt_tokens, completion_tokens, cost_usd, error, metadata,
    example_id, tags, inputs, outputs.
    """
    metadata = run.get("metadata")
    extra = run.get("extra")
    if metadata is None and isinstance(extra, dict):
        metadata = extra.get("metadata")
    return {
        "id": run["id"],
        "name": run.get("name"),
        "status": _status(run),
        "started_at": utc_text(run.get("start_time")),
        "latency_ms": _latency_ms(run),
        "tokens": run.get("total_tokens"),
        "prompt_tokens": run.get("prompt_tokens"),
        "completion_tokens": run.get("completion_tokens"),
        "cost_usd": number(run.get("total_cost")),
        "error": run.get("error"),
        "metadata": metadata if isinstance(metadata, dict) else {},
        "example_id": run.get("reference_example_id"),
        "tags": run.get("tags"),
        "inputs": run.get("inputs"),
        "outputs": run.get("outputs"),
    }


def number(value: object) -> float | str | None:
    """Read a cost: a number, a number as text, or null; other text stays as it is."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


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
    """Return the run's duration in milliseconds, to the microsecond."""
    seconds = run.get("latency_seconds")
    if isinstance(seconds, int | float) and math.isfinite(seconds):
        return round(seconds * 1000, 3)
    begin, end = moment(run.get("start_time")), moment(run.get("end_time"))
    if begin is None or end is None:
        return None
    return round((end - begin) / timedelta(milliseconds=1), 3)
