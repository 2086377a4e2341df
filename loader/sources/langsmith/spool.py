"""Where what was read waits until it is whole: a temporary SQLite file.

Feedback arrives in another order than runs, and repetitions are numbered over all
runs of a task, so everything must be read before the first record can be made. It is
kept on disk, so that memory does not grow with the experiment.
"""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec

from .times import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from types import TracebackType

_SCHEMA = """
pragma journal_mode = off;
pragma synchronous = off;
pragma temp_store = file;
pragma locking_mode = exclusive;
pragma cache_size = -2000;
create table runs (
    id text primary key,
    position text,
    started_at text,
    is_pending integer not null,
    body blob not null,
    io blob
);
create table unreadable (reason text not null, original blob not null);
create table feedback (
    id text primary key, run_id text, created_at text, body blob not null
);
create table evaluations (run_id text not null, body blob not null);
"""
# What the warehouse has of the project; it is not yielded.
_KNOWN = """
create table known (
    experiment_id text not null,
    id text not null,
    position text not null,
    started_at text not null,
    repetition integer,
    example_id text,
    is_rejected integer not null,
    primary key (experiment_id, id)
);
create index known_id on known (id);
create table known_feedback (
    id text primary key, run_id text not null, modified_at text, key text, score text
);
"""
_VIEWS = """
create view finished as
select position, json_extract(cast(body as text), '$.example_id') as example_id
from runs where not is_pending
union all
select position, example_id
from known where not is_rejected and id not in (select id from runs);
create view all_runs as
select id, position, started_at from runs
union all
select id, position, started_at from known where id not in (select id from runs);
create view numbered as
select id, position, row_number() over (
    partition by position order by started_at, id
) as repetition
from all_runs;
"""
# Numbered over pending runs too: a run keeps its number when it is done; and over the runs that
# the warehouse knows and that are not read now. Only what orders them is sorted, not what they
# hold.
_NUMBERED = """
select runs.rowid, repetition
from runs inner join numbered using (id, position)
order by runs.started_at, id
"""
_TOKENS = "json_extract(cast(body as text), '$.tokens')"


class SpooledRun(NamedTuple):
    """One run, normalised, with its number among the runs of its task and arm."""

    id: str
    run: dict[str, object]
    inputs_outputs: dict[str, object]
    repetition: int
    is_pending: bool


class Spool:
    """Runs and feedback of one project, each once, joined on demand."""

    def __init__(self) -> None:
        """Open an empty file in a private temporary directory."""
        self._directory = tempfile.TemporaryDirectory(prefix="evalmart-")
        self._database = sqlite3.connect(
            Path(self._directory.name) / "spool.sqlite", isolation_level=None
        )
        self._database.executescript(f"{_SCHEMA}{_KNOWN}{_VIEWS}begin;")
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(dict[str, object]).decode
        self.repeated_runs = self.repeated_feedback = self.unreadable_feedback = 0

    def __enter__(self) -> Self:
        """Use as a context: the file is gone afterwards."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the file."""
        del kind, error, trace
        self._database.close()
        self._directory.cleanup()

    @property
    def database(self) -> sqlite3.Connection:
        """The file, for who keeps something beside the runs."""
        return self._database

    def clear(self) -> None:
        """Drop what was read; what is known stays."""
        for table in ("runs", "unreadable", "feedback", "evaluations"):
            self._database.execute(f"delete from {table}")  # noqa: S608  a constant
        self.repeated_runs = self.repeated_feedback = self.unreadable_feedback = 0

    def add_runs(self, runs: Iterable[tuple[str, dict[str, object]]]) -> None:
        """Keep a page of runs, each behind its position; one met before is replaced."""
        rows = []
        for position, run in runs:
            io = {name: run.pop(name, None) for name in ("inputs", "outputs")}
            has_io = any(value is not None for value in io.values())
            rows.append((
                run["id"],
                position,
                run["started_at"] or "",
                run["status"] == "pending",
                self._encode(run),
                self._encode(io) if has_io else None,
            ))  # fmt: skip
        self.repeated_runs += self._put("runs values (?, ?, ?, ?, ?, ?)", rows)

    def add_unreadable(self, reason: str, original: bytes) -> None:
        """Keep a run that cannot be decoded, to be rejected by name."""
        self._database.execute("insert into unreadable values (?, ?)", (reason, original))

    def add_feedback(self, feedback: Iterable[tuple[str | None, dict[str, object]]]) -> None:
        """Keep a page of feedback, each behind the id of its run; None for the experiment.

        One met before is replaced.
        """
        rows = [
            (row.get("id"), run_id, row.get("created_at"), self._encode(row))
            for run_id, row in feedback
        ]
        self.repeated_feedback += self._put("feedback values (?, ?, ?, ?)", rows)

    def fill_feedback(self, feedback: Iterable[tuple[str, dict[str, object]]]) -> None:
        """Keep feedback that was stored before, where none of its id was read now."""
        self._database.executemany(
            "insert or ignore into feedback values (?, ?, ?, ?)",
            (
                (row.get("id"), run_id, row.get("created_at"), self._encode(row))
                for run_id, row in feedback
            ),
        )

    def _put(self, target: str, rows: Sequence[tuple[object, ...]]) -> int:
        """Insert rows, what comes later in place of what came before; count the repeated."""
        before = self._database.total_changes
        self._database.executemany(f"insert or ignore into {target}", rows)
        repeated = len(rows) - (self._database.total_changes - before)
        if repeated:
            self._database.executemany(f"insert or replace into {target}", rows)
        return repeated

    def add_evaluation(self, run_id: str, rows: Iterable[dict[str, object]]) -> None:
        """Keep what evaluators applied at this ingest say of one run."""
        self._database.executemany(
            "insert into evaluations values (?, ?)",
            [(run_id, self._encode(row)) for row in rows],
        )

    def seal(self) -> None:
        """Index what was read, once, after the last page."""
        self._database.execute("create index feedback_run on feedback (run_id)")
        # from now on rows are looked up, and what makes the records needs the memory
        self._database.executescript("pragma cache_size = -1000; pragma shrink_memory;")

    def seal_evaluations(self) -> None:
        """Index the evaluations, once."""
        self._database.execute("create index evaluations_run on evaluations (run_id)")

    def count(self, what: str = "") -> int:
        """Count runs; or those pending, all read, feedback, feedback on no known run.

        Or, of finished runs, the tasks (of each arm) and the examples that they are of.
        """
        query = {
            "": "select count(*) from runs",
            "read": "select (select count(*) from runs) + (select count(*) from unreadable)",
            "pending": "select count(*) from runs where is_pending",
            "tasks": "select count(distinct position) from finished",
            "examples": "select count(distinct example_id) from finished",
            "feedback": "select count(*) from feedback",
            "strays": (
                "select count(*) from feedback where run_id is not null"
                " and run_id not in (select id from runs)"
            ),
        }[what]
        return int(self._database.execute(query).fetchone()[0])

    def finished_ids(self) -> list[str]:
        """Return the ids of the finished runs, in the order of `runs`."""
        found = self._database.execute(
            "select id from runs where not is_pending order by started_at, id"
        )
        return [str(run_id) for (run_id,) in found]

    def oldest(self) -> datetime | None:
        """Return when the oldest run began, UTC; None where none is dated."""
        query = "select min(started_at) from runs where started_at <> ''"
        return moment(self._database.execute(query).fetchone()[0])

    def zeros(self) -> list[str]:
        """Return the ids of finished runs that have no tokens, or cost nothing."""
        found = self._database.execute(
            "select id from runs where not is_pending"
            " and 0 in (json_extract(cast(body as text), '$.tokens'),"
            " json_extract(cast(body as text), '$.cost_usd'))"
        )
        return [run_id for (run_id,) in found]

    def forget_zeros(self, run_id: str, names: Sequence[str]) -> bool:
        """Make these fields of a run null where they are 0; return whether one was."""
        found = self._database.execute("select body from runs where id = ?", (run_id,)).fetchone()
        run = self._decode(found[0]) if found else {}
        zeros = {name: None for name in names if run.get(name) == 0}
        if zeros:
            self._database.execute(
                "update runs set body = ? where id = ?", (self._encode(run | zeros), run_id)
            )
        return bool(zeros)

    def runs(self) -> Iterator[SpooledRun]:
        """Yield every run by start time, with its repetition number."""
        one = "select id, body, io, is_pending from runs where rowid = ?"
        for row, repetition in self._database.execute(_NUMBERED):
            run_id, body, io, is_pending = self._database.execute(one, (row,)).fetchone()
            yield SpooledRun(
                run_id,
                self._decode(body),
                self._decode(io) if io else {},
                repetition,
                bool(is_pending),
            )

    def unreadable(self) -> Iterator[tuple[str, bytes]]:
        """Yield reason and original of every run that could not be decoded."""
        yield from self._database.execute("select reason, original from unreadable")

    def feedback(self, run_id: str | None) -> list[dict[str, object]]:
        """Return the feedback on one run; None for that on the experiment itself."""
        found = self._database.execute(
            "select body from feedback where run_id is ? order by created_at, id", (run_id,)
        )
        return [self._decode(body) for (body,) in found]

    def evaluations(self, run_id: str) -> list[dict[str, object]]:
        """Return what evaluators applied at this ingest say of one run."""
        found = self._database.execute(
            "select body from evaluations where run_id = ? order by rowid", (run_id,)
        )
        return [self._decode(body) for (body,) in found]

    def pending(self) -> dict[str, int]:
        """Return the runs that are not finished, each with its tokens so far."""
        found = self._database.execute(
            f"select id, {_TOKENS} from runs where is_pending"  # noqa: S608  a constant
        )
        return {run_id: int(tokens or 0) for run_id, tokens in found}

    def tokens(self) -> int:
        """Add up the tokens of all runs."""
        query = f"select sum({_TOKENS}) from runs"  # noqa: S608  a constant
        return int(self._database.execute(query).fetchone()[0] or 0)

    def experiments(self) -> set[str]:
        """Return the experiments of the runs."""
        found = self._database.execute("select distinct json_extract(position, '$[1]') from runs")
        return {str(name) for (name,) in found}

    def has(self, run_id: str | None) -> bool:
        """Whether a run was read."""
        found = self._database.execute("select 1 from runs where id = ?", (run_id,))
        return found.fetchone() is not None

    def feedback_rows(self) -> Iterator[tuple[str, str, str, object, str]]:
        """Yield run, id, key, score and time of every feedback row that is on a run."""
        yield from self._database.execute(
            "select run_id, id, json_extract(cast(body as text), '$.key'),"
            " json_extract(cast(body as text), '$.score'), coalesce(created_at, '')"
            " from feedback where run_id is not null"
        ).fetchall()

    def scored(self) -> Iterator[tuple[str, object]]:
        """Yield key and score of every feedback row that is on a run."""
        yield from self._database.execute(
            "select json_extract(cast(body as text), '$.key'),"
            " json_extract(cast(body as text), '$.score')"
            " from feedback where run_id is not null"
        )

    def keys(self) -> set[str]:
        """Collect the keys of all feedback, and of what evaluators said at this ingest."""
        found = self._database.execute(
            "select json_extract(cast(body as text), '$.key') from feedback"
            " union select json_extract(cast(body as text), '$.key') from evaluations"
        )
        return {str(key) for (key,) in found if key is not None}

    def distinct(self, name: str) -> set[str]:
        """Collect the distinct values of one field of the runs, such as `example_id`."""
        found = self._database.execute(
            "select json_extract(cast(body as text), ?) from runs union"
            " select example_id from known where ? = 'example_id'",
            (f"$.{name}", name),
        )
        return {str(value) for (value,) in found if value is not None}
