"""How much an experiment was to run: what its project and its dataset say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.sources import ArmPlan
from loader.sources.langsmith.examples import count_examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loader.sources.langsmith.client import LangSmith
    from loader.sources.langsmith.projects import Project
    from loader.sources.langsmith.scoring import Examples
    from loader.sources.langsmith.spool import Spool

_ARM = ("experiment_id", "experiment_group", "extension_version")


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
        self._project = project
        self._arms: set[tuple[str, str, str]] = set()
        self._used_count = 0

    def count(self, client: LangSmith, spool: Spool, examples: Examples | None = None) -> None:
        """Count the dataset's examples: those fetched, else by one request.

        Unless runs name tasks that are not examples one to one.
        """
        self._used_count = spool.count("examples")
        if not 0 < self._used_count == spool.count("tasks"):
            return
        if examples is not None:
            self.example_count = examples.count(self.splits)
        elif self._project.dataset_id is not None:
            version, began = self._project.metadata.get("dataset_version"), self._project.started_at
            as_of = str(version) if version else began.isoformat() if began else None
            self.example_count = count_examples(
                client, self._project.dataset_id, as_of, self.splits
            )

    def note(self, fields: Mapping[str, object]) -> None:
        """Take the arm of a run into account."""
        experiment, group, version = (fields.get(name) for name in _ARM)
        if isinstance(experiment, str) and isinstance(group, str) and isinstance(version, str):
            self._arms.add((experiment, group, version))

    def note_known(self, arms: Iterable[tuple[str, str, str]]) -> None:
        """Take the arms of runs into account that are not read again."""
        self._arms.update(arms)

    @property
    def missing_count(self) -> int:
        """How many examples have no finished run, where each is a task of its own."""
        return max(0, (self.example_count or 0) - self._used_count)

    def plans(self) -> list[ArmPlan]:
        """Return the plan of the project's arm; of several, nobody said whose it is."""
        known = (self.repetitions, self.example_count or None)
        if len(self._arms) != 1 or known == (None, None):
            return []
        return [ArmPlan(*arm, *known) for arm in self._arms]
