"""Which past verdicts would be others today: the ledger judged again on today's marts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import psycopg

from loader.errors import ConfigurationError, WarehouseUnavailable
from loader.gate import Candidate, decide
from loader.gate_warehouse import candidates
from loader.policy import parse_policy
from loader.tables import Column, Kind, Table
from loader.version_history import candidates_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from loader.connection import Connection
    from loader.gate import Decision


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


class Replay(NamedTuple):
    """What a replay found."""

    decisions: int
    changed: Table


def replay(connection: Connection, since: datetime | None = None) -> Replay:
    """Judge recorded decisions again, each with the policy it was made by.

    Args:
        connection: to the warehouse.
        since: only decisions from then on; None for all.

    Raises:
        ConfigurationError: the marts are not built.
        WarehouseUnavailable: the server fails.
    """
    ledger = _recorded(connection, since)
    experiments = sorted({decision.experiment_id for decision in ledger})
    present = {_key(candidate): candidate for candidate in candidates(connection, experiments)}
    # a candidate judged a hundred times by one policy is judged once today
    judged: dict[tuple[str, str, str, str, str | None], Decision | str] = {}
    rows = []
    for recorded in ledger:
        agent = _agent(recorded)
        place = (*recorded[1:4], recorded.policy_hash, agent)
        if place not in judged:
            candidate = present.get(recorded[1:4])
            if agent is not None:
                candidate = _with_history(connection, recorded, agent, candidate)
            judged[place] = _judge(recorded, candidate)
        today = judged[place]
        verdict = "cannot be judged" if isinstance(today, str) else today.verdict.value
        if verdict != recorded.verdict:
            why = today if isinstance(today, str) else _why(recorded, today)
            rows.append((*recorded[:4], recorded.verdict, verdict, why, recorded.policy_hash[:12]))
    return Replay(
        len(ledger),
        Table(
            (
                Column("decided_at", Kind.TIMESTAMP, "decided (UTC)"),
                Column("experiment_id", heading="experiment"),
                Column("candidate_group", heading="group"),
                Column("candidate_version", heading="version"),
                Column("verdict", Kind.OUTCOME, "verdict then"),
                Column("verdict_today", Kind.OUTCOME, "today"),
                Column("why"),
                Column("policy_hash", heading="policy"),
            ),
            rows,
        ),
    )


def _recorded(connection: Connection, since: datetime | None) -> Sequence[Recorded]:
    try:
        rows: list[tuple[Any, ...]] = connection.execute(
            """
            select
                decided_at, experiment_id, candidate_group, candidate_version,
                policy_hash, policy, verdict, load_id, numbers
            from raw_evals.gate_decisions
            where %(since)s::timestamptz is null or decided_at >= %(since)s
            order by decided_at, decision_id
            """,
            {"since": since},
        ).fetchall()
    except psycopg.Error as error:
        raise WarehouseUnavailable(f"the ledger of decisions cannot be read: {error}") from error
    return [Recorded(*row) for row in rows]


def _agent(recorded: Recorded) -> str | None:
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


def _judge(recorded: Recorded, candidate: Candidate | None) -> Decision | str:
    """Return today's decision, or why there is none."""
    if candidate is None:
        return "the marts no longer have this candidate"
    try:
        policy = parse_policy(recorded.policy, "the recorded policy")
    except ConfigurationError as error:
        return str(error)
    return decide(policy, candidate)


def _why(recorded: Recorded, today: Decision) -> str:
    """Return what moved since, and the reasons of today."""
    try:
        before: Candidate | None = msgspec.convert(recorded.numbers, Candidate)
    except msgspec.ValidationError:
        before = None
    moved = _moved(before, today.candidate) if before else None
    reasons = " ".join(reason.sentence for reason in today.reasons)
    return f"{moved}; {reasons}" if moved else reasons


def _moved(before: Candidate, after: Candidate) -> str | None:
    """Return how the pairs and the difference of the primary metric moved."""
    then, now = (
        next(
            (row for row in candidate.metrics if row.metric == candidate.summary.primary_metric),
            None,
        )
        for candidate in (before, after)
    )
    if then is None or now is None:
        return None
    differences = (
        f" ({then.mean_difference:+.4g} → {now.mean_difference:+.4g})"
        if then.mean_difference is not None and now.mean_difference is not None
        else ""
    )
    return f"{now.metric}: {then.n_pairs:,} → {now.n_pairs:,} pairs{differences}"


def _key(candidate: Candidate) -> tuple[str, str, str]:
    summary = candidate.summary
    return summary.experiment_id, summary.candidate_group, summary.candidate_version
