"""The ledger that the gate appends its verdicts to, and what it knows of the loads.

Every verdict asked for is kept in `raw_evals.gate_decisions`, which refuses updates and
deletes: looking again until it is green leaves a trace. The gate needs no right there but to
append; what else it can read of the raw schema, it tells.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from ..errors import ConfigurationError, WarehouseUnavailable
from ..marts.reading import reading
from ..tools.version import __version__
from ..warehouse.grants import current_role, may_read, remedy
from ..warehouse.migrate import require_current
from ..warehouse.seeds import seed_path, seed_text
from ..warehouse.variables import project_variables
from .verdict import RULE_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ..warehouse.connection import Connection
    from .decision import Decision

# What the rule goes by, in `dbt_project.yml` and the seeds.
_SETTINGS: Final = (
    "primary_metric", "alpha", "kept_level", "default_score_margin", "default_ratio_margin",
    "minimum_tasks", "minimum_clusters", "minimum_coverage", "harm_level", "gain_level",
    "minimum_gain", "peeking", "planned_tasks", "planned_repetitions", "pass_k", "pass_metric",
)  # fmt: skip
_SEEDS: Final = ("metrics", "evaluator_metrics", "experiment_groups")


class Looks(NamedTuple):
    """How often a candidate was looked at, this time included."""

    looks: int
    states: int
    """Different states of the data that were looked at."""
    first_at: datetime


class Alarm(NamedTuple):
    """An arm and metric in which `calibrate` found more differences than there may be."""

    experiment_group: str
    extension_version: str
    metric: str
    alpha: float
    rate: float
    rate_low: float
    rate_high: float
    comparisons: int


def is_readable(connection: Connection) -> bool:
    """Whether this role may read what was decided, and not only append to it."""
    return may_read(connection, "gate_decisions")


def require_ledger(connection: Connection) -> None:
    """Check that this role may append to the ledger, and that it is the one written here.

    Raises:
        ConfigurationError: the raw schema is missing, older or newer; says what to run.
        WarehouseUnavailable: a right is missing; says which statement grants it.
    """
    if may_read(connection, "schema_version"):
        require_current(connection)
    row = connection.execute(
        """
        select
            has_schema_privilege(class.relnamespace, 'usage'),
            has_any_column_privilege(class.oid, 'insert'),
            exists (
                select from pg_attribute
                where attrelid = class.oid and attname = 'rule_version' and not attisdropped
            )
        from pg_class as class
        inner join pg_namespace as namespace on class.relnamespace = namespace.oid
        where namespace.nspname = 'raw_evals' and class.relname = 'gate_decisions'
        """
    ).fetchone()
    if row is None:
        raise ConfigurationError("the schema raw_evals does not exist; run: evalmart init")
    may_use, may_append, is_current = row
    if not is_current:
        raise ConfigurationError("raw_evals is of an earlier version; run: evalmart init")
    if may_use and may_append:
        return
    role = current_role(connection)
    raise WarehouseUnavailable(
        f"every verdict is recorded, and {role} may not append to raw_evals.gate_decisions; "
        + remedy(f"grant evals_gate to {role}")
    )


def record(connection: Connection, decision: Decision, load_id: int) -> Looks | None:
    """Append a decision to the ledger; return how often the candidate was looked at. Commits.

    Returns:
        None where this role may append and not read.

    Raises:
        WarehouseUnavailable: the server fails, or this role may not append.
    """
    candidate = decision.candidate
    summary = candidate.summary
    key = (
        summary.experiment_id, summary.candidate_group, summary.candidate_version, candidate.agent,
    )  # fmt: skip
    row: Any = None
    try:
        with connection.transaction():
            connection.execute(
                """
                insert into raw_evals.gate_decisions (
                    experiment_id, candidate_group, candidate_version, agent_name, policy_hash,
                    verdict, loader_version, load_id, exit_code, policy, reasons, numbers,
                    rule_version, settings_hash
                )
                values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                """,
                (
                    *key,
                    decision.policy.hash(),
                    decision.verdict.value,
                    __version__,
                    load_id,
                    decision.exit_code,
                    Jsonb(decision.policy.canonical()),
                    Jsonb(msgspec.to_builtins(decision.reasons)),
                    Jsonb(msgspec.to_builtins(decision.candidate)),
                    RULE_VERSION,
                    settings_hash(),
                ),
            )
            if may_read(connection, "gate_decisions"):
                row = connection.execute(
                    """
                    select count(*), count(distinct load_id), min(decided_at)
                    from raw_evals.gate_decisions
                    where
                        (experiment_id, candidate_group, candidate_version) = (%s, %s, %s)
                        and agent_name is not distinct from %s
                    """,
                    key,
                ).fetchone()
        connection.commit()
    except psycopg.Error as error:
        raise WarehouseUnavailable(f"the verdict could not be recorded: {error}") from error
    return None if row is None else Looks(*row)


def settings_hash() -> str:
    """Return a hash of the seeds and the vars that the rule goes by, as the project has them."""
    variables = project_variables()
    digest = hashlib.sha256(
        json.dumps({name: variables.get(name) for name in _SETTINGS}, sort_keys=True).encode()
    )
    for name in _SEEDS:
        text = seed_text(name) if seed_path(name).is_file() else ""
        digest.update(f"\0{name}.csv\0{text}".replace("\r\n", "\n").encode())
    return digest.hexdigest()


def alarms(connection: Connection, experiments: Sequence[str]) -> list[Alarm]:
    """Return where the last calibration of each experiment found too many differences."""
    with reading(connection):
        if not may_read(connection, "gate_calibrations"):
            return []
        rows: list[Any] = connection.execute(
            """
            select
                experiment_group, extension_version, metric, alpha, rate,
                rate_low, rate_high, comparisons
            from raw_evals.gate_calibrations
            where
                calibration_id in (
                    select distinct on (experiment_id) calibration_id
                    from raw_evals.gate_calibrations
                    where experiment_id = any(%s)
                    order by experiment_id, calibrated_at desc, calibration_id
                )
                and rate_low > alpha
            order by experiment_group, extension_version, metric
            """,
            (list(experiments),),
        ).fetchall()
    return [Alarm(*row) for row in rows]
