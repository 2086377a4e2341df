"""Which runs the stand-in's two run queries give: bounds, ids, traces, types and filters."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Row = dict[str, Any]
RENAMED = {"PROJECT_ID": "session_id", "METADATA": "extra", "LATENCY_SECONDS": "end_time"}
# The service: 400 days and some hours are answered, 401 days are not.
LONGEST = timedelta(days=401)
CONDITION = re.compile(r"(\w+)\((\w+), (.+)\)", re.DOTALL)
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda held, asked: held == asked,
    "gte": lambda held, asked: held >= asked,
    "gt": lambda held, asked: held > asked,
    "lte": lambda held, asked: held <= asked,
    "lt": lambda held, asked: held < asked,
    "in": lambda held, asked: held in asked,
}


# What a run is said to have used, and where the SDK's wrappers write it in its outputs.
USAGE = {
    "total_tokens": "total_tokens",
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "total_cost": "total_cost",
}


class Refused(Exception):  # noqa: N818  it reads as what it is
    """The service answers 400 with this text."""


def asked_v2(roots: Callable[..., list[Row]], body: Row) -> list[Row]:
    """Return the runs that a v2 query names, newest first.

    Without bounds the last day; a stretch of 401 days and more is refused.
    """
    if not 1 <= body.get("page_size", 100) <= 1000:
        raise Refused("page_size must be between 1 and 1000")
    now = datetime.now(UTC)
    end = instant(body["max_start_time"]) if body.get("max_start_time") else now
    begin = instant(body["min_start_time"]) if body.get("min_start_time") else now - timedelta(1)
    if end - begin >= LONGEST:
        raise Refused("time range exceeds 401 days")
    runs = roots(body["project_ids"], is_root=body.get("is_root"))
    within = (
        run for run in runs if run["start_time"] and begin <= instant(run["start_time"]) <= end
    )
    return list(_narrowed(within, body, set(body.get("ids") or ())))


def asked_v1(roots: Callable[..., list[Row]], body: Row) -> list[Row]:
    """Return the runs that a v1 query names, of any time."""
    if body.get("limit", 100) > 100:
        raise Refused("Limit exceeds maximum allowed value of 100")
    runs = roots(body["session"], is_root=body.get("is_root"))
    return list(_narrowed(runs, body, set(body.get("id") or ())))


def shown_v2(run: Row, name: str) -> object:
    """Return one property of a run as the v2 query gives it: times in milliseconds."""
    value = run.get(RENAMED.get(name, name.lower()))
    # v1 has 0 where no tokens were counted
    is_uncounted = name.endswith("_TOKENS") and run.get("total_cost") is None and not value
    if value is None or is_uncounted:
        return None
    if name in {"STATUS", "RUN_TYPE"}:
        return str(value).upper()
    if name in {"START_TIME", "END_TIME"}:
        return instant(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if name == "METADATA":
        return value.get("metadata")
    if name == "LATENCY_SECONDS":
        return (instant(value) - instant(run["start_time"])).total_seconds()
    return float(value) if name == "TOTAL_COST" else value


def _narrowed(runs: Iterable[Row], body: Row, ids: set[str]) -> Iterator[Row]:
    run_type = str(body.get("run_type") or "").lower()
    conditions = list(_conditions(body.get("filter") or ""))
    for run in runs:
        if (ids and run["id"] not in ids) or (run_type and run["run_type"] != run_type):
            continue
        if all(_holds(run, *condition) for condition in conditions):
            yield run


def _conditions(text: str) -> Iterator[tuple[str, str, Any]]:
    """Read what this project writes of the filter language: `and` over comparisons."""
    if not text:
        return
    if text.startswith("and("):
        for part in re.split(r", (?=\w+\()", text[4:-1]):
            yield from _conditions(part)
        return
    found = CONDITION.fullmatch(text)
    if found is None or found[1] not in COMPARISONS:
        raise Refused(f"cannot parse filter {text}")
    yield found[1], found[2], msgspec.json.decode(found[3])


def _holds(run: Row, comparison: str, name: str, asked: Any) -> bool:  # noqa: ANN401
    held = run[name]
    if name == "start_time":
        if not held:
            return False
        held, asked = instant(held), instant(asked)
    return COMPARISONS[comparison](held, asked)


def instant(text: str) -> datetime:
    """Read a time; without a zone it is UTC."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


class Usage:
    """Tokens and cost of runs: as kept, else as their outputs say."""

    def __init__(self, runs: Iterable[Row], *, is_whole: bool) -> None:
        """Look up nothing yet; with `is_whole`, a run that says none has those below it."""
        self._runs = runs
        self._is_whole = is_whole
        self._below: dict[str, list[Row]] | None = None

    def of(self, run: Row, name: str) -> Any:  # noqa: ANN401
        """Return one of `USAGE`."""
        own = run.get(name)
        if own is None:
            own = ((run.get("outputs") or {}).get("usage_metadata") or {}).get(USAGE[name])
        if own is not None or not self._is_whole:
            return own
        parts = [self.of(child, name) for child in self._children(run["id"])]
        said = [part for part in parts if part is not None]
        return sum(said) if said else None

    def _children(self, run_id: str) -> list[Row]:
        if self._below is None:
            self._below = {}
            for run in self._runs:
                self._below.setdefault(run.get("parent_run_id") or "", []).append(run)
        return self._below.get(run_id, [])
