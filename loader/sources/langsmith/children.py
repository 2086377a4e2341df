"""The child runs of a trace, fetched only when an evaluator looks at `run.child_runs`.

Whether an evaluator will look cannot be told from its signature, so nothing is asked before
it does. The first look fetches the children of a block of root runs at once; the runs of that
block cost nothing more. A reading whose evaluators never look makes no such request.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import msgspec

from ...errors import LoaderError, SourceUnavailable
from .runs import TRACES_AT_ONCE
from .sdk_runs import child_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from langsmith.schemas import Run

    from .runs import RunQuery


class Children:
    """The child runs of a project's root runs, a block at a time, in a temporary database."""

    def __init__(self, query: RunQuery, run_ids: Sequence[str]) -> None:
        """Prepare; nothing is asked yet.

        Args:
            query: of the project, its root runs read.
            run_ids: of the root runs, in the order in which they will be scored.
        """
        self._query = query
        self._run_ids = run_ids
        self._places = {run_id: place for place, run_id in enumerate(run_ids)}
        self._block: int | None = None
        # an empty name is a private temporary file, which SQLite removes itself
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("create table children (trace_id text not null, body blob not null)")
        self._database.execute("create index children_trace on children (trace_id)")
        self.failure: LoaderError | None = None
        """Why the children could not be had: a reading that fails, not an evaluator that does."""

    def close(self) -> None:
        """Drop them."""
        self._database.close()

    def of(self, run_id: str) -> list[Run]:
        """Return the children of a root run, each with its own, in the order they began.

        Raises:
            LoaderError: LangSmith does not give them; `failure` keeps it too.
        """
        block = self._places[run_id] // TRACES_AT_ONCE
        if block != self._block:
            try:
                self._fetch(self._run_ids[block * TRACES_AT_ONCE : (block + 1) * TRACES_AT_ONCE])
            except LoaderError as error:
                self.failure = error
                raise
            except msgspec.MsgspecError:
                self.failure = SourceUnavailable(
                    f"a child run in project {self._query.project.name!r} is no sound JSON, so "
                    "evaluators cannot be given child_runs; correct it in LangSmith, or leave "
                    "those evaluators out. Nothing was loaded."
                )
                raise self.failure from None
            self._block = block
        found = self._database.execute("select body from children where trace_id = ?", (run_id,))
        return tree(run_id, [msgspec.json.decode(body) for (body,) in found])

    def _fetch(self, trace_ids: Sequence[str]) -> None:
        self._database.execute("delete from children")
        for page in self._query.children(trace_ids):
            for raw in page.runs:
                run = msgspec.json.decode(raw, type=dict[str, Any])
                self._database.execute(
                    "insert into children values (?, ?)", (str(run.get("trace_id")), bytes(raw))
                )


def tree(root_id: str, rows: Sequence[dict[str, Any]]) -> list[Run]:
    """Build the runs below a root from the service's rows, in the order in which they began.

    That order is the service's (`dotted_order`): times alone may be equal.
    A run whose parent is not among them is put below the root: it was made by something.
    """
    by_id: dict[str, Run] = {}
    places: dict[str, tuple[str, datetime, str]] = {}
    for row in rows:
        run = child_of(row)
        by_id[str(run.id)] = run
        places[str(run.id)] = (run.dotted_order, run.start_time, str(run.id))
    below: list[Run] = []
    for run_id in sorted(by_id, key=places.__getitem__):
        run = by_id[run_id]
        parent = by_id.get(str(run.parent_run_id)) if run.parent_run_id else None
        if parent is None or parent is run:
            below.append(run)
        else:
            parent.child_runs = [*(parent.child_runs or []), run]
    return [run for run in below if str(run.id) != root_id]
