"""Run tasks through one or two arms, at once and within limits, and record every run."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from ..errors import InvalidRecord, LoaderError
from ..evaluators.tally import Failures
from ..records.checks import CONTENTS, TOKEN_KINDS
from .answers import Answer, CallFailed, redact, redact_all
from .budget import Budget, Pace
from .outcome import Outcome, Stop
from .scoring import Scores, no_scores, score
from .sound import said_by, sound

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from ..evaluators.evaluation import Evaluator
    from ..recording.recorder import AsyncRecorder, RecordFields
    from .arms import Job, Settings, Work
    from .stopping import StoppingRule
    from .tracing import Tracer

_MAY_BE_LEFT_OUT: Final = (
    "tokens_used", "cost_usd", "comments", "labels", *TOKEN_KINDS, *CONTENTS
)  # fmt: skip
_REST: Final = "what the run says"
_SCORING_SECONDS: Final = 10.0
_log = logging.getLogger(__name__)


class Runner:
    """Makes the missing runs of an experiment."""

    def __init__(  # noqa: PLR0913  what a run is made of
        self,
        settings: Settings,
        evaluators: Sequence[Evaluator],
        recorder: AsyncRecorder,
        *,
        tracer: Tracer | None = None,
        stopping: StoppingRule | None = None,
        on_progress: Callable[[Outcome], None] | None = None,
    ) -> None:
        """Prepare.

        Args:
            settings: how to run.
            evaluators: prepared by `scoring.prepare`.
            recorder: takes the records; `source` 'run'.
            tracer: also told of every run.
            stopping: asked now and then whether it is decided.
            on_progress: called after every run.

        """
        self._settings = settings
        self._evaluators = evaluators
        self._recorder = recorder
        self._tracer = tracer
        self._stopping = stopping
        self._on_progress = on_progress
        self._budget = Budget(settings.max_cost_usd)
        self._pace = Pace(settings.rate)
        self._outcome = Outcome()
        self._answered: set[tuple[str, str]] = set()
        """Group and task of every run with an answer."""
        self._tried: set[tuple[str, str]] = set()
        self._stop = asyncio.Event()
        self._finishing: set[asyncio.Future[None]] = set()
        self._held: list[tuple[Job, CallFailed]] = []
        """Failures that wait until the evaluators have named their scores."""

    async def run(self, work: Work) -> Outcome:
        """Make the runs; what was answered is recorded, whatever happens.

        Being cancelled, as Ctrl-C does, is not an error: calls under way are given up,
        answers that are being scored get ten seconds, and the outcome says so.

        Raises:
            LoaderError: the target would fail on every task, or a record cannot be kept.

        """
        started = time.monotonic()
        outcome = self._outcome
        outcome.planned, outcome.already_done = len(work.jobs), work.already_done
        outcome.notes = work.notes
        outcome.evaluators = defaultdict(Failures)
        waiting = iter(work.jobs)
        workers = [
            asyncio.ensure_future(self._work(waiting))
            for _ in range(min(self._settings.concurrency, len(work.jobs)))
        ]
        try:
            await asyncio.gather(*workers)
        except asyncio.CancelledError:
            outcome.stop = Stop.INTERRUPTED
            current = asyncio.current_task()
            if current is not None:
                current.uncancel()
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            if self._finishing:
                await asyncio.wait(self._finishing, timeout=_SCORING_SECONDS)
            await self._release()
            await self._recorder.flush()
            outcome.spooled = self._recorder.spooled_count
            outcome.seconds = time.monotonic() - started
        return outcome

    async def _work(self, waiting: Any) -> None:  # noqa: ANN401  an iterator of jobs
        """Take one job after the other, as the other workers do."""
        for job in waiting:
            if self._stopping is not None:
                await self._stopping.may_go_on.wait()
            if self._stop.is_set():
                return
            bound = job.arm.target.cost_bound(job.task)
            reserved = await self._budget.reserve(bound)
            if reserved is None:
                self._end(Stop.COST, "")
            if reserved is None or self._stop.is_set():
                return
            await self._pace.wait()
            await self._make(job, reserved, is_bounded=bound is not None)
            if self._stopping is not None:
                decision = await self._stopping.look(self._recorder, job)
                if decision is not None:
                    self._end(Stop.DECIDED, decision)

    def _end(self, stop: Stop, message: str) -> None:
        if not self._stop.is_set():
            self._stop.set()
            self._outcome.stop, self._outcome.message = stop, message

    async def _make(self, job: Job, reserved: float, *, is_bounded: bool) -> None:
        """Make one run, and have it scored and recorded."""
        answer: Answer | None = None
        failure: CallFailed | None = None
        started = time.monotonic()
        is_uncertain = True  # until we know better: cancelled, it may be billed
        try:
            given = await job.arm.target.run(job.task, self._settings.timeout_seconds)
            answer = sound(given, (time.monotonic() - started) * 1000)
            is_uncertain = bool(answer.metadata.get("unbilled_attempts_uncertain"))
            is_uncertain = is_uncertain or answer.known_cost_usd is None
        except CallFailed as error:
            failure = error
            is_uncertain = error.may_be_charged and error.known_cost_usd is None
        except LoaderError:
            is_uncertain = False
            raise
        except Exception as error:  # noqa: BLE001  whatever foreign code and odd answers raise
            failure = CallFailed(said_by(error), may_be_charged=True)
        finally:
            told = answer or failure
            await self._budget.settle(
                reserved,
                told.known_cost_usd if told else None,
                may_be_charged=is_uncertain,
                is_bounded=is_bounded,
                odd_cost_usd=told.odd_cost_usd if told else None,
            )
            self._check_limit()
        # an answer that is paid for is not thrown away because somebody pressed Ctrl-C
        finishing = asyncio.ensure_future(self._finish(job, answer, failure))
        self._finishing.add(finishing)
        finishing.add_done_callback(self._finishing.discard)
        await asyncio.shield(finishing)

    async def _finish(self, job: Job, answer: Answer | None, failure: CallFailed | None) -> None:
        """Score one run and record it.

        A failure has null under the key of every score, and evaluators name their keys
        when they first succeed: until then failures are held.
        """
        if failure is not None:
            self._held.append((job, failure))
        elif answer is not None:
            scores = await score(self._evaluators, job.task, answer)
            for name, results in scores.results.items():
                self._outcome.evaluators[name].note_results(results, redact)
            await self._keep(job, answer, None, scores)
        if all(evaluator.keys for evaluator in self._evaluators):
            await self._release()
        self._count(job, answer, failure)

    async def _release(self) -> None:
        """Record the failures that were held."""
        held, self._held = self._held, []
        for job, failure in held:
            await self._keep(job, None, failure, no_scores(self._evaluators))

    async def _keep(
        self, job: Job, answer: Answer | None, failure: CallFailed | None, scores: Scores
    ) -> None:
        """Record one run, and trace it."""
        fields = self._fields(job, answer, failure, scores)
        if self._tracer is not None:
            fields["metadata"] = {
                **fields["metadata"],
                "langsmith_run_id": self._tracer.trace(job, answer, failure, scores),
            }
        await self._record(fields)

    def _check_limit(self) -> None:
        """Say, once, that what may be spent cannot be kept to."""
        if self._budget.is_blind and not self._outcome.is_limit_blind:
            self._outcome.is_limit_blind = True
            _log.warning(
                "the limit of $%g (--max-cost-usd) cannot hold: nobody says what a call costs",
                self._settings.max_cost_usd,
            )

    def _count(self, job: Job, answer: Answer | None, failure: CallFailed | None) -> None:
        outcome = self._outcome
        task = (job.arm.group, job.task.task_id)
        self._tried.add(task)
        outcome.answers.note(None if failure is None else str(failure))
        if answer is None:
            outcome.failed += 1
            is_unknown = failure is not None and failure.known_cost_usd is None
            outcome.unknown_costs += is_unknown and failure is not None and failure.may_be_charged
        else:
            outcome.succeeded += 1
            outcome.tokens += max(0, answer.tokens_used or 0)
            outcome.unknown_costs += answer.known_cost_usd is None
            self._answered.add(task)
        outcome.tasks = len(self._tried)
        outcome.failed_tasks = outcome.tasks - len(self._answered)
        is_known = self._budget.has_known_cost or not outcome.unknown_costs
        outcome.cost_usd = self._budget.spent_usd if is_known else None
        if self._on_progress is not None:
            self._on_progress(outcome)

    def _fields(
        self, job: Job, answer: Answer | None, failure: CallFailed | None, scores: Scores
    ) -> RecordFields:
        """Return the record of a run."""
        settings = self._settings
        run: dict[str, object] = {"target": job.arm.target.name}
        if answer is not None:
            run |= answer.metadata
        if failure is not None:
            run |= {"failed_after_ms": failure.latency_ms, "attempts": failure.attempts}
        if scores.notes:
            run["evaluations"] = scores.notes
        fields: RecordFields = {
            "experiment_id": settings.experiment_id,
            "task_id": job.task.task_id,
            "experiment_group": job.arm.group,
            "extension_version": job.arm.version,
            "source_run_id": job.run_id,
            "repetition": job.repetition,
            "model_version": job.arm.target.model_version,
            "agent_name": settings.agent_name,
            "scores": scores.values,
            "labels": redact_all(scores.labels),
            "success": failure is None,
            "error_message": None if failure is None else redact_all(str(failure)),
            "dataset_version": settings.dataset_version,
            "evaluator_versions": scores.versions,
            "comments": redact_all(scores.comments),
            "inputs": redact_all(job.task.inputs),
            "reference_outputs": redact_all(job.task.reference_outputs),
            "metadata": redact_all({**job.task.metadata, "run": run}),
        }
        if answer is not None:
            # a failure's latency is not that of an answer; it stands in the metadata
            fields |= {
                "latency_ms": answer.latency_ms,
                "outputs": redact_all(answer.outputs),
                "tokens_used": answer.tokens_used,
                "prompt_tokens": answer.prompt_tokens,
                "completion_tokens": answer.completion_tokens,
                "cached_tokens": answer.cached_tokens,
                "reasoning_tokens": answer.reasoning_tokens,
                "cost_usd": answer.cost_usd,
            }
        if settings.baseline_experiment_id is not None:
            fields["baseline_experiment_id"] = settings.baseline_experiment_id
        return fields

    async def _record(self, fields: RecordFields) -> None:
        """Record a run; what breaks the contract is left out, and the run says so.

        A score off its scale becomes null, as one that an evaluator failed to give.
        """
        left_out: dict[str, str] = {}
        while True:
            try:
                await self._recorder.record(**fields)
            except InvalidRecord as error:
                left = _leave_out(fields, error, left_out)
                if left is None:
                    raise
                left_out[left] = error.reason
                fields["metadata"] = {**fields["metadata"], "left_out": dict(left_out)}
            else:
                return


def _leave_out(fields: RecordFields, error: InvalidRecord, left_out: Container[str]) -> str | None:
    """Take out of a record what breaks the contract; return what that is, None if all is out."""
    name, _, key = error.field.removeprefix("a key of ").partition(".")
    scores = dict(fields["scores"])
    if name == "scores" and scores.get(key) is not None:
        scores[key] = None
        fields["scores"] = scores
        return error.field
    if name in _MAY_BE_LEFT_OUT and fields.get(name) is not None:
        fields[name] = None  # type: ignore[literal-required]
        return name
    if name == "metadata" and "metadata" not in left_out:
        _reduce_metadata(fields)
        return name
    if any(fields.get(content) is not None for content in CONTENTS):
        # too long altogether, or nested too deeply
        fields |= dict.fromkeys(CONTENTS)  # type: ignore[typeddict-item]
        return "inputs and outputs"
    if _REST not in left_out:
        # that the run was made is kept, whatever became of it
        _reduce_metadata(fields)
        fields |= dict.fromkeys((*_MAY_BE_LEFT_OUT, "latency_ms"))  # type: ignore[typeddict-item]
        fields |= {"scores": {}, "evaluator_versions": {}}
        fields["error_message"] = None if fields["success"] else error.reason
        return _REST
    return None


def _reduce_metadata(fields: RecordFields) -> None:
    """Keep of the metadata what tells a file of these runs from others."""
    run = fields["metadata"].get("run")
    target = run.get("target") if isinstance(run, dict) else None
    fields["metadata"] = {"run": {"target": target}}
