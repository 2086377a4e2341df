"""What the warehouse knows of a LangSmith project, for a source that reads only what changed.

Every question has a connection of its own: the source asks while a load is being prepared,
and what another load commits in between only makes it read more than it had to.
"""

from __future__ import annotations

import hashlib
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..sources.langsmith.known import KnownLook, KnownRun, known_feedback
from ..tools.sql_files import read_sql
from ..warehouse.connection import connect
from .entries import server_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from ..records.vocabulary import Vocabulary

SOURCE: Final = "langsmith"
_ROWS_AT_ONCE: Final = 500
_ANEW: Final = "ingest"
"""`source` of feedback that evaluators gave at a load, and that the service does not have."""


class KnownRuns:
    """A `loader.sources.langsmith.known.Known`: raw_evals, as it is when it is asked."""

    def __init__(
        self,
        database_url: str | None,
        vocabulary: Vocabulary,
        *,
        keep_contents: bool = False,
        first_repetition: int = 1,
        roles: Mapping[str, str] | None = None,
    ) -> None:
        """Ask nothing yet.

        Args:
            database_url: see `loader.warehouse.connection`.
            vocabulary: of the loads.
            keep_contents: as of the loads.
            first_repetition: as of the loads.
            roles: as of the loads.

        """
        self._database_url = database_url
        self._first_repetition = first_repetition
        rules = (vocabulary, keep_contents, first_repetition, roles or {})
        text = msgspec.json.encode(rules, order="deterministic")
        self.rules = hashlib.sha256(text).hexdigest()

    def look(self, project_id: str) -> KnownLook | None:
        """Return the last load of a project that was not refused; None if there is none."""
        for row in self._rows("known_look", {"project_id": project_id}):
            return KnownLook(*row)
        return None

    def runs(self, project_id: str, experiments: Sequence[str] | None) -> Iterator[KnownRun]:
        """Yield its runs that count; of some experiments only, or of all."""
        values = {"project_id": project_id, "experiments": experiments, "run_ids": None}
        for experiment, run, task, group, version, began, number, example, said in self._rows(
            "known_runs", values
        ):
            yield KnownRun(
                experiment,
                run,
                task,
                group,
                version,
                began and _written(began),
                None if number is None else number - 1 + self._first_repetition,
                example,
                [known_feedback(row) for row in _kept(said)],
            )

    def rejected(self, project_id: str) -> Iterator[bytes]:
        """Yield the records that could not be loaded, the latest first, as JSON."""
        for (payload,) in self._rows("known_rejected", {"project_id": project_id}):
            yield payload.encode()

    def feedback(
        self, project_id: str, experiments: Sequence[str] | None, run_ids: Sequence[str]
    ) -> Iterator[tuple[str, list[dict[str, object]]]]:
        """Yield the ids of runs that count, each with its feedback as it was kept."""
        values = {
            "project_id": project_id,
            "experiments": experiments,
            "run_ids": list(run_ids),
        }
        for row in self._rows("known_runs", values):
            yield (
                row[1],
                [
                    {name: value for name, value in said.items() if name != "outcome"}
                    for said in _kept(row[-1])
                ],
            )

    def _rows(self, query: str, values: Mapping[str, object]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query; not all of them are in memory."""
        with server_errors(), connect(self._database_url) as connection:
            with connection.cursor(name="known") as cursor:
                cursor.itersize = _ROWS_AT_ONCE
                cursor.execute(read_sql(__name__, query), {"source": SOURCE, **values})
                yield from cursor
            connection.rollback()


def _written(moment: datetime) -> str:
    """Write a time as the source does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _kept(feedback: object) -> list[dict[str, Any]]:
    """Return the rows that the service has of the feedback of a run."""
    rows = feedback if isinstance(feedback, list) else []
    return [row for row in rows if row.get("source") != _ANEW]
