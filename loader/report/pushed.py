"""What of a verdict is written back to the service that its runs came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ..errors import ConfigurationError, NothingToJudge, nearest
from ..marts.candidates import candidates
from ..marts.names import check_experiment
from ..marts.origins import Origin, langsmith_projects
from ..marts.reading import reading
from ..show import wording

if TYPE_CHECKING:
    from ..marts.rows import Candidate, Metric
    from ..warehouse.connection import Connection


class Message(NamedTuple):
    """A verdict, and a project that its candidate's runs are in.

    Attributes:
        origin: the project.
        about: experiment, group and version of the candidate, as one text.
        verdict: `deploy`, `needs_review` or `reject`.
        entries: name → value: verdict, p-values, improvements and margins.
        comment: the headline and the reasons, for people.
    """

    origin: Origin
    about: str
    verdict: str
    entries: dict[str, object]
    comment: str


def messages(
    connection: Connection, experiment_id: str, group: str | None, version: str | None
) -> list[Message]:
    """Return what there is to write of an experiment's candidates.

    Args:
        connection: to the warehouse.
        experiment_id: the experiment.
        group: only candidates of this group.
        version: only candidates of this version.

    Raises:
        ConfigurationError: there is no such experiment or candidate, or none of its runs is
            from LangSmith.
        NothingToJudge: it has no candidate with a verdict yet.
    """
    with reading(connection, [experiment_id]):
        return _all_messages(connection, experiment_id, group, version)


def _all_messages(
    connection: Connection, experiment_id: str, group: str | None, version: str | None
) -> list[Message]:
    found = candidates(connection, [experiment_id])
    if not found:
        check_experiment(connection, experiment_id)
        raise NothingToJudge(f"{experiment_id} has no verdict on a candidate yet")
    wanted = [
        each
        for each in found
        if group in {None, each.summary.candidate_group}
        and version in {None, each.summary.candidate_version}
    ]
    if not wanted:
        there = [_name(each) for each in found]
        asked = " ".join(part for part in (group, version) if part)
        raise ConfigurationError(
            f"{experiment_id} has no candidate {asked}{nearest(asked, there)}; "
            f"there are: {', '.join(there)}"
        )
    told = [message for each in wanted for message in _messages(connection, each)]
    if not told:
        raise ConfigurationError(
            f"no run of {', '.join(map(_name, wanted))} in {experiment_id} was loaded from "
            "LangSmith, so there is no project to write to"
        )
    return told


def _messages(connection: Connection, candidate: Candidate) -> list[Message]:
    summary = candidate.summary
    record = msgspec.to_builtins(summary)
    headline = wording.headline(record)
    comment = "\n".join([headline, *(f"- {reason}" for reason in wording.reasons(record))])
    entries: dict[str, object] = {
        "verdict": summary.recommendation,
        "headline": headline,
        "reasons": [reason.code for reason in summary.recommendation_reasons or []],
        "experiment_id": summary.experiment_id,
        "candidate": _name(candidate),
        "baseline_experiment_id": summary.baseline_experiment_id,
        "tasks": summary.total_tasks,
        "deciding_metric": summary.primary_metric,
        "metrics": {metric.metric: _numbers(metric) for metric in candidate.metrics},
    }
    found = langsmith_projects(
        connection, summary.experiment_id, summary.candidate_group, summary.candidate_version
    )
    about = f"{summary.experiment_id} {_name(candidate)}"
    said = _present(entries)
    return [Message(origin, about, summary.recommendation, said, comment) for origin in found]


def _numbers(metric: Metric) -> dict[str, object]:
    """Return a metric's comparison; improvements and margin in `unit`, + is better."""
    record = msgspec.to_builtins(metric)
    change = wording.improvement_of(record)
    return _present({
        "role": metric.role,
        "finding": metric.finding,
        "p_value": metric.p_value,
        "baseline_mean": metric.baseline_mean,
        "candidate_mean": metric.candidate_mean,
        "improvement": change.value,
        "improvement_low": change.low,
        "improvement_high": change.high,
        "margin": change.margin,
        "unit": change.unit or None,
        "tasks": metric.n_pairs,
    })  # fmt: skip


def _present(entries: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in entries.items() if value is not None}


def _name(candidate: Candidate) -> str:
    return f"{candidate.summary.candidate_group} {candidate.summary.candidate_version}"
