"""From a LangSmith run and its feedback to the fields of a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import quote

import msgspec

from . import names
from .times import utc_text

if TYPE_CHECKING:
    from ...records.checker import Defaults
    from .. import Rejection
    from .costs import Pricing
    from .feedback import Verdict
    from .projects import Project
    from .spool import SpooledRun

# The SDK copies the tracing machine's settings into every run.
_ENVIRONMENT = ("LANGSMITH_", "LANGCHAIN_", "LANGGRAPH_")
_SPLIT = "dataset_split"
# Runs that agree in these are repetitions of each other.
_REPEATED = ("task_id", "experiment_id", "experiment_group", "extension_version")


class About(Protocol):
    """What is known of examples; of `scoring.Examples`."""

    @property
    def has_splits(self) -> bool:
        """Whether the dataset is divided: one split of everything divides nothing."""

    def about(self, example_id: object) -> Mapping[str, object]:
        """Return id, inputs, outputs and metadata of an example; nothing if it is not there."""


class Identity(NamedTuple):
    """What a run belongs to."""

    fields: dict[str, object]
    """By field of a record; what nobody says is absent."""
    refusal: Rejection | None
    """Why the run cannot be a record."""


@dataclass(frozen=True)
class Mapper:
    """Makes the fields of records of one project."""

    project: Project
    defaults: Defaults
    with_io: bool
    web_address: str = ""
    places: Mapping[str, names.Place] = field(default_factory=dict)
    """Of `--key`."""
    examples: About | None = None
    pricing: Pricing | None = None
    """Makes a cost where the service has none."""

    def identity(self, run: Mapping[str, object]) -> Identity:
        """Say what experiment, group, version, agent, model and task a run is of.

        The run's metadata before its example's, that before the project's; an option only
        where none says anything, and the environment where LangSmith reports nothing either.
        What contradicts an option is left for the check to reject.

        Args:
            run: normalised; with inputs and outputs where a place is in them.
        """
        known = names.Known(
            run,
            self._example(run),
            {"name": self.project.name, "metadata": self.project.metadata},
        )
        fields: dict[str, object] = {}
        refusal = None
        for name in names.READ:
            found = names.stated(name, known, self.places)
            option = getattr(self.defaults, name, None)
            if found is None and option and name not in self.defaults.weak:
                fields[name] = option
                continue
            found = found or names.reported(name, known, self.places)
            if found is None and option:
                fields[name] = option
            if found is not None:
                text = names.as_text(found.value)
                fields[name] = found.value if text is None else text
                if text is None:
                    refusal = refusal or names.no_text(name, found)
        fields.setdefault("experiment_id", self.project.name)
        if "task_id" not in fields and "task_id" not in self.places and run["example_id"]:
            fields["task_id"] = run["example_id"]
        if "task_id" not in fields:
            refusal = refusal or names.no_task(known, self.places)
        return Identity(fields, refusal)

    def _example(self, run: Mapping[str, object]) -> Mapping[str, object]:
        example_id = run["example_id"]
        return self.examples.about(example_id) if self.examples and example_id else {}

    def _metadata(self, run: Mapping[str, object]) -> dict[str, object]:
        """Return the run's metadata, and what its example adds to it."""
        metadata = {
            name: value
            for name, value in _mapping(run["metadata"]).items()
            if not name.startswith(_ENVIRONMENT)
        }
        told = _mapping(self._example(run).get("metadata"))
        added = {name: value for name, value in told.items() if name != _SPLIT}
        if self.examples and self.examples.has_splits and told.get(_SPLIT):
            splits = told[_SPLIT]
            is_one = isinstance(splits, list) and len(splits) == 1
            added.setdefault("split", splits[0] if is_one else splits)  # type: ignore[index]
        return {**added, **metadata}

    def position(self, run: Mapping[str, object]) -> str:
        """Name what a run is a repetition of: task, group and version, as one text."""
        identity = self.identity(run).fields
        return position(*(identity.get(name) for name in _REPEATED))

    def fields(self, spooled: SpooledRun, verdict: Verdict) -> Identity:
        """Return the fields of a run's record, and why it is none."""
        run = spooled.run
        metadata = self._metadata(run)
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
        identity = self.identity({**run, **spooled.inputs_outputs})
        cost = run["cost_usd"]
        if cost is None and self.pricing is not None:
            cost = self.pricing.cost(run, identity.fields.get("model_version"))
            about["cost_source"] = None if cost is None else "prices"
        metadata["langsmith"] = {name: value for name, value in about.items() if value is not None}
        error = run["error"]
        fields = {
            **identity.fields,
            "source_run_id": spooled.id,
            "repetition": spooled.repetition,
            "recorded_at": run["started_at"],
            "scores": verdict.scores,
            **({"labels": verdict.labels} if verdict.labels else {}),
            **({"score_scales": verdict.scales} if verdict.scales else {}),
            "latency_ms": run["latency_ms"],
            "tokens_used": run["tokens"],
            "cost_usd": cost,
            "success": run["status"] == "success",
            "error_message": str(error) if error else None,
            "dataset_version": self.dataset_version,
            "evaluator_versions": verdict.versions,
            "feedback": verdict.kept,
            **(spooled.inputs_outputs if self.with_io else {}),
            "metadata": metadata,
        }
        return Identity(fields, identity.refusal)

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


def position(*parts: object) -> str:
    """Name what a run is a repetition of, as one text: task, experiment, group, version."""
    return msgspec.json.encode(parts).decode()


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
