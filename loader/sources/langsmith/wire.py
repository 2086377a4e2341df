"""One request for runs, as either run query takes it, and its answer in one shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from .answers import Answer
from .client import Kind, LangSmith, Parameters
from .limits import LONG_WINDOW

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .windows import Window

Protocol = Literal["v2", "v1"]
PAGE = {"v2": 1000, "v1": 100}
# A server that lacks a route, or has it switched off.
ABSENT = (404, 405, 410, 501)
# Runs with inputs and outputs may be of any size: a first page of few shows it.
FIRST_WITH_IO = 20
# What one page may weigh, in bytes. Twice as much is held for a moment when it has come, and
# the next one is on its way meanwhile.
PAGE_WEIGHT = 6 << 20
GROWTH = 10

_V2_SELECTS = (
    "ID", "NAME", "STATUS", "START_TIME", "END_TIME", "LATENCY_SECONDS", "ERROR", "METADATA",
    "REFERENCE_EXAMPLE_ID", "TOTAL_TOKENS", "PROMPT_TOKENS", "COMPLETION_TOKENS", "TOTAL_COST",
    "TAGS", "PROMPT_TOKEN_DETAILS", "COMPLETION_TOKEN_DETAILS",
)  # fmt: skip
_V1_SELECT = (
    "id", "name", "status", "start_time", "end_time", "error", "extra", "reference_example_id",
    "total_tokens", "prompt_tokens", "completion_tokens", "total_cost", "tags",
    "prompt_token_details", "completion_token_details",
)  # fmt: skip
_V2_PLACE = ("RUN_TYPE", "TRACE_ID", "PARENT_RUN_IDS", "DOTTED_ORDER")
_V1_PLACE = ("run_type", "trace_id", "parent_run_id", "dotted_order")


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


@dataclass(frozen=True)
class Question:
    """Which runs of a project to ask for, apart from their time."""

    is_root: bool = True
    with_io: bool = False
    ids: Sequence[str] = ()
    trace_ids: Sequence[str] = ()
    """Only runs of these traces; of all when empty."""
    run_type: str | None = None
    """In lower case, such as `llm`."""
    since: datetime | None = None
    until: datetime | None = None
    """The start times that the v1 query is to keep to; the v2 query has its window."""


class PageSize:
    """How many runs to ask for at once: as many as the service gives, fewer of heavy ones."""

    def __init__(self, *, with_io: bool) -> None:
        """Begin with few where their size may be anything."""
        self._rows = FIRST_WITH_IO if with_io else max(PAGE.values())

    def of(self, protocol: Protocol) -> int:
        """Return the size of the next page."""
        return min(self._rows, PAGE[protocol])

    def learn(self, runs: Sequence[msgspec.Raw]) -> None:
        """Take the weight of the last page into account."""
        if runs:
            fitting = PAGE_WEIGHT * len(runs) // max(1, sum(map(len, runs)))
            self._rows = max(1, min(fitting, self._rows * GROWTH, max(PAGE.values())))


@dataclass
class Wire:
    """Asks for pages of one project's runs."""

    client: LangSmith
    project_id: str
    subtree_usage: bool = True

    def __post_init__(self) -> None:
        """Keep the sizes of pages with and without inputs and outputs apart."""
        self._sizes = {with_io: PageSize(with_io=with_io) for with_io in (False, True)}

    def v2(self, question: Question, window: Window, cursor: str | None) -> RunPage | Answer:
        """Ask the v2 query for a page; its refusal when the server has no such query."""
        body: dict[str, object] = {
            "project_ids": [self.project_id],
            "is_root": question.is_root,
            "page_size": self._sizes[question.with_io].of("v2"),
            "selects": [
                *_V2_SELECTS,
                *(() if question.is_root else _V2_PLACE),
                *(("INPUTS", "OUTPUTS") if question.with_io else ()),
            ],
            # without them the service silently answers for the last day only
            "min_start_time": window.begin.isoformat(),
            "max_start_time": window.end.isoformat(),
        }
        if question.ids:
            body["ids"] = list(question.ids)
        if question.trace_ids:
            body["filter"] = _any_of("trace_id", question.trace_ids)
        if question.run_type:
            body["run_type"] = question.run_type.upper()
        if cursor:
            body["cursor"] = cursor
        if self.subtree_usage and question.is_root:
            # tokens and cost of an agent are those of the calls below its root
            body["include_subtree_usage"] = True
        refusing = (400, 422) if "include_subtree_usage" in body and cursor is None else ()
        kind: Kind = "long_runs" if window.length > LONG_WINDOW else "runs"
        parameters = Parameters(body=body, kind=kind)
        found = self.client.ask(
            "POST", "/api/v2/runs/query", _V2Page, parameters, ABSENT + refusing
        )
        if isinstance(found, Answer):
            if found.status in refusing:
                # a server older than this property, and strict about it
                self.subtree_usage = False
                return self.v2(question, window, cursor)
            return found
        self._sizes[question.with_io].learn(found.items or [])
        more = found.next_cursor if found.has_more is not False else None
        return RunPage(found.items or [], more or None)

    def v1(self, question: Question, cursor: str | None) -> RunPage | Answer:
        """Ask the v1 query for a page; its refusal when the server has no such query."""
        body: dict[str, object] = {
            "session": [self.project_id],
            "is_root": question.is_root,
            "limit": self._sizes[question.with_io].of("v1"),
            "select": [
                *_V1_SELECT,
                *(() if question.is_root else _V1_PLACE),
                *(("inputs", "outputs") if question.with_io else ()),
            ],
        }
        if question.ids:
            body["id"] = list(question.ids)
        if question.run_type:
            body["run_type"] = question.run_type
        conditions = [
            *([f'gte(start_time, "{_text(question.since)}")'] if question.since else ()),
            *([f'lte(start_time, "{_text(question.until)}")'] if question.until else ()),
            *([_any_of("trace_id", question.trace_ids)] if question.trace_ids else ()),
        ]
        if conditions:
            body["filter"] = conditions[0] if len(conditions) == 1 else _all(conditions)
        if cursor:
            body["cursor"] = cursor
        parameters = Parameters(body=body, kind="runs")
        found = self.client.ask("POST", "/runs/query", _V1Page, parameters, ABSENT)
        if isinstance(found, Answer):
            return found
        self._sizes[question.with_io].learn(found.runs)
        following = (found.cursors or {}).get("next")
        return RunPage(found.runs, str(following) if following else None)


def _any_of(field: str, values: Sequence[str]) -> str:
    """Write a condition of LangSmith's filter language: one of several values."""
    return f"in({field}, {msgspec.json.encode(list(values)).decode()})"


def _all(conditions: Sequence[str]) -> str:
    """Write several conditions as one."""
    return f"and({', '.join(conditions)})"


def _text(moment: datetime) -> str:
    """Write a time as the filter language has it."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


class Identified(msgspec.Struct):
    """What tells a run from others, and its trace where that was asked for."""

    id: str | None = None
    trace_id: str | None = None


def identified(raw: msgspec.Raw) -> Identified:
    """Say which run it is; nothing of one that cannot be decoded."""
    try:
        return msgspec.json.decode(raw, type=Identified)
    except msgspec.MsgspecError:
        return Identified()
