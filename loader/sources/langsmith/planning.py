"""How much an experiment was to run: what its project and its dataset say of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ...tools.counts import counted
from .. import ArmPlan
from .examples import count_examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .client import LangSmith
    from .projects import Project
    from .scoring import Examples
    from .spool import Spool

_ARM = ("experiment_id", "experiment_group", "extension_version")
# The SDK copies the tracing machine's settings into the metadata of every run.
_RATES = ("LANGSMITH_TRACING_SAMPLING_RATE", "LANGCHAIN_TRACING_SAMPLING_RATE")


class Planning:
    """Gathers what is known while a project is read; tells it at the end.

    A project says its repetitions when its evaluation ends: one that crashed does not. Its
    tasks are the examples of its dataset, as of the version it ran on (when it crashed: as
    of its beginning) and of the splits it ran on.
    """

    def __init__(self, project: Project) -> None:
        """Begin with what the project says of itself."""
        said = project.metadata.get("num_repetitions")
        is_count = isinstance(said, int) and not isinstance(said, bool) and said >= 1
        self.repetitions = said if is_count and isinstance(said, int) else None
        splits = project.metadata.get("dataset_splits")
        self.splits = [str(split) for split in splits] if isinstance(splits, list) else []
        self.example_count: int | None = None
        self.without_run = 0
        """Examples of which no run is finished, where each is a task of its own."""
        self._project = project
        self._arms: set[tuple[str, str, str]] = set()
        self._finished: Counter[object] = Counter()

    def count(self, client: LangSmith, spool: Spool, examples: Examples | None = None) -> None:
        """Count the dataset's examples: those fetched, else by one request.

        Unless runs name tasks that are not examples one to one.
        """
        used_count = spool.count("examples")
        if 0 < used_count == spool.count("tasks"):
            if examples is not None:
                self.example_count = examples.count(self.splits)
            elif self._project.dataset_id is not None:
                version, began = (
                    self._project.metadata.get("dataset_version"),
                    self._project.started_at,
                )
                as_of = str(version) if version else began.isoformat() if began else None
                self.example_count = count_examples(
                    client, self._project.dataset_id, as_of, self.splits
                )
            self.without_run = max(0, (self.example_count or 0) - used_count)
        elif examples is not None:
            self.without_run = examples.count_without(spool.distinct("example_id"))

    def note(self, fields: Mapping[str, object]) -> None:
        """Take a finished run into account, by its task and its arm."""
        self._finished[fields.get("task_id")] += 1
        experiment, group, version = (fields.get(name) for name in _ARM)
        if isinstance(experiment, str) and isinstance(group, str) and isinstance(version, str):
            self._arms.add((experiment, group, version))

    def note_known(self, tasks: Iterable[tuple[str, str, str, str, int]]) -> None:
        """Take finished runs into account that are not read again.

        Args:
            tasks: task, experiment, group, version, and how many they are.
        """
        for task, experiment, group, version, count in tasks:
            self._finished[task] += count
            self._arms.add((experiment, group, version))

    @property
    def arms(self) -> list[tuple[str, str, str]]:
        """Return experiment, group and version of every arm that a run named."""
        return sorted(self._arms)

    def plans(self) -> list[ArmPlan]:
        """Return the plan of the project's arm; of several, nobody said whose it is."""
        known = (self.repetitions, self.example_count or None)
        if len(self._arms) != 1 or known == (None, None):
            return []
        return [ArmPlan(*arm, *known) for arm in self._arms]

    def notes(self, spool: Spool) -> Iterator[str]:
        """Say what the experiment lacks, a sentence each."""
        pending = spool.count("pending")
        if pending:
            yield f"Left out as not finished: {counted(pending, 'run')}; ingest again later."
        if self.without_run:
            broke_off = "" if self._has_ended else "; its evaluation has not ended, or broke off"
            yield f"{counted(self.without_run, 'example')} of the dataset without a run{broke_off}."
        if self.repetitions and self.example_count:
            planned = self.example_count * self.repetitions
            finished = sum(min(count, self.repetitions) for count in self._finished.values())
            if finished < planned:
                yield (
                    "The experiment is partial: "
                    f"{finished:,} of {counted(planned, 'run')} finished "
                    f"({counted(self.example_count, 'example')}, {self.repetitions:,} times each); "
                    "the rest counts as missing."
                )
        rate = _sampling_rate(spool)
        if rate is not None:
            yield (
                f"Only a sample of what ran was uploaded (sampling rate {rate:g}): chance decided "
                "which runs are here. Set LANGSMITH_TRACING_SAMPLING_RATE=1 to evaluate."
            )

    @property
    def _has_ended(self) -> bool:
        """Whether the project says what an evaluation writes when it ends."""
        return any(self._project.metadata.get(n) for n in ("num_repetitions", "dataset_version"))


def _sampling_rate(spool: Spool) -> float | None:
    """Return the lowest rate below 1 that a run says it was uploaded at."""
    rates = set()
    for name in _RATES:
        for said in spool.distinct(f"metadata.{name}"):
            try:
                rates.add(float(said))
            except ValueError:
                continue
    return min((rate for rate in rates if 0 <= rate < 1), default=None)
