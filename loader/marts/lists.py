"""The lists that pages show: what each is read by, its columns, and what tells its rows apart."""

from __future__ import annotations

from typing import Final

from ..tools.tables import Kind
from .listing import Field, Listing

EXPERIMENTS: Final = Listing(
    "listed_experiments",
    (
        Field("experiment_id"), Field("candidate_group"), Field("candidate_version"),
        Field("baseline_experiment_id"), Field("agent_name"), Field("primary_metric"),
        Field("recommendation", Kind.OUTCOME), Field("headline"),
        Field("total_tasks", Kind.INTEGER), Field("candidate_wins", Kind.INTEGER),
        Field("baseline_wins", Kind.INTEGER), Field("ties", Kind.INTEGER),
        Field("improvement_pct", Kind.NUMBER), Field("improvement_low_pct", Kind.NUMBER),
        Field("improvement_high_pct", Kind.NUMBER), Field("last_recorded_at", Kind.TIMESTAMP),
    ),
    ("experiment_id", "candidate_group", "candidate_version"),
)  # fmt: skip
TASKS: Final = Listing(
    "listed_tasks",
    (
        Field("task_id"), Field("agent_name"), Field("winner", Kind.OUTCOME),
        Field("flip"), Field("not_comparable_reason"),
        Field("baseline_primary_value", Kind.NUMBER),
        Field("candidate_primary_value", Kind.NUMBER), Field("primary_difference", Kind.NUMBER),
        Field("baseline_latency_ms", Kind.MILLISECONDS),
        Field("candidate_latency_ms", Kind.MILLISECONDS),
        Field("latency_difference_ms", Kind.MILLISECONDS),
        Field("baseline_cost_usd", Kind.USD), Field("candidate_cost_usd", Kind.USD),
        Field("cost_difference_usd", Kind.USD), Field("baseline_success", Kind.BOOLEAN),
        Field("candidate_success", Kind.BOOLEAN),
    ),
    ("task_id",),
)  # fmt: skip
AGENTS: Final = Listing(
    "listed_agents",
    (
        Field("agent_name"), Field("latest_version"), Field("versions", Kind.INTEGER),
        Field("metrics", Kind.INTEGER), Field("open_alerts", Kind.INTEGER),
        Field("last_recorded_at", Kind.TIMESTAMP),
    ),
    ("agent_name",),
)  # fmt: skip
ALERTS: Final = Listing(
    "listed_alerts",
    (
        Field("agent_name"), Field("metric"), Field("experiment_group"), Field("model_version"),
        Field("severity"), Field("cause"), Field("began_version"), Field("found_version"),
        Field("ended_version"), Field("end_reason"), Field("shared_task_count", Kind.INTEGER),
        Field("level_before", Kind.NUMBER), Field("level_found", Kind.NUMBER),
        Field("change_pct", Kind.PERCENT), Field("is_open", Kind.BOOLEAN),
        Field("began_at", Kind.TIMESTAMP), Field("found_at", Kind.TIMESTAMP),
        Field("ended_at", Kind.TIMESTAMP),
    ),
    ("agent_name", "experiment_group", "model_version", "metric", "began_version", "cause"),
)  # fmt: skip
LOADS: Final = Listing(
    "listed_loads",
    (
        Field("load_id", Kind.INTEGER), Field("experiment_id"), Field("source"),
        Field("loader_version"), Field("rows_read", Kind.INTEGER),
        Field("rows_loaded", Kind.INTEGER), Field("rows_unchanged", Kind.INTEGER),
        Field("rows_rejected", Kind.INTEGER), Field("values_set_aside", Kind.INTEGER),
        Field("top_reject_reason_code"), Field("started_at", Kind.TIMESTAMP),
        Field("finished_at", Kind.TIMESTAMP),
    ),
    ("load",),
)  # fmt: skip
DECISIONS: Final = Listing(
    "listed_decisions",
    (
        Field("decision_id"), Field("experiment_id"), Field("candidate_group"),
        Field("candidate_version"), Field("agent_name"), Field("verdict"),
        Field("previous_verdict"), Field("look_number", Kind.INTEGER),
        Field("looks", Kind.INTEGER), Field("state_number", Kind.INTEGER),
        Field("states", Kind.INTEGER), Field("exit_code", Kind.INTEGER),
        Field("rule_version", Kind.INTEGER), Field("load_id", Kind.INTEGER),
        Field("policy_hash"), Field("is_peeking", Kind.BOOLEAN),
        Field("decided_at", Kind.TIMESTAMP),
    ),
    ("decision_id",),
)  # fmt: skip
BOTH: Final = Listing(
    "listed_both",
    (
        Field("task_id"), Field("one_value", Kind.NUMBER), Field("two_value", Kind.NUMBER),
        Field("difference", Kind.NUMBER),
    ),
    ("task_id",),
)  # fmt: skip
