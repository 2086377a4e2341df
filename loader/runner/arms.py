"""What a run consists of: arms, settings, and which runs are still missing."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import psycopg

from loader.errors import ConfigurationError, WarehouseUnavailable
from loader.records.checks import LONGEST_RUN_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loader.runner.targets import Target
    from loader.runner.tasks import Task
    from loader.warehouse.connection import Connection

SOURCE: Final = "run"
"""The `source` of every run made here."""
_DONE: Final = """
select distinct on (runs.source, runs.source_run_id)
    runs.source,
    runs.task_id,
    runs.repetition,
    runs.model_version,
    runs.success
from raw_evals.evaluation_runs as runs
where
    runs.experiment_id = %(experiment_id)s
    and runs.experiment_group = %(group)s
    and (%(version)s::text is null or runs.extension_version = %(version)s)
order by runs.source, runs.source_run_id, runs.run_version desc
"""


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of a comparison: what runs, and under which name it is kept."""

    target: Target
    group: str
    version: str


class Stop(StrEnum):
    """Why a run ended before everything was done."""

    COST = "cost"
    INTERRUPTED = "interrupted"
    DECIDED = "decided"


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
        with_outputs: whether inputs and outputs are kept, in the metadata.
        agent_name: the record's.
        dataset_version: the record's.
        baseline_experiment_id: the record's.

    """

    experiment_id: str
    repetitions: int = 1
    concurrency: int = 4
    timeout_seconds: float | None = 120.0
    rate: float | None = None
    max_cost_usd: float | None = None
    retry_failed: bool = False
    with_outputs: bool = False
    agent_name: str | None = None
    dataset_version: str | None = None
    baseline_experiment_id: str | None = None


class Job(NamedTuple):
    """One run to be made."""

    arm: Arm
    task: Task
    repetition: int

    @property
    def run_id(self) -> str:
        """Name the run by what makes it that run, so that doing it again is an update."""
        parts = (self.task.task_id, self.arm.group, self.arm.version, self.repetition)
        encoded = msgspec.json.encode(parts)
        if len(encoded) <= LONGEST_RUN_ID:
            return encoded.decode()
        return f"blake2b:{blake2b(encoded, digest_size=16).hexdigest()}"


@dataclass(slots=True)
class Outcome:
    """What became of a run.

    Attributes:
        planned: runs that were missing.
        already_done: runs that were there before.
        succeeded: runs made now that have an answer.
        failed: runs made now that have none; kept with their error.
        cost_usd: what the runs made now cost, as far as known.
        unknown_costs: runs made now whose cost nobody knows.
        tokens: tokens used by the runs made now, as far as known.
        spooled: runs that wait in a spool file for the database.
        stop: why it ended early; None if everything is done.
        message: for a person: what stopped it, or what was decided.
        seconds: how long it took.

    """

    planned: int = 0
    already_done: int = 0
    succeeded: int = 0
    failed: int = 0
    cost_usd: float = 0.0
    unknown_costs: int = 0
    tokens: int = 0
    spooled: int = 0
    stop: Stop | None = None
    message: str = ""
    seconds: float = 0.0

    @property
    def remaining(self) -> int:
        """Runs that are still missing."""
        return self.planned - self.succeeded - self.failed


def missing_jobs(
    connection: Connection, arms: Sequence[Arm], tasks: Sequence[Task], settings: Settings
) -> tuple[list[Job], int]:
    """Find what is still to be run: task by task, both arms in turn.

    A run counts as done whichever way it came into the warehouse.

    Returns:
        The missing runs, and how many are there already.

    Raises:
        ConfigurationError: an arm already has runs of another model.
        WarehouseUnavailable: the server fails.

    """
    done = [_done(connection, arm, settings) for arm in arms]
    jobs: list[Job] = []
    for task in tasks:
        per_arm = [
            _missing(arm, task, known, settings) for arm, known in zip(arms, done, strict=True)
        ]
        jobs += [job for repetition in _in_turn(per_arm) for job in repetition]
    return jobs, len(tasks) * len(arms) * settings.repetitions - len(jobs)


class _Done:
    """The runs of one arm that are in the warehouse."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.repetitions: defaultdict[str, set[int]] = defaultdict(set)


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
        raise ConfigurationError("no raw schema; run python -m loader init") from None
    except psycopg.Error as error:
        raise WarehouseUnavailable(f"reading what is done failed: {error}") from error
    for source, task_id, repetition, model_version, success in rows:
        if model_version != arm.target.model_version and source == SOURCE:
            raise ConfigurationError(
                f"{settings.experiment_id} already has runs of {model_version} as "
                f"{arm.group} {arm.version}; give {arm.target.model_version} another "
                "experiment id, group or extension version"
            )
        if settings.retry_failed and success is False and source == SOURCE:
            continue
        known.counts[str(task_id)] += 1
        if source == SOURCE:
            known.repetitions[str(task_id)].add(int(str(repetition or 1)))
    return known


def _missing(arm: Arm, task: Task, known: _Done, settings: Settings) -> list[Job]:
    wanted = settings.repetitions - known.counts[task.task_id]
    numbers = (
        number
        for number in range(1, settings.repetitions + 1)
        if number not in known.repetitions[task.task_id]
    )
    return [Job(arm, task, number) for number, _ in zip(numbers, range(wanted), strict=False)]


def _in_turn(per_arm: Sequence[Sequence[Job]]) -> Iterator[list[Job]]:
    """Yield the first of every arm, then the second of every arm, …."""
    for place in range(max(map(len, per_arm), default=0)):
        yield [jobs[place] for jobs in per_arm if place < len(jobs)]
