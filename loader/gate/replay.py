"""Which past verdicts would be others today: the ledger judged again on today's marts, and why."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import psycopg

from ..errors import ConfigurationError, WarehouseUnavailable
from ..marts.conditions import PSEUDO
from ..marts.reading import reading
from ..marts.versions import candidates_of
from ..tools.tables import Column, Kind, Table
from ..warehouse.grants import missing_right
from .candidates import look
from .decision import decide
from .ledger import settings_hash
from .policy_file import recorded_policy
from .verdict import RULE_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ..marts.rows import Candidate
    from ..warehouse.connection import Connection
    from .decision import Decision
    from .policy import Policy

# Of a metric: what was observed, and what was declared.
_OBSERVED: Final = ("n_pairs", "baseline_mean", "candidate_mean", "mean_difference")
_DECLARED: Final = ("direction", "non_inferiority_margin")
_DIGITS: Final = 1e-9


class Recorded(NamedTuple):
    """A row of `raw_evals.gate_decisions`."""

    decided_at: datetime
    experiment_id: str
    candidate_group: str
    candidate_version: str
    policy_hash: str
    policy: dict[str, Any]
    verdict: str
    load_id: int
    numbers: dict[str, Any]
    agent: str | None
    rule_version: int | None
    settings_hash: str | None


class Replay(NamedTuple):
    """What a replay found."""

    decisions: int
    changed: Table


def replay(
    connection: Connection,
    since: datetime | None = None,
    policy: Policy | None = None,
    judge_bias: Mapping[str, float] | None = None,
) -> Replay:
    """Judge recorded decisions again, each with the policy it was made by.

    Args:
        connection: to the warehouse.
        since: only decisions from then on; None for all.
        policy: judge all of them by this one instead.
        judge_bias: points of a score, 0 to 1, by which its judge is taken to favour candidates.

    Raises:
        ConfigurationError: the marts are not built.
        WarehouseUnavailable: the server fails, or this role may not read the ledger.
    """
    ledger = _recorded(connection, since)
    connection.commit()
    with reading(connection):
        return _replay(ledger, _Today(connection, policy, settings_hash(), judge_bias or {}))


def _replay(ledger: Sequence[Recorded], today: _Today) -> Replay:
    """Judge them all on one state of the marts."""
    rows = []
    for recorded in ledger:
        decision = today.decision(recorded)
        verdict = "cannot be judged" if isinstance(decision, str) else decision.verdict.value
        if verdict != recorded.verdict:
            why = decision if isinstance(decision, str) else _why(recorded, decision)
            rows.append(
                (
                    *recorded[:4], recorded.agent, recorded.verdict, verdict,
                    ", ".join(today.causes(recorded, decision)), why, recorded.policy_hash[:12],
                )
            )  # fmt: skip
    return Replay(
        len(ledger),
        Table(
            (
                Column("decided_at", Kind.TIMESTAMP, "decided (UTC)"),
                Column("experiment_id", heading="experiment"),
                Column("candidate_group", heading="group", rank=3),
                Column("candidate_version", heading="version", rank=2),
                Column("agent_name", heading="agent", rank=5),
                Column("verdict", Kind.OUTCOME, "verdict then"),
                Column("verdict_today", Kind.OUTCOME, "today"),
                Column("causes", heading="what changed", rank=1),
                Column("why", rank=4),
                Column("policy_hash", heading="policy", rank=6),
            ),
            rows,
        ),
    )


class _Today:
    """Today's marts, seeds and rule; a candidate judged a hundred times is judged once."""

    def __init__(
        self,
        connection: Connection,
        policy: Policy | None,
        settings: str,
        judge_bias: Mapping[str, float],
    ) -> None:
        self._connection = connection
        self._judge_bias = judge_bias
        self._policy = policy
        self._settings = settings
        self._looks: dict[tuple[str, str, str | None], list[Candidate]] = {}
        self._decisions: dict[tuple[str | None, ...], Decision | str] = {}

    def decision(self, recorded: Recorded) -> Decision | str:
        """Return today's decision, or why there is none."""
        released = _released(recorded)
        place = (*recorded[1:4], recorded.policy_hash, recorded.agent, released)
        if place not in self._decisions:
            self._decisions[place] = self._decide(recorded, released)
        return self._decisions[place]

    def causes(self, recorded: Recorded, decision: Decision | str) -> list[str]:
        """Return what changed since a decision: scores, policy, seeds, rule, the judge."""
        if isinstance(decision, str):
            return ["scores"] if decision == _GONE else ["policy"]
        found = []
        candidate = msgspec.to_builtins(decision.candidate)
        if _observed_otherwise(recorded.numbers, candidate):
            found.append("scores")
        if self._policy is not None and self._policy.hash() != recorded.policy_hash:
            found.append("policy")
        has_other_settings = recorded.settings_hash not in (None, self._settings)
        if has_other_settings or _declared_otherwise(recorded.numbers, candidate):
            found.append("seeds")
        if recorded.rule_version != RULE_VERSION:
            found.append("rule")
        if any(decision.candidate.metric(name) is not None for name in self._judge_bias):
            found.append("judge")
        return found or ["unknown"]

    def _decide(self, recorded: Recorded, released: str | None) -> Decision | str:
        try:
            policy = self._policy or recorded_policy(recorded.policy)
        except ConfigurationError as error:
            return str(error)
        candidate = self._candidate(recorded, policy)
        if released is not None:
            candidate = _with_history(self._connection, recorded, released, candidate)
        return _GONE if candidate is None else decide(policy, candidate)

    def _candidate(self, recorded: Recorded, policy: Policy) -> Candidate | None:
        place = (recorded.experiment_id, policy.hash(), recorded.agent)
        if place not in self._looks:
            try:
                found = look(
                    self._connection,
                    policy,
                    recorded.experiment_id,
                    recorded.agent,
                    self._judge_bias,
                )
            except ConfigurationError:
                if recorded.agent is None:
                    raise
                found = []  # the experiment has no task of this agent any more
            self._looks[place] = [candidate for candidate, _ in found]
        for candidate in self._looks[place]:
            summary = candidate.summary
            if (summary.candidate_group, summary.candidate_version) == recorded[2:4]:
                return candidate
        return None


_GONE: Final = "the marts no longer have this candidate"


def _recorded(connection: Connection, since: datetime | None) -> Sequence[Recorded]:
    try:
        rows: list[tuple[Any, ...]] = connection.execute(
            """
            select
                decided_at, experiment_id, candidate_group, candidate_version,
                policy_hash, policy, verdict, load_id, numbers,
                agent_name, rule_version, settings_hash
            from raw_evals.gate_decisions
            where %(since)s::timestamptz is null or decided_at >= %(since)s
            order by decided_at, decision_id
            """,
            {"since": since},
        ).fetchall()
    except psycopg.errors.InsufficientPrivilege as error:
        connection.rollback()
        raise missing_right(connection, error) from None
    except psycopg.Error as error:
        raise WarehouseUnavailable(f"the ledger of decisions cannot be read: {error}") from error
    return [Recorded(*row) for row in rows]


def _released(recorded: Recorded) -> str | None:
    """Return the agent whose history the decision rested on; None where it rested on none."""
    history = recorded.numbers.get("history")
    return str(history["agent_name"]) if isinstance(history, dict) else None


def _with_history(
    connection: Connection, recorded: Recorded, agent: str, candidate: Candidate | None
) -> Candidate | None:
    """Return what was judged, with its history of today; None when it is gone."""
    past = next(
        (
            found
            for found in candidates_of(connection, agent, recorded.candidate_version)
            if found.summary.candidate_group == recorded.candidate_group
        ),
        None,
    )
    if not recorded.numbers.get("has_baseline", True):
        return past
    if candidate is None or past is None:
        return candidate
    return msgspec.structs.replace(candidate, history=past.history)


def _observed_otherwise(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether other results came in, or results went."""
    then, now = _metrics(before), _metrics(after)
    if then.keys() != now.keys() and _pairs(then) != _pairs(now):
        return True
    if any(
        not _same(then[name].get(field), now[name].get(field))
        for name in then.keys() & now.keys()
        for field in _OBSERVED
    ):
        return True
    if before.get("history") != after.get("history"):
        return True
    evidence = before.get("evidence")  # decisions of before 0.2 have none
    return isinstance(evidence, dict) and any(
        evidence.get(part) and evidence.get(part) != after["evidence"].get(part)
        for part in ("tasks", "arms", "levels")
    )


def _declared_otherwise(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether seeds or vars gave a metric another meaning."""
    then, now = _metrics(before), _metrics(after)
    return any(
        not _same(then[name].get(field), now[name].get(field))
        for name in then.keys() & now.keys()
        for field in _DECLARED
    )


def _metrics(numbers: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["metric"]: row for row in numbers.get("metrics") or []}


def _pairs(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the pairs of metrics that have some; pseudo metrics are no results of their own."""
    return {
        name: row.get("n_pairs")
        for name, row in metrics.items()
        if row.get("n_pairs") and name not in PSEUDO
    }


def _same(one: object, other: object) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_DIGITS, abs_tol=_DIGITS)
    return one == other


def _why(recorded: Recorded, today: Decision) -> str:
    """Return what moved since, and the reasons of today."""
    moved = _moved(recorded.numbers, today.candidate)
    reasons = " ".join(reason.sentence for reason in today.reasons)
    return f"{moved}; {reasons}" if moved else reasons


def _moved(before: Mapping[str, Any], after: Candidate) -> str | None:
    """Return how the pairs and the difference of the deciding metric moved."""
    now = after.metric(after.summary.primary_metric)
    then = _metrics(before).get(after.summary.primary_metric or "")
    if then is None or now is None or then.get("n_pairs") is None:
        return None
    difference = then.get("mean_difference")
    differences = (
        f" ({difference:+.4g} → {now.mean_difference:+.4g})"
        if difference is not None and now.mean_difference is not None
        else ""
    )
    return f"{now.metric}: {then['n_pairs']:,} → {now.n_pairs:,} pairs{differences}"
