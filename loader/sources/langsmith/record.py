"""From a LangSmith run and its feedback to the fields of a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from loader.sources.langsmith.times import utc_text

if TYPE_CHECKING:
    from loader.records.checker import Defaults
    from loader.sources.langsmith.feedback import Verdict
    from loader.sources.langsmith.projects import Project
    from loader.sources.langsmith.spool import SpooledRun

# Record field → where it may stand in the metadata of a run or a project. The first
# name is a statement; the others are LangSmith's own and only fill a gap.
_PLACES = {
    "experiment_id": ("experiment_id",),
    "experiment_group": ("experiment_group",),
    "extension_version": ("extension_version",),
    "baseline_experiment_id": ("baseline_experiment_id",),
    "agent_name": ("agent_name",),
    "model_version": ("model_version", "ls_model_name"),
}
_NOTHING = (None, "")
# The SDK copies the tracing machine's settings into every run.
_ENVIRONMENT = ("LANGSMITH_", "LANGCHAIN_", "LANGGRAPH_")


@dataclass(frozen=True)
class Mapper:
    """Makes the fields of records of one project."""

    project: Project
    defaults: Defaults
    with_io: bool
    web_address: str = ""

    def identity(self, metadata: Mapping[str, object]) -> dict[str, object]:
        """Say what experiment, group, version, agent and model a run belongs to.

        The run's metadata before the project's; an option only where neither says
        anything. What contradicts an option is left for the check to reject.
        """
        found: dict[str, object] = {}
        for field, (name, *others) in _PLACES.items():
            value = metadata.get(name)
            if value in _NOTHING:
                value = self._elsewhere(field, name, others, metadata)
            if value not in _NOTHING:
                found[field] = value
        found.setdefault("experiment_id", self.project.name)
        return found

    def _elsewhere(
        self, field: str, name: str, others: Sequence[str], metadata: Mapping[str, object]
    ) -> object:
        """Look for a field that the run's metadata does not state."""
        project = self.project.metadata
        for value in (project.get(name), getattr(self.defaults, field)):
            if value not in _NOTHING:
                return value
        for other in others:
            for place in (metadata, project):
                if place.get(other) not in _NOTHING:
                    return place[other]
        return None

    def position(self, run: Mapping[str, object]) -> str:
        """Name what a run is a repetition of: task, group and version, as one text."""
        metadata = _mapping(run["metadata"])
        identity = self.identity(metadata)
        return position(
            task_id(run),
            identity.get("experiment_id"),
            identity.get("experiment_group"),
            identity.get("extension_version"),
        )

    def fields(self, spooled: SpooledRun, verdict: Verdict) -> dict[str, object]:
        """Return the fields of a run's record; the task must be known."""
        run = spooled.run
        metadata = {
            name: value
            for name, value in _mapping(run["metadata"]).items()
            if not name.startswith(_ENVIRONMENT)
        }
        about = {
            "project": self.project.name,
            "project_id": self.project.id,
            "url": self.url(spooled.id),
            "run_name": run["name"],
            "example_id": run["example_id"],
            "tags": run["tags"] or None,
            "prompt_tokens": run["prompt_tokens"],
            "completion_tokens": run["completion_tokens"],
        }
        metadata["langsmith"] = {name: value for name, value in about.items() if value is not None}
        error = run["error"]
        return {
            **self.identity(metadata),
            "task_id": task_id(run),
            "source_run_id": spooled.id,
            "repetition": spooled.repetition,
            "recorded_at": run["started_at"],
            "scores": verdict.scores,
            "latency_ms": run["latency_ms"],
            "tokens_used": run["tokens"],
            "cost_usd": run["cost_usd"],
            "success": run["status"] == "success",
            "error_message": str(error) if error else None,
            "dataset_version": self.dataset_version,
            "evaluator_versions": verdict.versions,
            "feedback": verdict.kept,
            **(spooled.inputs_outputs if self.with_io else {}),
            "metadata": metadata,
        }

    def url(self, run_id: str) -> str | None:
        """Return where people look at a run, as the SDK builds it; None where not known."""
        workspace = self.project.workspace_id
        if not self.web_address.startswith(("https://", "http://")) or workspace is None:
            return None
        parts = ("o", workspace, "projects", "p", self.project.id, "r", run_id)
        return f"{self.web_address}/{'/'.join(quote(part, safe='') for part in parts)}?poll=true"

    @property
    def dataset_version(self) -> str | None:
        """Return the dataset's version that the experiment ran on.

        It is written when an evaluation ends: one that crashed has none.
        """
        said = self.project.metadata.get("dataset_version")
        return utc_text(said) or (str(said) if said else None)


def position(task: object, experiment: object, group: object, version: object) -> str:
    """Name what a run is a repetition of, as one text."""
    return msgspec.json.encode((task, experiment, group, version)).decode()


def task_id(run: Mapping[str, object]) -> object:
    """Return metadata `task_id`, else the id of the run's example, else None."""
    stated = _mapping(run["metadata"]).get("task_id")
    return stated if stated not in _NOTHING else run["example_id"]


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
