"""The gate as a whole: find the candidate, judge it, record the verdict, warn."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from ..errors import ConfigurationError, nearest
from ..marts import versions
from ..marts.candidates import experiments_of
from ..marts.freshness import freshness
from ..marts.reading import reading
from ..show.asides import sentences
from . import candidates, ledger
from .decision import decide, worst_exit_code
from .page import Answer
from .policy import Judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..marts.freshness import Freshness
    from ..marts.rows import Candidate
    from ..warehouse.connection import Connection
    from .policy import Policy


class Asked(NamedTuple):
    """Which candidate a person or a pipeline asks about."""

    experiment: str | None = None
    agent: str | None = None
    group: str | None = None
    version: str | None = None


class Judgement(NamedTuple):
    """The verdicts, and what was chosen on the way to them."""

    answers: Sequence[Answer]
    notices: Sequence[str]
    exit_code: int


def judge(connection: Connection, policy: Policy, asked: Asked) -> Judgement:
    """Judge a candidate and record the verdict; commits.

    Args:
        connection: as a user that may read the marts and append to the ledger; of the rest of
            `raw_evals` it tells what it may read.
        policy: what the candidate must show.
        asked: an experiment, an agent with or without a version, or an agent of an
            experiment; group and version narrow it down.

    Raises:
        NothingToJudge: no candidate has results yet.
        ConfigurationError: the name is unknown, or marts or raw schema are not there.
        WarehouseUnavailable: the server fails, or this role lacks a right; says which.
    """
    ledger.require_ledger(connection)
    candidates.require_built(connection, asked.experiment or asked.agent or "")
    connection.commit()
    notices: list[str] = []
    # an agent's history is of every experiment that it is in
    about = None if asked.experiment is None else [asked.experiment]
    with reading(connection, about):
        if asked.experiment is not None:
            chosen = _choose(connection, policy, asked, notices)
        else:
            chosen = _released(connection, policy, asked, notices)
        alarms = [_alarms(connection, candidate) for candidate, _ in chosen]
    # what is recorded is what was read, whatever was built since
    answers = [
        _answer(connection, policy, candidate, fresh, found)
        for (candidate, fresh), found in zip(chosen, alarms, strict=True)
    ]
    return Judgement(answers, notices, worst_exit_code(answer.decision for answer in answers))


def _released(
    connection: Connection, policy: Policy, asked: Asked, notices: list[str]
) -> list[tuple[Candidate, Freshness]]:
    """Return a version of an agent with its history, compared with a baseline where one is."""
    agent = asked.agent or ""
    version = asked.version
    if version is None:
        version = versions.latest_version(connection, agent)
        notices.append(f"judged {agent} {version}, the latest; --extension-version names another")
        asked = asked._replace(version=version)
    past = {
        candidate.summary.candidate_group: candidate
        for candidate in versions.candidates_of(connection, agent, version)
    }
    tried = experiments_of(connection, agent, version)
    if tried:
        if len(tried) > 1:
            notices.append(
                f"judged {tried[0]}, the latest of {len(tried)} experiments with "
                f"{agent} {version}; --experiment names another"
            )
        chosen = _choose(connection, policy, asked._replace(experiment=tried[0]), notices)
        return [(_with_history(candidate, past), fresh) for candidate, fresh in chosen]
    if not past:
        versions.require_version(connection, agent, version)
    if asked.group is not None and asked.group not in past:
        raise ConfigurationError(
            f"{agent} {version} has no results of a group {asked.group!r}"
            f"{nearest(asked.group, past)}; there are: {', '.join(sorted(past))}"
        )
    groups = list(past) if asked.group is None else [asked.group]
    notices.append(
        f"no experiment holds {agent} {version} against a baseline: judged by its regressions "
        "against the version before alone; to have it compared, ingest it with "
        "--baseline-experiment ID, or load a control group into its experiment"
    )
    if len(groups) > 1 and policy.judge is Judge.LATEST:
        notices.append(
            f"judged {groups[0]}, the latest of {len(groups)} groups; --candidate-group names "
            "another, judge: all in the policy judges every one"
        )
        groups = groups[:1]
    return [
        (past[group], freshness(connection, {past[group].summary.experiment_id}))
        for group in groups
    ]


def _with_history(candidate: Candidate, past: Mapping[str, Candidate]) -> Candidate:
    """Return a candidate with the history of its group."""
    found = past.get(candidate.summary.candidate_group)
    return candidate if found is None else replace(candidate, history=found.history)


def _choose(
    connection: Connection, policy: Policy, asked: Asked, notices: list[str]
) -> list[tuple[Candidate, Freshness]]:
    """Return the candidates to judge: those asked for, and of them the latest or all."""
    experiment = asked.experiment or ""
    found = candidates.look(connection, policy, experiment, asked.agent)
    if not found:
        candidates.refuse_experiment(connection, experiment)
    for value, name in ((asked.group, "candidate_group"), (asked.version, "candidate_version")):
        if value is None:
            continue
        there = [str(getattr(candidate.summary, name)) for candidate, _ in found]
        found = [pair for pair in found if getattr(pair[0].summary, name) == value]
        if not found:
            noun = name.replace("_", " ")
            raise ConfigurationError(
                f"{experiment} has no {noun} {value!r}{nearest(value, there)}; "
                f"there are: {', '.join(sorted(set(there)))}"
            )
    if found[0][0].agent is not None:
        notices.append(
            f"judged the tasks of {asked.agent} alone; without --agent the verdict is on all tasks "
            f"of {experiment}"
        )
    if len(found) > 1 and policy.judge is Judge.LATEST:
        first = found[0][0].summary
        notices.append(
            f"judged {first.candidate_group} {first.candidate_version}, the latest of "
            f"{len(found)} candidates; --candidate-group and --candidate-version name another, "
            "judge: all in the policy judges every one"
        )
        return found[:1]
    return found


def _alarms(connection: Connection, candidate: Candidate) -> Sequence[ledger.Alarm]:
    """Return what calibrations said of the experiments that a candidate and its baseline are of."""
    summary = candidate.summary
    sources = {summary.experiment_id, summary.baseline_experiment_id or summary.experiment_id}
    return ledger.alarms(connection, sorted(sources))


def _answer(
    connection: Connection,
    policy: Policy,
    candidate: Candidate,
    fresh: Freshness,
    alarms: Sequence[ledger.Alarm],
) -> Answer:
    """Judge and record one candidate."""
    decision = decide(policy, candidate)
    looks = ledger.record(connection, decision, fresh.load_id)
    warnings = sentences(candidate.evidence.set_aside)
    if fresh.newer_loads:
        loads = "load is" if fresh.newer_loads == 1 else "loads are"
        warnings.append(
            f"{fresh.newer_loads} newer {loads} not in the marts yet: this verdict is about older "
            "results; run evalmart build"
        )
    if looks is not None and looks.states > 1 and not policy.peeking:
        warnings.append(
            f"the verdict was asked for on {looks.states} states of the data: each look is another "
            "chance of a false alarm; peeking: true in the policy takes bounds that allow for it"
        )
    warnings += [
        f"{alarm.metric} of {alarm.experiment_group} {alarm.extension_version}: calibrate found a "
        f"difference between halves of the same runs in {100 * alarm.rate:.1f} % of "
        f"{alarm.comparisons:,} splits ({100 * alarm.rate_low:.1f} to "
        f"{100 * alarm.rate_high:.1f} %), nominal {100 * alarm.alpha:g} %; "
        "its p-values and intervals are too optimistic"
        for alarm in alarms
    ]
    return Answer(decision, looks, fresh.load_id, warnings)
