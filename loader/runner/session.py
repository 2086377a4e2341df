"""One run from beginning to end: what is missing, making it, keeping it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from loader.ingest import arm_plans
from loader.recording.recorder import AsyncRecorder
from loader.recording.spool import replay, target_name
from loader.runner.arms import SOURCE, Outcome, Stop, missing_jobs
from loader.runner.run import Runner
from loader.runner.scoring import EvaluatorLike, prepare
from loader.runner.stopping import Question, StoppingRule
from loader.runner.tracing import Tracer
from loader.sources import ArmPlan
from loader.warehouse.connection import connect
from loader.warehouse.migrate import require_current
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loader.runner.arms import Arm, Job, Settings
    from loader.runner.tasks import Task


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
    """Make the runs that the warehouse lacks, and load them.

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
        plans = [
            ArmPlan(
                settings.experiment_id,
                arm.group,
                arm.version,
                settings.repetitions,
                # what ends when it is decided is not to run them all
                None if stop_when_decided is not None else len(tasks),
            )
            for arm in arms
        ]
        jobs, already_done = await asyncio.to_thread(
            _missing, arms, tasks, settings, plans, database_url
        )
        if stop_when_decided is not None:
            rule = await asyncio.to_thread(StoppingRule, stop_when_decided, vocabulary, look_every)
        async with AsyncRecorder(source=SOURCE, database_url=database_url) as recorder:
            if rule is not None and jobs:
                decision = await rule.look(recorder)
                if decision is not None:
                    return Outcome(
                        planned=len(jobs),
                        already_done=already_done,
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
            return await runner.run(jobs, already_done)
    finally:
        for arm in arms:
            await arm.target.close()
        if tracer is not None:
            await asyncio.to_thread(tracer.close)


def _missing(
    arms: Sequence[Arm],
    tasks: Sequence[Task],
    settings: Settings,
    plans: Sequence[ArmPlan],
    database_url: str | None,
) -> tuple[list[Job], int]:
    """Load what earlier runs left in the spool, see what is missing, keep what is planned."""
    with connect(database_url) as connection:
        require_current(connection)
        connection.commit()
        replay(connection, read_vocabulary(), target_name(database_url))
        jobs = missing_jobs(connection, arms, tasks, settings)
        arm_plans.announce(connection, SOURCE, plans)
        return jobs
