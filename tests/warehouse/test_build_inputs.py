"""A change of a seed builds anew what reads it, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest

from loader.warehouse.connection import connect
from loader.warehouse.migrate import migrate
from raw_rows import RawRows
from servers import fresh_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

Connection = psycopg.Connection[Any]
EXPERIMENTS = ["first", "second"]
COMPARISONS = {
    "int_results_paired", "int_metric_pairs", "int_metric_pair_moments",
    "int_metric_comparison_estimates", "int_composite_improvements", "int_metric_evidence",
    "int_experiment_verdicts", "evaluation_comparison_view", "experiment_metric_comparisons",
    "experiment_segment_comparisons", "experiment_segment_verdicts", "experiment_summaries",
    "experiment_task_comparisons",
}  # fmt: skip
ALL_BUT_TRIALS = COMPARISONS | {
    "evaluation_scores", "evaluation_results", "arm_summaries",
    "int_daily_rollups", "int_agent_daily_rollups", "int_version_outcomes",
}  # fmt: skip


class Change(NamedTuple):
    """An edit of a seed, what is made of it, and what a mart says of it before and after."""

    edit: str
    readers: set[str]
    asked: str
    before: str
    after: str


# An edited margin costs no pass over tasks, an edited tie no pass over values.
OF_MARGINS = COMPARISONS - {
    "int_results_paired", "int_metric_pairs", "int_metric_pair_moments",
    "evaluation_comparison_view", "experiment_task_comparisons",
}  # fmt: skip
OF_TIES = OF_MARGINS | {"int_metric_pair_moments", "evaluation_comparison_view"}
OF_DIRECTIONS = COMPARISONS - {"int_results_paired"}

CHANGES = {
    "evaluator_metrics": Change(
        "insert into evals_staging.evaluator_metrics (evaluator_key, metric, scale_min, scale_max)"
        " values ('style_v2', 'style', 0, 1)",
        ALL_BUT_TRIALS | {"set_aside_scores"},
        "select max(metric) from evals.experiment_metric_comparisons where metric ~ 'style'",
        "style_v2",
        "style",
    ),
    "experiment_groups": Change(
        "insert into evals_staging.experiment_groups (experiment_group, role)"
        " values ('shadow', 'treatment')",
        COMPARISONS,
        "select max(candidate_group) from evals.experiment_summaries",
        "code-chef",
        "shadow",
    ),
    "metrics": Change(
        "insert into evals_staging.metrics"
        " (metric, position, kind, direction, weight, tie_margin, non_inferiority_margin)"
        " values ('tone', 90, 'score', 'higher', 0, 0, 0.05)",
        ALL_BUT_TRIALS,
        "select max(role) from evals.experiment_metric_comparisons where metric = 'tone'",
        "tripwire",
        "guardrail",
    ),
    "a margin": Change(
        "update evals_staging.metrics set non_inferiority_margin = 0.07 where metric = 'accuracy'",
        OF_MARGINS,
        "select max(improvement_margin)::text from evals.experiment_metric_comparisons"
        " where metric = 'accuracy'",
        "0.05",
        "0.07",
    ),
    "a weight": Change(
        "update evals_staging.metrics set weight = 0.5 where metric = 'accuracy'",
        OF_MARGINS,
        "select max(weight)::text from evals.experiment_metric_comparisons"
        " where metric = 'accuracy'",
        "0.3",
        "0.5",
    ),
    "a tie": Change(
        "update evals_staging.metrics set tie_margin = 0.01 where metric = 'accuracy'",
        OF_TIES,
        "select min(losses)::text from evals.experiment_metric_comparisons"
        " where metric = 'accuracy'",
        "0",
        "12",
    ),
    "a direction": Change(
        "update evals_staging.metrics set direction = 'lower' where metric = 'accuracy'",
        OF_DIRECTIONS,
        "select min(direction) from evals.experiment_metric_comparisons where metric = 'accuracy'",
        "higher",
        "lower",
    ),
    "a description": Change(
        "update evals_staging.metrics set description = 'in other words'",
        set(),
        "select max(direction) from evals.experiment_metric_comparisons where metric = 'accuracy'",
        "lower",
        "lower",
    ),
    "quarantine": Change(
        "insert into evals_staging.quarantine (agent_name, task_id, reason)"
        " values ('*', 't3', 'times out')",
        COMPARISONS,
        "select max(quarantined_tasks)::text from evals.experiment_summaries",
        "0",
        "1",
    ),
}


class Built(NamedTuple):
    """What the ledger says of the last build of a model."""

    built_load_id: int
    from_load_id: int
    settings_hash: str
    replaced: list[str]
    """Experiments."""


@pytest.fixture(scope="module")
def warehouse_url(postgres_server: str, dbt: Dbt) -> Iterator[str]:
    """Give a warehouse whose marts are built, with runs of a group that nobody declared."""
    with fresh_database(postgres_server) as url:
        with connect(url) as setup:
            migrate(setup)
        with psycopg.connect(url, autocommit=True) as connection:
            RawRows(connection).load(records())
        dbt.build(url, "--exclude-resource-type", "test")
        yield url


def records() -> Iterator[dict[str, Any]]:
    for experiment in EXPERIMENTS:
        for place, group in enumerate(("baseline", "code-chef", "shadow")):
            for task in range(12):
                yield {
                    "experiment_id": experiment,
                    "task_id": f"t{task}",
                    "experiment_group": group,
                    "extension_version": "1.0.0",
                    "agent_name": "a",
                    "recorded_at": datetime(2026, 1, 1, tzinfo=UTC),
                    "scores": dict.fromkeys(
                        ("accuracy", "style_v2", "tone"), 0.5 + (task - 2 * place) / 100
                    ),
                }


def ledger(connection: Connection) -> dict[str, Built]:
    """Give what the ledger says of every model."""
    rows = connection.execute(
        "select watermarks.model, watermarks.built_load_id, watermarks.from_load_id,"
        " watermarks.settings_hash,"
        " array(select changes.experiment_id from evals_staging.build_changes as changes"
        " where changes.model = watermarks.model"
        " and changes.build_number = watermarks.build_number order by 1)"
        " from evals_staging.build_watermarks as watermarks"
    )
    return {model: Built(*values) for model, *values in rows}


@pytest.mark.parametrize("changed", CHANGES)
def test_a_changed_seed_rebuilds_what_reads_it_and_nothing_else(
    changed: str, warehouse_url: str, dbt: Dbt
) -> None:
    change = CHANGES[changed]
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        before = ledger(connection)
        assert connection.execute(change.asked).fetchone() == (change.before,)
        connection.execute(change.edit)
        dbt.run(warehouse_url, "run")
        after = ledger(connection)
        assert connection.execute(change.asked).fetchone() == (change.after,)
    assert after.keys() == before.keys()
    assert after.keys() > change.readers
    for model, built in after.items():
        assert built.built_load_id == 1
        if model in change.readers:
            assert built.settings_hash != before[model].settings_hash, model
            assert (built.from_load_id, built.replaced) == (0, EXPERIMENTS), model
        else:
            assert built.settings_hash == before[model].settings_hash, model
            assert (built.from_load_id, built.replaced) == (1, []), model


def test_a_table_that_the_ledger_does_not_keep_is_no_input(warehouse_url: str, dbt: Dbt) -> None:
    """It would be read as it was, whatever had changed in it."""

    def ask(name: str) -> tuple[bool, str]:
        node = {"name": "mine", "depends_on": {"nodes": [f"model.evalmart.{name}"]}}
        query = f"{{% if execute %}}{{% do build_inputs({node}) %}}{{% endif %}}"
        done, messages = dbt.attempt(warehouse_url, "compile", "--inline", query)
        return done, "\n".join(messages)

    assert ask("int_trial_values") == (True, "")
    done, message = ask("version_trends")
    assert not done
    assert "mine reads version_trends, whose rows the build ledger does not keep" in message
