"""What the warehouse knows of a project, beside what is read of it, in the same spool."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from .known import known_feedback
from .record import position
from .times import moment

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from .known import KnownFeedback, KnownRun
    from .spool import Spool

_BATCH = 1000
_IN = "(select value from json_each(?))"
"""The ids of a JSON array: any number of them."""


class MissingRun(NamedTuple):
    """A known run that was not met."""

    experiment_id: str
    id: str
    started_at: str


class KnownSpool:
    """The known runs of a spool: they take part in its numbering and are not yielded."""

    def __init__(self, spool: Spool) -> None:
        """Write into a spool that is open."""
        self._database: sqlite3.Connection = spool.database

    def fill(self, runs: Iterable[KnownRun]) -> None:
        """Keep what the warehouse has."""
        rest = iter(runs)
        while some := list(islice(rest, _BATCH)):
            self._database.executemany(
                "insert or replace into known values (?, ?, ?, ?, ?, ?, 0)",
                [
                    (
                        run.experiment_id, run.id,
                        position(run.task_id, run.experiment_id,
                                 run.experiment_group, run.extension_version),
                        run.started_at or "", run.repetition, run.example_id,
                    )
                    for run in some
                ],
            )  # fmt: skip
            self._add_feedback((run.id, row) for run in some for row in run.feedback)

    def fill_rejected(self, records: Iterable[bytes]) -> None:
        """Keep the runs that could not be loaded: they have their numbers too.

        Args:
            records: the latest of a run first.

        """
        for record in records:
            try:
                fields = msgspec.json.decode(record)
            except msgspec.MsgspecError:
                continue
            if not isinstance(fields, dict) or not isinstance(fields.get("source_run_id"), str):
                continue
            run_id = fields["source_run_id"]
            kept = fields.get("feedback")
            self._add_feedback(
                (run_id, known_feedback(row)) for row in (kept if isinstance(kept, list) else ())
            )
            arm = [fields.get(name) for name in ("experiment_group", "extension_version")]
            place = position(fields.get("task_id"), fields.get("experiment_id"), *arm)
            self._database.execute(
                "insert into known select ?, ?, ?, ?, null, null, 1"
                " where not exists (select 1 from known where id = ?)",
                (str(fields.get("experiment_id")), run_id, place,
                 fields.get("recorded_at") or "", run_id),
            )  # fmt: skip

    def _add_feedback(self, rows: Iterable[tuple[str, KnownFeedback]]) -> None:
        self._database.executemany(
            "insert or ignore into known_feedback values (?, ?, ?, ?, ?)",
            [
                (row.id, run_id, row.modified_at, row.key, json.dumps(row.score))
                for run_id, row in rows
            ],
        )

    def clear(self) -> None:
        """Drop what is known, to be filled anew."""
        self._database.execute("delete from known")
        self._database.execute("delete from known_feedback")

    def count(self, *, rejected: bool = False, unread: bool = False) -> int:
        """Count the known runs that were loaded, or that could not be; of them those not read."""
        found = self._database.execute(
            "select count(distinct id) from known where is_rejected = ?"
            " and (not ? or id not in (select id from runs))",
            (rejected, unread),
        )
        return int(found.fetchone()[0])

    def known(self, ids: Collection[str], *, rejected: bool = False) -> set[str]:
        """Return those of some ids that are of known runs; or of such as were not loaded."""
        found = self._database.execute(
            f"select id from known where id in {_IN} and is_rejected >= ?",  # noqa: S608  a constant
            (json.dumps(list(ids)), rejected),
        )
        return {run_id for (run_id,) in found}

    def earliest(self, ids: Collection[str]) -> datetime | None:
        """Return when the oldest of some known runs began, UTC; None where none is dated."""
        found = self._database.execute(
            f"select min(started_at) from known where id in {_IN}"  # noqa: S608  a constant
            " and started_at <> ''",
            (json.dumps(list(ids)),),
        )
        return moment(found.fetchone()[0])

    def feedback(self, ids: Collection[str]) -> dict[str, tuple[str | None, str, object]]:
        """Return what is known of feedback rows by id: modified_at, key, score."""
        found = self._database.execute(
            f"select id, modified_at, key, score from known_feedback where id in {_IN}",  # noqa: S608  a constant
            (json.dumps(list(ids)),),
        )
        return {row_id: (at, key, json.loads(score)) for row_id, at, key, score in found}

    def missing(self) -> list[MissingRun]:
        """Return the known runs that were not read, by start."""
        found = self._database.execute(
            "select experiment_id, id, started_at from known"
            " where not is_rejected and id not in (select id from runs)"
            " order by started_at, id, experiment_id"
        )
        return [MissingRun(*row) for row in found]

    def forget(self, runs: Iterable[MissingRun]) -> None:
        """Let known runs have no number any more."""
        self._database.executemany(
            "delete from known where experiment_id = ? and id = ?",
            [(run.experiment_id, run.id) for run in runs],
        )

    def renumbered(self) -> list[str]:
        """Return the known runs, not read, that have another number than they were given."""
        found = self._database.execute(
            "select id from known inner join numbered using (id, position)"
            " where not known.is_rejected and known.repetition is not numbered.repetition"
            " and id not in (select id from runs)"
        )
        return [run_id for (run_id,) in found]

    def unread(self) -> Iterator[tuple[str, str, str, str, int]]:
        """Yield task, experiment, group, version and count of known runs that were not read."""
        found = self._database.execute(
            "select json_extract(position, '$[0]'), json_extract(position, '$[1]'),"
            " json_extract(position, '$[2]'), json_extract(position, '$[3]'), count(*)"
            " from known where not is_rejected and id not in (select id from runs)"
            " group by position"
        )
        yield from found
