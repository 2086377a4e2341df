"""What an Inspect log says of its evaluation as a whole: task, model, plan, and how it ended."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from . import Planned, Whole
from .inspect_samples import Arm

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CATEGORICAL: Final = frozenset({"frequency"})
"""Metrics that count texts instead of reading numbers out of them."""
_GRADED_BY_ROLE: Final = "model_graded"
"""Scorers of such a name ask the model that has the role of the grader."""
_LONGEST_NAME: Final = 200
_SECRET: Final = re.compile(r"key$|token$|secret|passw|credential", re.IGNORECASE)
"""Names of arguments whose texts are nobody's to read."""


class _Dataset(msgspec.Struct):
    name: str | None = None
    samples: int | None = None
    sample_ids: list[Any] | None = None


class _Config(msgspec.Struct):
    epochs: int | None = None
    limit: Any = None
    score_on_error: bool | None = None


class _Revision(msgspec.Struct):
    commit: str = ""
    dirty: bool | None = None


class _Scorer(msgspec.Struct):
    name: str = ""
    options: dict[str, Any] | None = None
    metrics: Any = None


class _Spec(msgspec.Struct):
    """What was evaluated, and how."""

    task: str
    model: str
    run_id: str | None = None
    task_id: str | None = None
    eval_id: str | None = None
    created: str | None = None
    task_version: int | float | str | None = None
    solver: str | None = None
    tags: list[str] | None = None
    dataset: _Dataset | None = None
    config: _Config | None = None
    revision: _Revision | None = None
    packages: dict[str, str] | None = None
    task_args: dict[str, Any] | None = None
    model_args: dict[str, Any] | None = None
    model_generate_config: dict[str, Any] | None = None
    model_roles: dict[str, Any] | None = None
    scorers: list[_Scorer] | None = None

    @property
    def epochs(self) -> int:
        """How often each sample was to run."""
        return (self.config.epochs if self.config else None) or 1


class _Metric(msgspec.Struct):
    value: float | None = None


class _EvalScore(msgspec.Struct):
    """The metrics of one scorer, or of one part of what it gives."""

    name: str
    scorer: str = ""
    reducer: str | None = None
    metrics: dict[str, _Metric] = {}


class _Results(msgspec.Struct):
    total_samples: int | None = None
    early_stopping: Any = None
    """Set where fewer samples than planned were enough."""
    scores: list[_EvalScore] | None = None
    scorer: _EvalScore | None = None
    """Of the first version of the format, with the metrics beside it."""
    metrics: dict[str, _Metric] | None = None

    def all_scores(self) -> list[_EvalScore]:
        """Return the scores, whichever version of the format has them."""
        scores = self.scores or []
        if self.scorer is None:
            return scores
        metrics = self.metrics or self.scorer.metrics
        return [*scores, msgspec.structs.replace(self.scorer, metrics=metrics)]


class _Stats(msgspec.Struct):
    started_at: str | None = None
    completed_at: str | None = None


class _Failure(msgspec.Struct):
    message: str = ""


class _TagsEdit(msgspec.Struct):
    type: str = ""
    tags_add: list[str] = []
    tags_remove: list[str] = []


class _Update(msgspec.Struct):
    edits: list[_TagsEdit] = []


class Header(msgspec.Struct):
    """A log without its samples."""

    eval: _Spec
    status: str | None = "started"
    results: _Results | None = None
    stats: _Stats | None = None
    error: _Failure | None = None
    log_updates: list[_Update] | None = None

    @property
    def ended_at(self) -> str | None:
        """When the evaluation ended or, not known, began; ISO 8601."""
        stats = self.stats or _Stats()
        return stats.completed_at or stats.started_at or self.eval.created or None


def arm_of(header: Header, file_name: str) -> Arm:
    """Return what all samples of a log have in common."""
    spec = header.eval
    version = _version(spec.revision)
    record: dict[str, Any] = {
        "experiment_id": spec.task,
        "model_version": spec.model,
        "dataset_version": _dataset(spec),
        **({"extension_version": version} if version else {}),
        **({"agent_name": spec.solver} if spec.solver else {}),
    }
    details: dict[str, Any] = {
        name: value
        for name, value in (
            ("tags", spec.tags),
            ("task_args", dict(_scalars(spec.task_args))),
            ("model_args", dict(_scalars(spec.model_args))),
            ("model_roles", dict(_roles(spec))),
            ("generate_config", dict(_scalars(spec.model_generate_config))),
            ("packages", spec.packages),
        )
        if value
    }
    results = header.results.all_scores() if header.results else []
    scorers = spec.scorers or []
    return Arm(
        record=record,
        details=details,
        names=_names(header, version, file_name),
        run=_joined(spec.run_id, spec.task_id) or _joined(spec.task, spec.model, spec.created),
        recorded_at=header.ended_at,
        first_scorer=results[0].name if results else "score",
        categorical=frozenset(each.name for each in scorers if _is_categorical(each.metrics)),
        graders=dict(_graders(spec)),
        scores_errors=bool(spec.config and spec.config.score_on_error),
    )


def planned(header: Header, runs: int) -> Planned | None:
    """Return how much was to run, None where it did or the log does not say it.

    Args:
        header: of the log.
        runs: how many are in it.

    """
    spec, results = header.eval, header.results or _Results()
    if results.early_stopping:
        return None
    named = len((spec.dataset.sample_ids if spec.dataset else None) or ())
    tasks = named or (results.total_samples or 0) // spec.epochs or _limited(spec)
    return Planned(tasks, spec.epochs) if tasks and runs < tasks * spec.epochs else None


def wholes(header: Header, arm: Arm) -> Iterator[Whole]:
    """Yield each metric, of a log that does not have the samples which it was computed from."""
    if header.results is None:
        return
    for score in header.results.all_scores():
        parts = (score.scorer if score.scorer != score.name else "", score.name, score.reducer)
        for name, metric in score.metrics.items():
            key = ".".join(filter(None, (*parts, name)))
            yield Whole(key, metric.value, dict(arm.record), arm.names, header.ended_at)


def story(header: Header, runs: int, plan: Planned | None) -> str | None:
    """Say how an evaluation ended that did not end well, without capital and stop."""
    if header.status == "success":
        return None
    of = f" of {plan.tasks * (plan.repetitions or 1):,}" if plan and plan.tasks else ""
    has = f"; {runs:,}{of} samples are in the log"
    if header.status == "started":
        return f"the evaluation had not ended when this was written{has}"
    if header.status == "cancelled":
        return f"the evaluation was cancelled{has}"
    message = header.error.message.strip() if header.error else ""
    why = f": {message.splitlines()[0][:_LONGEST_NAME]}" if message else ""
    return f"the evaluation failed{why}{has}"


def _joined(*names: str | None) -> str:
    return "/".join(filter(None, names))


def _version(revision: _Revision | None) -> str | None:
    if revision is None or not revision.commit:
        return None
    return f"{revision.commit}-dirty" if revision.dirty else revision.commit


def _dataset(spec: _Spec) -> str:
    """Name the tasks: results of another version of them are not to be compared."""
    dataset = spec.dataset or _Dataset()
    name = f"{dataset.name or spec.task}@{spec.task_version or 0}"
    return name if dataset.samples is None else f"{name} ({dataset.samples} samples)"


def _names(header: Header, version: str | None, file_name: str) -> dict[str, object]:
    spec = header.eval
    tags = set(spec.tags or ())
    for update in header.log_updates or ():
        for edit in update.edits:
            tags = tags - set(edit.tags_remove) | set(edit.tags_add)
    names: dict[str, object] = {
        "model": spec.model,
        "task": spec.task,
        "solver": spec.solver,
        "revision": version,
        "tags": ", ".join(sorted(tags)),
        **{f"task_args.{name}": _text(value) for name, value in _scalars(spec.task_args)},
        **{f"model_args.{name}": _text(value) for name, value in _scalars(spec.model_args)},
        **{f"model_roles.{role}": model for role, model in _roles(spec)},
        "run_id": spec.run_id,
        "eval_id": spec.eval_id,
        "created": spec.created,
        "file": file_name,
    }
    return {name: value for name, value in names.items() if value not in (None, "")}


def _text(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def _scalars(values: Mapping[str, Any] | None) -> Iterator[tuple[str, object]]:
    """Yield arguments that are short; never one that is a secret by its name."""
    for name, value in (values or {}).items():
        is_text = isinstance(value, str) and len(value) <= _LONGEST_NAME
        if isinstance(value, bool | int | float) or (is_text and not _SECRET.search(name)):
            yield name, value


def _is_categorical(metrics: Any) -> bool:  # noqa: ANN401  a list or a dict of metrics
    """Tell whether all that is computed of a scorer's texts is how many there are of each."""
    if not isinstance(metrics, list) or not metrics:
        return False
    names = [str(each.get("name", "")) for each in metrics if isinstance(each, dict)]
    return all(name.rpartition("/")[2] in _CATEGORICAL for name in names)


def _graders(spec: _Spec) -> Iterator[tuple[str, str]]:
    """Yield the scorers that ask a model, with it: what another judge said does not compare."""
    by_role = dict(_roles(spec)).get("grader", "")
    for scorer in spec.scorers or ():
        model = _models((scorer.options or {}).get("model"))
        if not model and scorer.name.startswith(_GRADED_BY_ROLE):
            model = by_role
        if model:
            yield scorer.name, model


def _roles(spec: _Spec) -> Iterator[tuple[str, str]]:
    """Yield the roles that models have, such as that of the grader, each with its models."""
    for role, told in (spec.model_roles or {}).items():
        if models := _models(told):
            yield role, models


def _models(told: Any) -> str:  # noqa: ANN401  a name, a configuration, or a list of these
    if isinstance(told, list):
        return "+".join(filter(None, map(_models, told)))
    if isinstance(told, dict):
        return str(told.get("model") or "")
    return told if isinstance(told, str) else ""


def _limited(spec: _Spec) -> int:
    """Return how many samples of the dataset were to run, 0 where that is not said."""
    samples = (spec.dataset.samples if spec.dataset else None) or 0
    limit = spec.config.limit if spec.config else None
    if isinstance(limit, int):
        limit = [0, limit]
    if not isinstance(limit, list) or not all(isinstance(end, int) for end in limit):
        return samples
    first, last = (limit[0], limit[-1]) if len(limit) > 1 else (0, limit[0] if limit else 0)
    return max(0, min(samples or last, last) - first)
