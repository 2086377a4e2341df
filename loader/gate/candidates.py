"""What the gate judges: candidates by the settings of a policy, with all that it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..errors import ConfigurationError, NothingToJudge, nearest
from ..marts import judges
from ..marts.candidates import by_settings, candidates, experiment_names, of_agent
from ..marts.freshness import freshness, loads_of
from ..marts.names import withdrawal
from ..marts.reading import is_built, reading, why_not_built
from .evidence import declarations, gather
from .policy import JudgeCorrection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..marts.freshness import Freshness
    from ..marts.judges import Reading
    from ..marts.rows import Bridge, Candidate, Correction
    from ..warehouse.connection import Connection
    from .policy import Policy


def look(
    connection: Connection,
    policy: Policy,
    experiment_id: str,
    agent: str | None = None,
    judge_bias: Mapping[str, float] | None = None,
) -> list[tuple[Candidate, Freshness]]:
    """Return the candidates of an experiment, the latest recorded first, from one snapshot.

    Args:
        connection: as a user that may read the marts.
        policy: whose settings the rule goes by, and what else it asks for.
        experiment_id: the experiment.
        agent: whose tasks; None for all.
        judge_bias: points of a score, 0 to 1, by which its judge is taken to favour candidates;
            of scores that are corrected nothing more is taken.

    Raises:
        ConfigurationError: the marts are not built, or by another version; no candidate of the
            experiment has tasks of the agent.
        WarehouseUnavailable: the server fails or forbids it.
    """
    with reading(connection, [experiment_id]):
        found = candidates(connection, [experiment_id])
        if agent is not None and found:
            found = of_agent(connection, found, experiment_id, agent)
        corrections, bridges, readings = _readings(connection, policy, experiment_id, judge_bias)
        settings = policy.settings()
        if readings:
            settings["readings"] = [reading._asdict() for reading in readings]
        ruled = by_settings(connection, settings, experiment_id, found)
        if not ruled:
            return []
        declared = declarations()
        return [
            (
                replace(
                    _read(
                        candidate, readings, [*corrections, *(one for one in bridges if one.holds)]
                    ),
                    evidence=replace(
                        gather(connection, policy, candidate, declared),
                        corrections=[one for one in corrections if _is_of(one, candidate)],
                        bridges=[one for one in bridges if _is_of(one, candidate)],
                    ),
                ),
                freshness(
                    connection,
                    {experiment_id, candidate.summary.baseline_experiment_id or experiment_id},
                ),
            )
            for candidate in ruled
        ]


def _readings(
    connection: Connection,
    policy: Policy,
    experiment_id: str,
    judge_bias: Mapping[str, float] | None,
) -> tuple[list[Correction], list[Bridge], list[Reading]]:
    """Return corrections where the policy asks for them, and scores to be read otherwise."""
    found: list[Correction] = []
    bridges: list[Bridge] = []
    if policy.judge_correction is not JudgeCorrection.RAW:
        found = judges.corrections(connection, experiment_id)
        bridges = judges.bridges(connection, experiment_id)
    readings = judges.bridged(bridges)
    taken = {reading[:3] for reading in readings}
    # a score that two versions gave has its labels on pairs that one of them gave alone
    readings += [one for one in judges.corrected(found) if one[:3] not in taken]
    taken = {reading[:3] for reading in readings}
    if judge_bias:
        readings += [
            reading
            for reading in judges.shifted(connection, experiment_id, judge_bias)
            if reading[:3] not in taken
        ]
    return found, bridges, readings


def _is_of(one: Correction | Bridge | Reading, candidate: Candidate) -> bool:
    summary = candidate.summary
    return (one.candidate_group, one.candidate_version) == (
        summary.candidate_group,
        summary.candidate_version,
    )


def _read(
    candidate: Candidate,
    readings: Sequence[Reading],
    corrections: Sequence[Correction | Bridge],
) -> Candidate:
    """Return a candidate whose metrics are as they were read; of all tasks, not of an agent's."""
    if candidate.agent is not None:
        return candidate
    read = {one.metric: one for one in readings if _is_of(one, candidate)}
    ends = {
        one.metric: (one.improvement_low, one.improvement_high, one.p_value)
        for one in corrections
        if _is_of(one, candidate) and one.metric in read
    }
    metrics = []
    for metric in candidate.metrics:
        one = read.get(metric.metric)
        if one is None or (metric.improvement is None and metric.metric not in ends):
            metrics.append(metric)
            continue
        shift = one.improvement - (metric.improvement or 0.0)
        low, high, p_value = ends.get(
            metric.metric,
            (_moved(metric.improvement_low, shift), _moved(metric.improvement_high, shift), None),
        )
        metrics.append(
            replace(
                metric,
                n_pairs=metric.n_pairs if one.n_pairs is None else one.n_pairs,
                pair_coverage=metric.pair_coverage
                if one.pair_coverage is None
                else one.pair_coverage,
                improvement=one.improvement,
                improvement_low=low,
                improvement_high=high,
                lower_improvement=one.improvement + one.missing_gap_low,
                improvement_pct=100 * one.improvement,
                improvement_low_pct=None if low is None else 100 * low,
                improvement_high_pct=None if high is None else 100 * high,
                p_value=p_value,
                finding=None,  # that is of the recorded one
                improvement_sequence_low=None,
                improvement_sequence_high=None,
                fixed_tasks_low=None,
                fixed_tasks_high=None,
            )
        )
    return replace(candidate, metrics=metrics)


def _moved(bound: float | None, shift: float) -> float | None:
    return None if bound is None else bound + shift


def require_built(connection: Connection, asked: str) -> None:
    """Raise when there are no marts: how many loads wait for a build, or that nothing is loaded.

    Raises:
        NothingToJudge: there are none; says why.
    """
    if is_built(connection):
        return
    waiting = loads_of(connection)
    if waiting is None:
        raise ConfigurationError(why_not_built(connection))
    if waiting == 0:
        raise NothingToJudge(
            f"no candidate results for {asked}: nothing is loaded yet; did ingest run?"
        )
    raise _waits(asked, waiting)


def refuse_experiment(connection: Connection, experiment_id: str) -> None:
    """Raise: there is nothing of this experiment to judge; says why, and what to do.

    Raises:
        NothingToJudge: always.
    """
    with reading(connection):
        waiting = freshness(connection, {experiment_id}).newer_loads
        names = experiment_names(connection)
        withdrawn = None if experiment_id in names else withdrawal(connection, experiment_id)
        # who may not see how far the marts are built takes every load for a newer one
        if withdrawn is not None and loads_of(connection, experiment_id, withdrawn.load_id) == 0:
            waiting = 0
    if waiting:
        raise _waits(experiment_id, waiting)
    if experiment_id in names:
        raise NothingToJudge(
            f"no candidate results for {experiment_id}: only a control group has results there; "
            "did ingest of the candidate run? Then run evalmart build"
        )
    if withdrawn is not None:
        raise NothingToJudge(f"no candidate results for {experiment_id}: {withdrawn.sentence}")
    raise NothingToJudge(
        f"no candidate results for {experiment_id!r}; did ingest run?"
        f"{nearest(experiment_id, names)}"
    )


def _waits(asked: str, loads: int) -> NothingToJudge:
    are = "load is" if loads == 1 else "loads are"
    return NothingToJudge(
        f"no candidate results for {asked} in the marts yet: {loads:,} {are} waiting; "
        "run evalmart build"
    )
