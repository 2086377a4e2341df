"""What is there of an arm when a session begins, and where the session's runs go beside it.

An id is drawn, never derived from what was read: two sessions that add at once may give
two runs the same repetition, but never the same id, so that neither overwrites the other.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
import uuid
import weakref
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import psycopg

from ..errors import ConfigurationError, LoaderError, WarehouseUnavailable
from ..ingest.entries import patience
from ..tools.counts import counted
from ..warehouse.connection import be_patient, connect
from .spool import replay, target_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..records.vocabulary import Vocabulary
    from ..warehouse.connection import Connection

_LOCK_SECONDS: Final = 10
"""How long to wait for a load that is under way; what it brings is not there yet."""
_LOOK_SECONDS: Final = 60
IS_STANDING: Final = """
    not exists (
        select from raw_evals.withdrawn_versions as withdrawn
        where
            withdrawn.experiment_id = runs.experiment_id
            and withdrawn.source = runs.source
            and withdrawn.source_run_id = runs.source_run_id
            and withdrawn.run_version = runs.run_version
    )
"""
"""Of a version of a run: that it was not withdrawn. What was is not there."""
_OF_ARM: Final = f"""
    {IS_STANDING}
    and runs.experiment_id = %(experiment_id)s
    and runs.experiment_group = %(experiment_group)s
    and runs.extension_version = %(extension_version)s
    and (%(as_of_load)s::bigint is null or runs.load_id <= %(as_of_load)s)
"""
_TASKS: Final = f"""
select
    runs.task_id,
    count(distinct (runs.source, runs.source_run_id)),
    coalesce(max(runs.repetition), 0)
from raw_evals.evaluation_runs as runs
where {_OF_ARM}
group by runs.task_id
"""  # noqa: S608  a constant
# in the order in which the marts number the trials of a task
_RUNS: Final = f"""
with latest as (
    select distinct on (runs.source_run_id)
        runs.task_id, runs.source_run_id, runs.repetition,
        coalesce(runs.recorded_at, runs.loaded_at) as dated_at
    from raw_evals.evaluation_runs as runs
    where {_OF_ARM} and runs.source = %(source)s
    order by runs.source_run_id, runs.run_version desc
)
select task_id, source_run_id, repetition from latest
order by task_id, repetition nulls last, dated_at, source_run_id collate "C"
"""  # noqa: S608
_LAST_LOAD: Final = "select coalesce(max(load_id), 0) from raw_evals.loads"
_log = logging.getLogger(__name__)


class OnExisting(StrEnum):
    """What a session does where its arm has runs already."""

    ADD = "add"
    """Its runs are further repetitions."""
    REPLACE = "replace"
    """Its runs are new versions of those that are there."""
    REFUSE = "refuse"
    """It does not begin."""

    @classmethod
    def of(cls, name: str) -> OnExisting:
        """Return what a name means.

        Raises:
            ConfigurationError: nothing.

        """
        try:
            return cls(name)
        except ValueError:
            raise ConfigurationError(
                f"on_existing is {name!r}; write add, replace or refuse"
            ) from None


class Arm(NamedTuple):
    """What the runs of a session belong to."""

    experiment_id: str
    experiment_group: str
    extension_version: str


class _Slot(NamedTuple):
    """A run that may be replaced."""

    run_id: str
    repetition: int


@dataclass(slots=True)
class _Task:
    """The runs of one task: what was there, and what the session has done."""

    runs: int = 0
    stored: int = 0
    """The highest repetition that was there, and at least how many runs there were."""
    highest: int = 0
    """The same, with what the session has added."""
    slots: deque[_Slot] = field(default_factory=deque)
    """What is still to be replaced."""


class Session:
    """Gives runs their ids and repetitions. Safe for many threads."""

    def __init__(
        self,
        source: str,
        vocabulary: Vocabulary,
        database_url: str | None,
        on_existing: OnExisting,
        as_of_load: int | None = None,
    ) -> None:
        """Prepare; nothing is looked up yet.

        Args:
            source: the `source` of the runs.
            vocabulary: for loading what earlier sessions left in the spool.
            database_url: see `loader.warehouse.connection`.
            on_existing: what to do about runs that are there.
            as_of_load: what came with later loads counts as the session's own.

        """
        self._source = source
        self._vocabulary = vocabulary
        self._database_url = database_url
        self.on_existing = on_existing
        self.as_of_load = as_of_load
        self._arms: dict[Arm, dict[str, _Task] | None] = {}
        """None for an arm that could not be looked up."""
        self._there = self._replaceable = 0
        """Runs that were there, and those of them that are of this source."""
        self._standing: set[str] = set()
        """Ids of the latter that have no new version yet."""
        self.notes: list[str] = []
        """What was there at the beginning, for a person."""
        self._begin_anew()
        _sessions.add(self)

    def _begin_anew(self) -> None:
        """Draw other ids than before, as a child process must after a fork."""
        self._lock = threading.RLock()
        self._prefix = uuid.uuid4().hex
        self._numbers = itertools.count(1)

    @property
    def replaced_count(self) -> int:
        """How many runs that were there have got new versions."""
        return self._replaceable - len(self._standing)

    def knows(self, arm: Arm) -> bool:
        """Whether `place` answers for an arm without asking the database."""
        return arm in self._arms

    def begin(self, arm: Arm) -> None:
        """See what is there of an arm, once.

        Raises:
            ConfigurationError: there is something, and it is to be refused.
            WarehouseUnavailable: the database is away, and without knowing what is there
                it cannot be replaced or refused.

        """
        with self._lock:
            if arm not in self._arms:
                self._arms[arm] = self._look(arm)

    def place(self, arm: Arm, task_id: str, repetition: int | None) -> tuple[str, int | None]:
        """Return the id and the repetition of the next run of a task.

        Args:
            arm: where it belongs.
            task_id: of a sound record.
            repetition: as the record says; one that was there before is numbered on.

        Returns:
            The repetition is None where the record says none and nobody knows what is there.

        Raises:
            As `begin`, for an arm not seen before.

        """
        with self._lock:
            self.begin(arm)
            tasks = self._arms[arm]
            if tasks is None:
                return self._new_id(), repetition
            task = tasks.setdefault(task_id, _Task())
            slot = self._taken(task.slots, repetition)
            if slot is not None:
                return slot
            if repetition is None or repetition <= task.stored:
                repetition = task.highest + 1
            task.highest = max(task.highest, repetition)
            return self._new_id(), repetition

    def note_recorded(self, run_id: str) -> None:
        """Take note that a run is kept, whether `place` or the record named it."""
        self._standing.discard(run_id)

    def remaining(self, replaced_elsewhere: int = 0) -> str:
        """Say what a session that replaces has replaced, and what stays; empty for nothing.

        Args:
            replaced_elsewhere: what other processes of the session have replaced.

        """
        if self.on_existing is not OnExisting.REPLACE or not self._there:
            return ""
        replaced = self.replaced_count + replaced_elsewhere
        staying = self._there - replaced
        foreign = self._there - self._replaceable
        whose = f", {foreign:,} of them of another source than {self._source}" if foreign else ""
        left = (
            f"; {staying:,} stay, since they were not recorded again{whose}: "
            "withdraw them if they should not count"
            if staying
            else ""
        )
        return f"{replaced:,} of {counted(self._there, 'run')} replaced{left}"

    def _taken(self, slots: deque[_Slot], repetition: int | None) -> _Slot | None:
        """Take the slot of a repetition, or the first where none is given; None if there is none.

        What a record that names its run has replaced meanwhile is passed over.
        """
        for slot in list(slots):
            if slot.run_id not in self._standing:
                slots.remove(slot)
            elif repetition in (None, slot.repetition):
                slots.remove(slot)
                return slot
        return None

    def _new_id(self) -> str:
        return f"{self._prefix}-{next(self._numbers)}"

    def _look(self, arm: Arm) -> dict[str, _Task] | None:
        name = f"{arm.experiment_id}, {arm.experiment_group} {arm.extension_version}"
        try:
            tasks = self._read(arm)
        except (LoaderError, psycopg.Error) as error:
            problem = str(error).partition("\n")[0]
            if self.on_existing is not OnExisting.ADD:
                raise WarehouseUnavailable(
                    f"on_existing={self.on_existing} has to know what is there of {name}, and "
                    f"the database does not say ({problem}); record when it is back, or add"
                ) from None
            self._note(
                f"{name}: what is there is not known ({problem}); runs are added under ids of "
                "their own, without a repetition where none is given"
            )
            return None
        runs = sum(task.runs for task in tasks.values())
        self._there += runs
        replaceable = [slot.run_id for task in tasks.values() for slot in task.slots]
        self._replaceable += len(replaceable)
        self._standing.update(replaceable)
        if not runs:
            return tasks
        there = already(arm, runs, len(tasks))
        if self.on_existing is OnExisting.REFUSE:
            raise refused(there)
        self._note(
            f"{there}; "
            + (
                "what is recorded now adds repetitions, numbered on for each task"
                if self.on_existing is OnExisting.ADD
                else "what is recorded now replaces them, task by task"
            )
        )
        return tasks

    def _note(self, text: str) -> None:
        self.notes.append(text)
        _log.warning("%s", text)

    def _read(self, arm: Arm) -> dict[str, _Task]:
        """Ask the database, once it has what earlier sessions left in the spool."""
        with connect(
            self._database_url, statement_seconds=_LOOK_SECONDS, lock_seconds=_LOCK_SECONDS
        ) as connection:
            if self.as_of_load is None:
                with patience(_LOCK_SECONDS):
                    replay(connection, self._vocabulary, target_name(self._database_url))
            asked = {**arm._asdict(), "source": self._source, "as_of_load": self.as_of_load}
            be_patient(connection)
            return self._tasks(connection, asked)

    def _tasks(self, connection: Connection, asked: Mapping[str, object]) -> dict[str, _Task]:
        tasks = {}
        for task_id, runs, repetition in connection.execute(_TASKS, asked).fetchall():
            count, stored = int(str(runs)), max(int(str(runs)), int(str(repetition)))
            tasks[str(task_id)] = _Task(count, stored, stored)
        if self.on_existing is OnExisting.REPLACE:
            for task_id, run_id, repetition in connection.execute(_RUNS, asked).fetchall():
                slots = tasks[str(task_id)].slots
                slots.append(_Slot(str(run_id), int(str(repetition or len(slots) + 1))))
        return tasks


def already(arm: Arm, runs: int, tasks: int) -> str:
    """Say what is there of an arm."""
    name = f"{arm.experiment_id}, {arm.experiment_group} {arm.extension_version}"
    return f"{name} has {counted(runs, 'run')} of {counted(tasks, 'task')} already"


def refused(there: str, option: str = "on_existing") -> ConfigurationError:
    """Return the error of a session that does not begin, since something is there."""
    return ConfigurationError(
        f"{there}; give another experiment, group or version, or say {option} add "
        "(further repetitions) or replace (new versions of them)"
    )


def last_load(database_url: str | None) -> int | None:
    """Return the id of the newest load; None if the database does not say."""
    try:
        with connect(database_url) as connection:
            row = connection.execute(_LAST_LOAD).fetchone()
    except (LoaderError, psycopg.Error):
        return None
    return int(str(row[0])) if row else None


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def _in_child() -> None:
    for session in list(_sessions):
        session._begin_anew()  # noqa: SLF001  of this module


os.register_at_fork(after_in_child=_in_child)
