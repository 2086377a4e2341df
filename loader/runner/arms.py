"""What a run consists of: arms, settings, and which runs are to be made."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import uuid4

import msgspec
import psycopg

from ..errors import ConfigurationError, WarehouseUnavailable
from ..recording import existing
from ..recording.existing import IS_STANDING, OnExisting
from ..records.bounds import LONGEST_RUN_ID
from ..sources.run_results import SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..warehouse.connection import Connection
    from .targets import Target
    from .tasks import Task

_DONE: Final = f"""
select distinct on (runs.source, runs.source_run_id)
    runs.source,
    runs.source_run_id,
    runs.task_id,
    runs.repetition,
    runs.model_version,
    runs.success
from raw_evals.evaluation_runs as runs
where
    {IS_STANDING}
    and runs.experiment_id = %(experiment_id)s
    and runs.experiment_group = %(group)s
    and (%(version)s::text is null or runs.extension_version = %(version)s)
order by runs.source, runs.source_run_id, runs.run_version desc
"""  # noqa: S608  a constant


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of a comparison: what runs, and under which name it is kept."""

    target: Target
    group: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to run.

    Attributes:
        experiment_id: where the runs belong.
        repetitions: runs of each task, per arm.
        concurrency: calls under way at once.
        timeout_seconds: of one call; None waits for ever.
        rate: calls begun per second; None is as fast as concurrency allows.
        max_cost_usd: what this run may spend; None is without a limit.
        retry_failed: whether runs that failed earlier are missing.
        on_existing: where an arm has runs already: None makes what is missing; `add` makes
            further repetitions, `replace` makes all anew as new versions, `refuse` none.
        with_outputs: whether inputs and outputs are kept, not only what tells equal ones.
        agent_name: the record's.
        dataset_version: the record's.
        baseline_experiment_id: the record's.
        output: a file that takes every record made, besides the warehouse.

    """

    experiment_id: str
    repetitions: int = 1
    concurrency: int = 4
    timeout_seconds: float | None = 120.0
    rate: float | None = None
    max_cost_usd: float | None = None
    retry_failed: bool = False
    on_existing: str | None = None
    with_outputs: bool = False
    agent_name: str | None = None
    dataset_version: str | None = None
    baseline_experiment_id: str | None = None
    output: Path | None = None


class Job(NamedTuple):
    """One run to be made."""

    arm: Arm
    task: Task
    repetition: int
    replaced_id: str = ""
    """The run that this is a new version of."""
    session: str = ""
    """Tells runs that are added apart from those that others add at the same time."""

    @property
    def run_id(self) -> str:
        """Name the run by what makes it that run, so that doing it again is an update."""
        if self.replaced_id:
            return self.replaced_id
        parts = [self.task.task_id, self.arm.group, self.arm.version, self.repetition]
        encoded = msgspec.json.encode([*parts, self.session] if self.session else parts)
        if len(encoded) <= LONGEST_RUN_ID:
            return encoded.decode()
        return f"blake2b:{blake2b(encoded, digest_size=16).hexdigest()}"


class Work(NamedTuple):
    """What is to be run."""

    jobs: list[Job]
    already_done: int
    """Runs of the arms' tasks that are there and stay."""
    repetitions: list[int]
    """Of each arm: how many every task will have."""
    notes: list[str]
    """What was there, for a person, if anything is added to it or replaced."""


def find_work(
    connection: Connection, arms: Sequence[Arm], tasks: Sequence[Task], settings: Settings
) -> Work:
    """Find what is to be run: task by task, both arms in turn.

    A run counts as done whichever way it came into the warehouse.

    Raises:
        ConfigurationError: an arm already has runs of another model, or has any and they
            are to be refused.
        WarehouseUnavailable: the server fails.

    """
    how = OnExisting.of(settings.on_existing) if settings.on_existing else None
    if how and settings.retry_failed:
        raise ConfigurationError(
            "say either that failed runs are made anew (--retry-failed) or what becomes of "
            "runs that are there (--on-existing)"
        )
    done = [_done(connection, arm, settings) for arm in arms]
    notes = [
        _note(arm, known, settings.experiment_id, how)
        for arm, known in zip(arms, done, strict=True)
        if how and known.counts
    ]
    session = uuid4().hex[:12] if how is OnExisting.ADD else ""
    jobs: list[Job] = []
    for task in tasks:
        per_arm = [
            _jobs(arm, task, known, settings.repetitions, how, session)
            for arm, known in zip(arms, done, strict=True)
        ]
        jobs += [job for repetition in _in_turn(per_arm) for job in repetition]
    if how is None:
        there = len(tasks) * len(arms) * settings.repetitions - len(jobs)
    else:
        there = sum(known.counts[task.task_id] for known in done for task in tasks)
        there -= sum(bool(job.replaced_id) for job in jobs)
    repetitions = [
        settings.repetitions
        + (min(known.counts[task.task_id] for task in tasks) if how is OnExisting.ADD else 0)
        for known in done
    ]
    return Work(jobs, there, repetitions, notes)


def _note(arm: Arm, known: _Done, experiment_id: str, how: OnExisting) -> str:
    """Say what is there of an arm, and what becomes of it.

    Raises:
        ConfigurationError: it is to be refused.

    """
    named = existing.Arm(experiment_id, arm.group, arm.version)
    there = existing.already(named, known.counts.total(), len(known.counts))
    if how is OnExisting.REFUSE:
        raise existing.refused(there, "--on-existing")
    if how is OnExisting.ADD:
        return f"{there}: these are further repetitions, numbered on for each task"
    return f"{there}: these are new versions of them; those that are not made anew stay"


class _Done:
    """The runs of one arm that are in the warehouse."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.repetitions: defaultdict[str, dict[int, str]] = defaultdict(dict)
        """By task: the repetitions made by runs like this one, with their ids."""
        self.failed: defaultdict[str, dict[int, str]] = defaultdict(dict)
        """The same of those that count as missing, since they failed."""
        self.highest: Counter[str] = Counter()


def _done(connection: Connection, arm: Arm, settings: Settings) -> _Done:
    known = _Done()
    parameters = {
        "experiment_id": settings.experiment_id,
        "group": arm.group,
        "version": arm.version,
    }
    try:
        with connection.transaction():
            rows = connection.execute(_DONE, parameters).fetchall()
    except psycopg.errors.UndefinedTable:
        raise ConfigurationError("no raw schema; run evalmart init") from None
    except psycopg.Error as error:
        raise WarehouseUnavailable(f"reading what is done failed: {error}") from error
    for source, run_id, task_id, repetition, model_version, success in rows:
        if (
            settings.on_existing != OnExisting.REPLACE
            and model_version != arm.target.model_version
            and source == SOURCE
        ):
            raise ConfigurationError(
                f"{settings.experiment_id} already has runs of {model_version} as "
                f"{arm.group} {arm.version}; give {arm.target.model_version} another "
                "experiment id, group or extension version"
            )
        task, number = str(task_id), int(str(repetition or 1))
        if settings.retry_failed and success is False and source == SOURCE:
            known.failed[task].setdefault(number, str(run_id))
            continue
        known.counts[task] += 1
        known.highest[task] = max(known.highest[task], known.counts[task], number)
        if source == SOURCE:
            known.repetitions[task].setdefault(number, str(run_id))
    return known


def _jobs(  # noqa: PLR0913, PLR0917  what a job is made of
    arm: Arm, task: Task, known: _Done, repetitions: int, how: OnExisting | None, session: str
) -> list[Job]:
    there = known.repetitions[task.task_id]
    if how is OnExisting.ADD:
        first = known.highest[task.task_id] + 1
        numbers = range(first, first + repetitions)
        return [Job(arm, task, number, session=session) for number in numbers]
    numbers = range(1, repetitions + 1)
    if how is OnExisting.REPLACE:
        return [Job(arm, task, number, replaced_id=there.get(number, "")) for number in numbers]
    wanted = max(0, repetitions - known.counts[task.task_id])
    failed = known.failed[task.task_id]
    return [
        Job(arm, task, number, replaced_id=failed.get(number, ""))
        for number in numbers
        if number not in there
    ][:wanted]


def _in_turn(per_arm: Sequence[Sequence[Job]]) -> Iterator[list[Job]]:
    """Yield the first of every arm, then the second of every arm, …."""
    for place in range(max(map(len, per_arm), default=0)):
        yield [jobs[place] for jobs in per_arm if place < len(jobs)]
