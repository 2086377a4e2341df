"""One LangSmith experiment as a source of records."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from ...errors import ConfigurationError, SourceUnavailable
from ...evaluators.evaluation import Evaluator, describe
from ...records.checker import Defaults
from ...tools.counts import counted
from .. import ArmPlan, Rejection, ScoreConfig, SourceRow, Standing, SummaryScore
from . import names, scoring
from .children import Children
from .costs import Pricing, forget_unmeasured
from .feedback import Verdict, judge
from .heard import Heard
from .meaning import Meaning
from .planning import Planning
from .projects import (
    RETENTION_DAYS,
    Dataset,
    Project,
    find_dataset,
    find_project,
)
from .reading import Reading
from .record import Mapper
from .runs import RunQuery
from .spool import Spool, SpooledRun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from ...tools.prices import PriceList
    from .client import LangSmith
    from .known import Known

NAME = "langsmith"


@dataclass(frozen=True)
class Wishes:
    """What a user asks for beyond the project itself."""

    defaults: Defaults = field(default_factory=Defaults)
    dataset: str | None = None
    """Fetch its examples; the experiment must be on this dataset."""
    evaluators: tuple[Evaluator, ...] = ()
    with_io: bool = False
    """Give the records the inputs and outputs of their runs."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Field of a record → the place that it is read from, in place of `names.READ`."""
    prices: PriceList | None = None
    """Make a cost from a run's tokens where the service has none."""
    declared: frozenset[str] = frozenset()
    """Keys whose scale the team or an option says, whatever the service does."""
    scored: frozenset[str] = frozenset()
    """Keys that the team lists as metrics: they are numbers, whatever the service calls them."""
    since: datetime | None = None
    """Only runs that began then or later."""
    until: datetime | None = None
    """Only runs that began before."""
    is_full: bool = False
    """Read everything, whatever is known."""
    is_sync: bool = False
    """Read everything; what was deleted there is to be withdrawn, and has no number."""


class LangSmithSource:
    """One project (experiment) of LangSmith; `Source` of its root runs."""

    name = NAME

    def __init__(
        self,
        client: LangSmith,
        project: str | Project,
        wishes: Wishes | None = None,
        dataset: Dataset | None = None,
        known: Known | None = None,
    ) -> None:
        """Remember what to read; nothing is asked before `rows`.

        Args:
            client: the connection.
            project: a name, an id, or a project already found.
            wishes: options, evaluators, dataset.
            dataset: the dataset of the wishes, if already found.
            known: what the warehouse knows of projects; None reads everything.

        Raises:
            ConfigurationError: one of the wishes' keys names no field, or no place.
        """
        self._client = client
        self._wanted = project
        self._wishes = wishes or Wishes()
        self._dataset = dataset
        self._known = known
        self._reading: Reading | None = None
        self._places = names.parse_keys(self._wishes.keys)
        self._counts: Counter[str] = Counter()
        self._crashed: Counter[str] = Counter()
        self._facts: dict[str, object] = {
            "endpoint": client.endpoint,
            "project": project if isinstance(project, str) else project.name,
        }
        self._notes: list[str] = []
        self._failures: list[str] = []
        self._planning: Planning | None = None
        self._heard = Heard()

    def reference(self) -> Mapping[str, object]:
        """Say what was read; complete once `rows` is exhausted.

        Keys: endpoint, project, project_id, dataset, dataset_version, query (v1, v2),
        requests, runs, feedback, and where they are not zero pending, repeated_runs,
        repeated_feedback, unreadable_feedback, feedback_on_other_runs, pairwise,
        filled_from_v1, unmeasured, examples_without_run, evaluator_crashes, failures;
        summary_feedback; evaluators; reading, look or window; and what `Heard.facts` says.
        """
        read = self._reading.facts if self._reading else {}
        counts = {name: n for name, n in self._counts.items() if n}
        facts = {**self._facts, **read, **counts, **self._heard.facts()}
        if self._crashed:
            facts["evaluator_crashes"] = dict(sorted(self._crashed.items()))
        if self._wishes.evaluators:
            facts["evaluators"] = dict(describe(self._wishes.evaluators))
        if self._failures:
            facts["failures"] = list(self._failures)
        return facts

    def notes(self) -> list[str]:
        """Return sentences a person should read after a load."""
        return list(self._notes)

    def failures(self) -> Sequence[str]:
        """Name each evaluator that said nothing of any run; complete once `rows` is exhausted."""
        return list(self._failures)

    def plans(self) -> Sequence[ArmPlan]:
        """Say how much the experiment was to run; complete once `rows` is exhausted."""
        return self._planning.plans() if self._planning else ()

    def standing(self) -> Standing | None:
        """Say what was known and not read again; complete once `rows` is exhausted."""
        return self._reading.standing if self._reading else None

    def has_news(self) -> bool:
        """Whether a reading of changes found the project otherwise, be it without a run."""
        return self._reading is not None and self._reading.has_news

    def gone(self) -> Mapping[str, Sequence[str]]:
        """Return the runs that the warehouse has and the service deleted, by experiment."""
        return self._reading.gone() if self._reading else {}

    def score_configs(self) -> Sequence[ScoreConfig]:
        """Say what LangSmith says of its keys; complete once `rows` is exhausted."""
        return self._heard.score_configs(self._arms())

    def summary_scores(self) -> Sequence[SummaryScore]:
        """Return the scores of the experiment as a whole, likewise."""
        return self._heard.summary_scores(self._arms())

    def _arms(self) -> Sequence[tuple[str, str, str]]:
        return self._planning.arms if self._planning else ()

    def rows(self) -> Iterator[SourceRow]:
        """Read the whole experiment, then yield a row for every finished root run.

        Raises:
            ConfigurationError: unknown project or dataset, refused key or workspace.
            SourceUnavailable: LangSmith does not answer, or no longer has the runs.
        """
        asked_before = self._client.requests
        self._counts.clear()
        self._crashed.clear()
        self._notes.clear()
        self._failures = []
        project = self._project()
        with_io = (
            self._wishes.with_io
            or bool(self._wishes.evaluators)
            or names.needs_contents(self._places)
        )
        wishes = self._wishes
        query = RunQuery(self._client, project, with_io, since=wishes.since, until=wishes.until)
        planning = self._planning = Planning(project)
        pricing = Pricing(wishes.prices) if wishes.prices else None
        with Spool() as spool, closing(self._examples(project)) as examples:
            mapper = Mapper(
                project, wishes.defaults, wishes.with_io, self._client.web_address(),
                self._places, examples, pricing,
            )  # fmt: skip
            reading = self._reading = Reading(query, spool, mapper, wishes, self._known)
            reading.read()
            self._refuse_expired(project, spool, reading)
            planning.note_known(reading.unread())
            self._take_stock(query, spool)
            planning.count(self._client, spool, examples if examples.are_read else None)
            self._counts["examples_without_run"] = planning.without_run
            self._counts["unmeasured"] = forget_unmeasured(query, spool)
            if self._wishes.evaluators:
                self._score_anew(query, spool, examples)
            configs = reading.explanations.of(spool.keys())
            meaning = Meaning(configs, self._wishes.declared, self._wishes.scored)
            self._heard = Heard(meaning, spool.feedback(None))
            self._facts["requests"] = self._client.requests - asked_before
            yield from self._yield_rows(mapper, spool, planning)
            self._notes += [*planning.notes(spool), *(pricing.notes() if pricing else ())]
        self._warn()

    def _project(self) -> Project:
        """Find the project, and the dataset it must be on."""
        wanted = self._wanted
        project = find_project(self._client, wanted) if isinstance(wanted, str) else wanted
        if self._wishes.dataset and self._dataset is None:
            self._dataset = find_dataset(self._client, self._wishes.dataset)
        if self._dataset and project.dataset_id not in (None, self._dataset.id):
            raise ConfigurationError(
                f"project {project.name!r} is not an experiment on dataset "
                f"{self._dataset.name!r}; name its own dataset, or none"
            )
        if project.dataset_id and (self._wishes.since or self._wishes.until):
            raise ConfigurationError(
                f"project {project.name!r} is an experiment on a dataset, which is read whole; "
                "--since, --until and --last are for projects without one"
            )
        self._facts["project"] = project.name
        self._facts["project_id"] = project.id
        if self._dataset:
            self._facts["dataset"] = self._dataset.name
        return project

    def _refuse_expired(self, project: Project, spool: Spool, reading: Reading) -> None:
        """Raise when an old experiment comes back empty: that is no success.

        Raises:
            SourceUnavailable: its runs are past LangSmith's retention.
        """
        if spool.count("read") or reading.knows_runs:
            return
        if self._wishes.since or self._wishes.until:
            self._notes.append(f"Project {project.name!r} has no runs that began then.")
            return
        days = RETENTION_DAYS.get(project.trace_tier or "", min(RETENTION_DAYS.values()))
        if project.age_days > days:
            raise SourceUnavailable(
                f"project {project.name!r} has no runs left at {self._client.endpoint}: it began "
                f"{project.age_days:.0f} days ago, and LangSmith keeps runs 14 days, or 400 in "
                "the extended tier. They cannot be read any more; restore them from an export."
            )
        if project.run_count or spool.count("feedback"):
            raise SourceUnavailable(
                f"LangSmith at {self._client.endpoint} knows of runs in project "
                f"{project.name!r} but gives none. Run the command again in a minute; if that "
                "does not help, its runs were deleted."
            )
        self._notes.append(f"Project {project.name!r} has no runs yet.")

    def _take_stock(self, query: RunQuery, spool: Spool) -> None:
        """Put into the ledger entry what was read and what was left out."""
        self._facts["query"] = query.protocol
        self._counts["filled_from_v1"] = query.filled
        self._notes += query.notes(spool)
        version = query.project.metadata.get("dataset_version")
        if version:
            self._facts["dataset_version"] = str(version)
        for name in ("num_repetitions", "dataset_splits"):
            if query.project.metadata.get(name) is not None:
                self._facts[name] = query.project.metadata[name]
        summary = spool.feedback(None)
        if summary:
            self._facts["summary_feedback"] = summary
        self._counts.update(
            runs=spool.count(),
            pending=spool.count("pending"),
            feedback=spool.count("feedback"),
            repeated_runs=spool.repeated_runs,
            repeated_feedback=spool.repeated_feedback,
            unreadable_feedback=spool.unreadable_feedback,
            feedback_on_other_runs=spool.count("strays"),
        )

    def _score_anew(self, query: RunQuery, spool: Spool, examples: scoring.Examples) -> None:
        """Apply the evaluators to every finished run."""
        with closing(Children(query, spool.finished_ids())) as children:
            tallies = scoring.score(
                spool, examples, children, self._wishes.evaluators, self._client.redact
            )
        self._failures = scoring.failures(tallies)

    def _examples(self, project: Project) -> scoring.Examples:
        """Fetch the examples of the project's dataset, where something asks for them.

        Raises:
            ConfigurationError: a key is to be read from them, and the project has no dataset.
        """
        dataset = self._dataset
        is_asked_for = names.needs_examples(self._places) or any(
            evaluator.needs_example for evaluator in self._wishes.evaluators
        )
        if dataset is None and is_asked_for and project.dataset_id:
            dataset = Dataset(project.dataset_id, project.dataset_id)
        if dataset is None and names.needs_examples(self._places):
            raise ConfigurationError(
                f"--key reads from examples, but project {project.name!r} is no experiment on a "
                "dataset; name a place of its runs, or of the project"
            )
        return scoring.Examples(self._client, dataset, project)

    def _yield_rows(self, mapper: Mapper, spool: Spool, planning: Planning) -> Iterator[SourceRow]:
        origin = f"{self._client.endpoint}/sessions/{mapper.project.id}"
        number = 0
        for reason, original in spool.unreadable():
            number += 1
            yield SourceRow(number, origin, original, None, Rejection("invalid_json", reason))
        for spooled in spool.runs():
            if spooled.is_pending:
                continue
            number += 1
            row = self._row(number, origin, mapper, spooled, self._judge(spool, spooled.id))
            if row.fields is not None:
                planning.note(row.fields)
            yield row

    def _judge(self, spool: Spool, run_id: str) -> Verdict:
        evaluators = self._wishes.evaluators
        anew = scoring.named(spool.evaluations(run_id), evaluators) if evaluators else ()
        verdict = judge(spool.feedback(run_id), anew, self._heard.meaning)
        self._heard.note(verdict)
        self._crashed.update(verdict.crashed)
        return verdict

    def _row(
        self, number: int, origin: str, mapper: Mapper, spooled: SpooledRun, verdict: Verdict
    ) -> SourceRow:
        fields, refusal = mapper.fields(spooled, verdict)
        original = msgspec.json.encode(fields)
        return SourceRow(number, origin, original, None if refusal else fields, refusal)

    def _warn(self) -> None:
        """Say what a person would otherwise not notice."""
        self._notes += self._heard.sentences(self._arms())
        counts = self._counts
        self._notes += self._reading.notes if self._reading else ()
        if self._crashed:
            keys = ", ".join(f"{key} {n:,}" for key, n in sorted(self._crashed.items()))
            self._notes.append(f"Evaluators that raised left null scores: {keys}.")
        if counts["unmeasured"]:
            self._notes.append(
                f"{counted(counts['unmeasured'], 'run')} had a count of tokens or a cost of 0, "
                "although a model answered: that is unknown, not 0."
            )
        if counts["repeated_feedback"] or counts["repeated_runs"]:
            self._notes.append(
                "The experiment was being written to while it was read; ingest again to be sure."
            )
        if counts["feedback_on_other_runs"] and not self._wishes.since:
            self._notes.append(
                f"{counted(counts['feedback_on_other_runs'], 'row')} of feedback left out: not on "
                "root runs of the project, or on runs past its retention."
            )
        if counts["unreadable_feedback"]:
            self._notes.append(
                f"{counted(counts['unreadable_feedback'], 'row')} of feedback left out: no "
                "readable JSON, or no id."
            )
