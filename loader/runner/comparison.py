"""Compare two models or agents on the same tasks, and return the verdict of the marts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import psycopg

from ..errors import ConfigurationError, WarehouseUnavailable
from ..marts.candidates import candidates
from ..show import wording
from ..show.metric_page import metric_table
from ..show.render import markdown_lines, markdown_text, printable
from ..tools.tables import Column, Table
from ..warehouse.connection import connect
from ..warehouse.dbt import build
from ..warehouse.seeds import default_groups
from .arms import Arm, Settings
from .outcome import Outcome, Stop
from .session import run_missing
from .stopping import LOOK_EVERY, Question
from .targets import TargetLike, as_target
from .tasks import Task, read_tasks

if TYPE_CHECKING:
    from ..marts.rows import Candidate, Metric, Reason, Summary
    from .scoring import EvaluatorLike

TasksLike = Path | str | Iterable[Task | Mapping[str, Any]]
UNVERSIONED: Final = "unversioned"


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """What the marts say of a candidate.

    Attributes:
        summary: its row of `experiment_summaries`.
        metrics: its rows of `experiment_metric_comparisons`.
        outcome: what was run for it now.
    """

    summary: Summary
    metrics: Sequence[Metric]
    outcome: Outcome

    @property
    def recommendation(self) -> str:
        """`deploy`, `needs_review` or `reject`."""
        return self.summary.recommendation

    @property
    def reasons(self) -> Sequence[Reason]:
        """Why, with the numbers."""
        return self.summary.recommendation_reasons or []

    @property
    def primary(self) -> Metric | None:
        """The metric that decides who wins a task; None if the arms share none."""
        return self.metric(self.summary.primary_metric or "")

    def metric(self, name: str) -> Metric | None:
        """Return the comparison of one metric; None if the arms do not share it."""
        return next((metric for metric in self.metrics if metric.metric == name), None)

    def to_markdown(self) -> str:
        """Return the verdict for a pull request."""
        summary = msgspec.to_builtins(self.summary)
        decides = wording.would_decide(summary)
        lines = [
            f"## {markdown_text(printable(self.summary.experiment_id))}: {wording.word(summary)}",
            f"**{markdown_text(wording.headline(summary))}**",
            *([] if decides is None else [markdown_text(f"What would decide it: {decides}.")]),
            markdown_text(
                f"{printable(self.summary.candidate_group)} "
                f"{printable(self.summary.candidate_version)} against the baseline, "
                f"on {self.summary.total_tasks:,} tasks that both have."
            ),
            "".join(f"- {markdown_text(reason)}\n" for reason in wording.reasons(summary)),
        ]
        return "\n\n".join(lines) + "\n" + "".join(markdown_lines(self._table()))

    def _table(self) -> Table:
        candidate = {
            name: getattr(self.summary, name) for name in ("candidate_group", "candidate_version")
        }
        rows = [{**candidate, **msgspec.to_builtins(metric)} for metric in self.metrics]
        columns = tuple(Column(name) for name in (rows[0] if rows else candidate))
        return metric_table(Table(columns, [tuple(row.values()) for row in rows]))


async def compare_models_async(  # noqa: PLR0913  what a comparison is made of, most with defaults
    *,
    candidate: TargetLike,
    tasks: TasksLike,
    evaluators: Sequence[EvaluatorLike],
    experiment_id: str,
    baseline: TargetLike | None = None,
    baseline_experiment_id: str | None = None,
    baseline_group: str | None = None,
    candidate_group: str | None = None,
    baseline_version: str = UNVERSIONED,
    extension_version: str = UNVERSIONED,
    settings: Settings | None = None,
    on_existing: str | None = None,
    stop_when_decided: bool = False,
    look_every: int = LOOK_EVERY,
    trace: bool = False,
    database_url: str | None = None,
    on_progress: Callable[[Outcome], None] | None = None,
) -> ModelComparison:
    """Run what is missing of either arm, load it, build the marts, return their verdict.

    Args:
        candidate: what is on trial: a target, a function, or `module:function`.
        tasks: a file of tasks, or the tasks.
        evaluators: `module:function` or functions.
        experiment_id: where the runs belong.
        baseline: what it is compared with. May be left out when the warehouse has its
            results, in this experiment or in `baseline_experiment_id`.
        baseline_experiment_id: the experiment whose baseline is used; none is run then.
        baseline_group: the control group; the first one of the seed if not given.
        candidate_group: the treatment group; the first one of the seed if not given.
        baseline_version: `extension_version` of the baseline's runs.
        extension_version: that of the candidate's.
        settings: how to run; its experiment ids are replaced by those given here.
        on_existing: what becomes of runs that an arm has already, as in the settings.
        stop_when_decided: end when bounds valid at every look decide.
        look_every: pairs between two looks.
        trace: also tell LangSmith of every run.
        database_url: see `loader.warehouse.connection`.
        on_progress: called after every run.

    Raises:
        ConfigurationError: there is no baseline, the marts cannot be built, or what
            `run_missing` says.
        SourceUnavailable: an endpoint cannot be reached.
        WarehouseUnavailable: the database cannot.

    """
    control, treatment = default_groups()
    control, treatment = baseline_group or control, candidate_group or treatment
    settings = settings or Settings(experiment_id=experiment_id)
    settings = replace(
        settings,
        experiment_id=experiment_id,
        on_existing=on_existing or settings.on_existing,
        baseline_experiment_id=baseline_experiment_id,
    )
    arms = [Arm(as_target(candidate), treatment, extension_version)]
    if baseline is not None and baseline_experiment_id is None:
        arms.insert(0, Arm(as_target(baseline), control, baseline_version))
    else:
        await asyncio.to_thread(
            _require_baseline, baseline_experiment_id or experiment_id, control, database_url
        )
    question = Question(
        experiment_id=experiment_id,
        baseline_experiment_id=baseline_experiment_id or experiment_id,
        baseline_group=control,
        candidate=arms[-1],
        database_url=database_url,
    )
    outcome = await run_missing(
        arms,
        read_tasks(tasks),
        evaluators,
        settings,
        database_url=database_url,
        trace=trace,
        stop_when_decided=question if stop_when_decided else None,
        look_every=look_every,
        on_progress=on_progress,
    )
    if outcome.stop is Stop.INTERRUPTED:
        raise asyncio.CancelledError
    found = await asyncio.to_thread(_verdict, arms[-1], experiment_id, database_url)
    return ModelComparison(found.summary, found.metrics, outcome)


def compare_models(**arguments: Any) -> ModelComparison:  # noqa: ANN401  those of the async one
    """Do as `compare_models_async` does, for code without an event loop.

    Raises:
        ConfigurationError: called inside an event loop; await the other one there.

    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(compare_models_async(**arguments))
    raise ConfigurationError("inside an event loop, await compare_models_async instead")


def _require_baseline(experiment_id: str, group: str, database_url: str | None) -> None:
    try:
        with connect(database_url) as connection:
            found = connection.execute(
                "select from raw_evals.evaluation_runs "
                "where experiment_id = %s and experiment_group = %s limit 1",
                (experiment_id, group),
            ).fetchone()
    except psycopg.errors.UndefinedTable:
        raise ConfigurationError("no raw schema; run evalmart init") from None
    except psycopg.Error as error:
        raise WarehouseUnavailable(f"looking for the baseline failed: {error}") from error
    if found is None:
        raise ConfigurationError(
            f"{experiment_id} has no results of the group {group}; name a baseline to run, or "
            "the experiment that has one"
        )


def _verdict(arm: Arm, experiment_id: str, database_url: str | None) -> Candidate:
    """Build the marts and read the candidate's rows."""
    if build((), database_url, quiet=True):
        raise ConfigurationError("the marts cannot be built; run evalmart build to see why")
    with connect(database_url) as connection:
        found = candidates(connection, [experiment_id])
    for candidate in found:
        summary = candidate.summary
        if (summary.candidate_group, summary.candidate_version) == (arm.group, arm.version):
            return candidate
    raise ConfigurationError(
        f"the marts know no {arm.group} {arm.version} in {experiment_id}: no run was recorded"
    )
