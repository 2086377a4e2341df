"""Runs as the SDK's own type, as evaluators know them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from .runs import normalised_child
from .times import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langsmith.schemas import Run

    from .spool import SpooledRun


def root_of(spooled: SpooledRun, children: Callable[[], list[Run]]) -> Run:
    """Build the SDK's run of a root run.

    Args:
        spooled: as it was read.
        children: called when somebody looks at its `child_runs`, once.
    """
    fields = _fields(spooled.id, spooled.run, spooled.inputs_outputs)
    run = _lazy_run().model_validate({**fields, "run_type": "chain", "trace_id": spooled.id})
    run._fetch = children  # type: ignore[attr-defined]  # noqa: SLF001  of the class below
    return run


def child_of(row: Mapping[str, Any]) -> Run:
    """Build the SDK's run of a child's row, as either query gives it."""
    from langsmith.schemas import Run  # slow to import

    run: Mapping[str, Any] = normalised_child(dict(row))
    return Run.model_validate({
        **_fields(str(run["id"]), run, run),
        "run_type": run["run_type"] or "chain",
        "trace_id": run["trace_id"] or run["id"],
        "parent_run_id": run["parent_run_id"],
        "dotted_order": row.get("dotted_order") or "",
    })  # fmt: skip


def _fields(run_id: str, run: Mapping[str, Any], contents: Mapping[str, Any]) -> dict[str, Any]:
    """Name the parts of a normalised run as the SDK does."""
    started = moment(run["started_at"]) or datetime.fromtimestamp(0, UTC)
    latency = run["latency_ms"]
    ended = started + timedelta(milliseconds=latency) if isinstance(latency, int | float) else None
    return {
        "id": run_id,
        "name": run["name"] or "",
        "start_time": started,
        "end_time": ended,
        "status": run["status"],
        "error": None if run["error"] is None else str(run["error"]),
        "extra": {"metadata": run["metadata"]},
        "tags": run["tags"],
        "reference_example_id": run["example_id"],
        "total_tokens": run["tokens"],
        "prompt_tokens": run["prompt_tokens"],
        "completion_tokens": run["completion_tokens"],
        "total_cost": run["cost_usd"],
        "inputs": _mapping(contents.get("inputs"), "input") or {},
        "outputs": _mapping(contents.get("outputs"), "output"),
    }


def _mapping(value: object, name: str) -> dict[str, Any] | None:
    """Return inputs or outputs as the SDK has them: under a name, where they are none."""
    return value if value is None or isinstance(value, dict) else {name: value}


@cache
def _lazy_run() -> type[Run]:
    """Return the SDK's `Run`, whose `child_runs` are fetched when somebody looks."""
    from langsmith.schemas import Run  # slow to import
    from pydantic import PrivateAttr

    class RunWithChildren(Run):
        """A root run that was read from LangSmith."""

        _fetch: Callable[[], list[Run]] | None = PrivateAttr(default=None)

        def __getattribute__(self, name: str) -> Any:  # noqa: ANN401  of any attribute
            if name == "child_runs" and self._fetch is not None:
                fetch, self._fetch = self._fetch, None
                self.child_runs = fetch()
            return super().__getattribute__(name)

    return RunWithChildren
