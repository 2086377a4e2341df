"""One run from beginning to end: what is missing, making it, keeping it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, InvalidRecord
from ..ingest import arm_plans
from ..ingest.printable import printable
from ..recording.recorder import AsyncRecorder
from ..recording.spool import replay, target_name
from ..records.checker import Checker
from ..records.json_text import shown
from ..sources import ArmPlan
from ..sources.run_results import SOURCE
from ..warehouse.connection import connect
from ..warehouse.migrate import require_current
from ..warehouse.seeds import read_vocabulary
from .arms import Work, find_work
from .outcome import Outcome, Stop
from .results import results_file
from .run import Runner
from .scoring import EvaluatorLike, prepare
from .stopping import Question, StoppingRule
from .tracing import Tracer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..records.vocabulary import Vocabulary
    from .arms import Arm, Settings
    from .tasks import Task


async def run_missing(  # noqa: PLR0913  a run's parts, most with a default
    arms: Sequence[Arm],
    tasks: Sequence[Task],
    evaluators: Sequence[EvaluatorLike],
    settings: Settings,
    *,
    database_url: str | None = None,
    trace: bool = False,
    trace_project: str | None = None,
    stop_when_decided: Question | None = None,
    look_every: int = 10,
    on_progress: Callable[[Outcome], None] | None = None,
) -> Outcome:
    """Make the runs that the warehouse lacks, or those asked for, and load them.

    Args:
        arms: one, or the baseline and the candidate, which then take turns task by task.
        tasks: what to run.
        evaluators: `module:function` or functions.
        settings: how to run.
        database_url: see `loader.warehouse.connection`.
        trace: also tell LangSmith.
        trace_project: the project there; the experiment's id if not given.
        stop_when_decided: what to decide; None runs everything.
        look_every: pairs between two looks at it.
        on_progress: called after every run.

    Raises:
        ConfigurationError: an arm has runs of another model, an evaluator is not found, a
            key is refused, the raw schema is missing.
        SourceUnavailable: an endpoint cannot be reached.
        WarehouseUnavailable: the database cannot be reached at the beginning. Later on,
            runs go to the spool file.

    """
    prepared = prepare(evaluators)
    vocabulary = read_vocabulary()
    tracer = Tracer(settings, trace_project) if trace else None
    rule = None
    try:
        # what ends when it is decided is not to run them all
        planned_tasks = None if stop_when_decided is not None else len(tasks)
        work = await asyncio.to_thread(_begin, arms, tasks, settings, planned_tasks, database_url)
        _check_names(work, settings, vocabulary)
        if stop_when_decided is not None:
            rule = await asyncio.to_thread(StoppingRule, stop_when_decided, vocabulary, look_every)
        async with (
            results_file(settings.output) as keep,
            AsyncRecorder(
                source=SOURCE,
                database_url=database_url,
                with_io=settings.with_outputs,
                on_record=keep,
            ) as recorder,
        ):
            if rule is not None and work.jobs:
                decision = await rule.look(recorder)
                if decision is not None:
                    return Outcome(
                        planned=len(work.jobs),
                        already_done=work.already_done,
                        notes=work.notes,
                        stop=Stop.DECIDED,
                        message=decision,
                    )
            runner = Runner(
                settings,
                prepared,
                recorder,
                tracer=tracer,
                stopping=rule,
                on_progress=on_progress,
            )
            return await runner.run(work)
    finally:
        for arm in arms:
            await arm.target.close()
        if tracer is not None:
            await asyncio.to_thread(tracer.close)


def _check_names(work: Work, settings: Settings, vocabulary: Vocabulary) -> None:
    """Refuse, before anything is paid for, what no run could be kept under.

    Raises:
        ConfigurationError: a task, an arm or the experiment has a name that no record can have.

    """
    checker = Checker(vocabulary)
    for job in work.jobs:
        names = {
            "experiment_id": settings.experiment_id,
            "task_id": job.task.task_id,
            "experiment_group": job.arm.group,
            "extension_version": job.arm.version,
            "source_run_id": printable(job.run_id),
            "repetition": job.repetition,
            "model_version": job.arm.target.model_version,
            "agent_name": settings.agent_name,
            "dataset_version": settings.dataset_version,
            "baseline_experiment_id": settings.baseline_experiment_id,
        }
        try:
            checker.check({name: value for name, value in names.items() if value is not None})
        except InvalidRecord as error:
            of_task = f"task {shown(job.task.task_id)}: " if error.field == "task_id" else ""
            raise ConfigurationError(f"{of_task}{error.reason}") from None


def _begin(
    arms: Sequence[Arm],
    tasks: Sequence[Task],
    settings: Settings,
    planned_tasks: int | None,
    database_url: str | None,
) -> Work:
    """Load what earlier runs left in the spool, see what is to be run, keep what is planned."""
    with connect(database_url) as connection:
        require_current(connection)
        connection.commit()
        replay(connection, read_vocabulary(), target_name(database_url))
        work = find_work(connection, arms, tasks, settings)
        plans = [
            ArmPlan(settings.experiment_id, arm.group, arm.version, repetitions, planned_tasks)
            for arm, repetitions in zip(arms, work.repetitions, strict=True)
        ]
        arm_plans.announce(connection, SOURCE, plans)
        return work
