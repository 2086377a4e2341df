"""Sequential stopping: end a comparison when bounds that hold at every look decide it.

A build of the marts takes seconds to minutes, too long to repeat after every few tasks.
So a look has two steps. First one query over the raw runs, milliseconds, with the very SQL
function of the marts (`confidence_sequence_halfwidth`), on means per task and differences
of pairs as there. Only if that decides are the marts built, and the verdict is theirs:
`cs_low` and `cs_high` of `experiment_metric_comparisons`, which know of clusters and of
results that must not be compared, and `recommendation_anytime` of `experiment_summaries`: a
candidate that is better ends the run when every guardrail is kept too. If they do not agree,
the run goes on.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg
from psycopg import sql

from ..errors import ConfigurationError, WarehouseUnavailable
from ..marts.candidates import candidates
from ..marts.states import schema_name, snapshot
from ..tools.sql_files import read_sql
from ..warehouse.connection import connect
from ..warehouse.dbt import build
from ..warehouse.seeds import read_seed
from ..warehouse.variables import project_variables
from .targets import in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..marts.rows import Metric
    from ..recording.recorder import AsyncRecorder
    from ..records.vocabulary import Vocabulary
    from .arms import Arm, Job

LOOK_EVERY: Final = 10
"""Pairs between two looks. The bounds hold however often one looks."""
_BETTER: Final = "better"
FEWEST_PAIRS: Final = 10
"""The sequence is asymptotic: with fewer pairs its standard deviation is a guess."""
# what the verdict is read from, and nothing of the tests, which read far more
_SELECTION: Final = (
    "--select", "+experiment_metric_comparisons", "+experiment_summaries",
    "--exclude-resource-type", "test", "unit_test",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be decided.

    Attributes:
        experiment_id: of the candidate.
        baseline_experiment_id: of the baseline; often the same.
        baseline_group: the control group.
        candidate: the arm on trial.
        database_url: see `loader.warehouse.connection`.

    """

    experiment_id: str
    baseline_experiment_id: str
    baseline_group: str
    candidate: Arm
    database_url: str | None = None


class Estimate(NamedTuple):
    """Bounds on candidate less baseline, from the raw runs."""

    metric: str
    pairs: int
    low: float
    high: float


class StoppingRule:
    """Looks at a comparison while it runs."""

    def __init__(
        self, question: Question, vocabulary: Vocabulary, look_every: int = LOOK_EVERY
    ) -> None:
        """Prepare; creates the marts' functions if they are not there yet.

        Raises:
            ConfigurationError: the project cannot be built.
            WarehouseUnavailable: the server fails.

        """
        self._question = question
        self._look_every = look_every
        settings = project_variables()
        self._primary_metric = str(settings.get("primary_metric", "accuracy"))
        self._finished: dict[str, set[str]] = {}
        self._pairs_looked_at = 0
        self._is_looking = False
        self.may_go_on = asyncio.Event()
        """Clear while the marts are asked to confirm a decision."""
        self.may_go_on.set()
        scales = vocabulary.scales
        self._parameters: dict[str, object] = {
            "experiment_id": question.experiment_id,
            "candidate_group": question.candidate.group,
            "candidate_version": question.candidate.version,
            "baseline_experiment_id": question.baseline_experiment_id,
            "baseline_group": question.baseline_group,
            "keys": list(scales),
            "metrics": [scale.metric for scale in scales.values()],
            "lows": [scale.low for scale in scales.values()],
            "highs": [scale.high for scale in scales.values()],
            "alpha": float(settings.get("alpha", 0.05)),
            "planned_tasks": float(settings.get("planned_tasks", 100)),
            "primary_metric": self._primary_metric,
        }
        self._functions = f"{schema_name()}_functions"
        self._create_functions()

    def _create_functions(self) -> None:
        with connect(self._question.database_url) as connection:
            found = connection.execute(
                "select to_regproc(%s) is not null",
                [f"{self._functions}.confidence_sequence_halfwidth"],
            ).fetchone()
        # every build creates them before anything else; a seed is the smallest build
        if (found is None or not found[0]) and build(
            ["--select", "experiment_groups", "--resource-type", "seed"],
            self._question.database_url,
            quiet=True,
        ):
            raise ConfigurationError("the marts cannot be built; run evalmart build")

    async def look(self, recorder: AsyncRecorder, job: Job | None = None) -> str | None:
        """Say what is decided, if it is time to look and something is.

        Args:
            recorder: flushed before the look.
            job: the run just finished; None to look in any case.

        Returns:
            A sentence with the numbers; None while nothing is decided.

        """
        if job is not None:
            self._finished.setdefault(job.task.task_id, set()).add(job.arm.group)
            # a task counts once, with its last arm or repetition; approximate is enough here
            pairs = len(self._finished)
            if self._is_looking or pairs < self._pairs_looked_at + self._look_every:
                return None
            self._pairs_looked_at = pairs
        self._is_looking = True
        try:
            await recorder.flush()
            if await in_thread(self._may_be_decided):
                # no more is spent while the marts are asked
                self.may_go_on.clear()
                decision = await in_thread(self._decision)
                if decision is None:
                    self._look_every *= 2  # builds are dear: ask less often from here
                return decision
        finally:
            self._is_looking = False
            self.may_go_on.set()
        return None

    def _may_be_decided(self) -> bool:
        """Ask the raw runs; a no is final for this look, a yes is for the marts to confirm."""
        found = self.estimate()
        if found is None or found.pairs < FEWEST_PAIRS:
            return False
        return _verdict(found.low, found.high, _margin(found.metric)) is not None

    def estimate(self) -> Estimate | None:
        """Return the bounds of the primary metric from the raw runs; None without pairs.

        Raises:
            WarehouseUnavailable: the server fails.

        """
        statement = sql.SQL(read_sql(__name__, "estimate")).format(
            functions=sql.Identifier(self._functions)
        )
        try:
            with connect(self._question.database_url) as connection:
                rows = connection.execute(statement, self._parameters).fetchall()
        except psycopg.Error as error:
            raise WarehouseUnavailable(f"a look at the runs failed: {error}") from error
        row: Any
        for row in rows[:1]:
            metric, pairs, difference, halfwidth = row
            if halfwidth is not None:
                return Estimate(metric, pairs, difference - halfwidth, difference + halfwidth)
        return None

    def _decision(self) -> str | None:
        """Build the marts and read their bounds."""
        question = self._question
        if build(_SELECTION, question.database_url, quiet=True):
            logging.getLogger(__name__).warning("a build failed while looking; the run goes on")
            return None
        with (
            connect(question.database_url) as connection,
            snapshot(connection, [question.experiment_id], part_will_do=True),
        ):
            found = candidates(connection, [question.experiment_id])
        for candidate in found:
            summary = candidate.summary
            if (summary.candidate_group, summary.candidate_version) == (
                question.candidate.group,
                question.candidate.version,
            ):
                primary = [m for m in candidate.metrics if m.metric == summary.primary_metric]
                return decided(primary, summary.recommendation_anytime)
        return None


def decided(primary: Sequence[Metric], recommendation: str | None = None) -> str | None:
    """Say what the marts' bounds decide, if anything.

    Args:
        primary: the metric that decides.
        recommendation: of the whole rule by bounds that hold at every look; one that is better
            ends nothing until every guardrail is kept too, which is a deploy; None: not asked.
    """
    for metric in primary:
        if metric.cs_low is None or metric.cs_high is None or metric.n_pairs < FEWEST_PAIRS:
            continue
        if metric.direction == "unknown":
            continue
        sign = -1 if metric.direction == "lower" else 1
        low, high = sorted((sign * metric.cs_low, sign * metric.cs_high))
        margin = metric.non_inferiority_margin if metric.kind == "score" else None
        verdict = _verdict(low, high, margin)
        if verdict == _BETTER and recommendation not in {None, "deploy"}:
            continue
        if verdict is not None:
            # latency, tokens and cost are compared by the mean log ratio, as their bounds are
            estimate = (metric.cs_low + metric.cs_high) / 2
            return (
                f"the candidate is {verdict} on {metric.metric}: "
                f"{estimate:+.4g}, bounds valid at every look "
                f"{metric.cs_low:+.4g} to {metric.cs_high:+.4g}, after {metric.n_pairs} tasks"
            )
    return None


def _verdict(low: float, high: float, margin: float | None) -> str | None:
    """Compare bounds, positive when the candidate is better, with zero and with a margin."""
    if low > 0:
        return _BETTER
    if high < 0:
        return "worse"
    if margin and -margin < low and high < margin:
        return f"no different (within {margin:g})"
    return None


def _margin(metric: str) -> float | None:
    """Return a metric's margin from the seed; None if it has none."""
    margins = (
        row["non_inferiority_margin"] for row in read_seed("metrics") if row["metric"] == metric
    )
    return float(next(margins, "") or 0) or None
