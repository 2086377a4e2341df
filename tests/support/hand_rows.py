"""Rows that a person writes into the raw tables by hand: sound ones, and such as break things."""

from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psycopg import Connection

ROWS: Final[Mapping[str, Mapping[str, object]]] = {
    "agent_baselines": {"agent_name": "a", "experiment_id": "e"},
    "annotations": {
        "annotation_id": "nextval('raw_evals.annotation_ids')", "experiment_id": "e",
        "source": "file", "source_run_id": "r", "task_id": "t", "experiment_group": "g",
        "extension_version": "1", "evaluator_key": "k", "author": "eve", "reason": "none",
        "score": 1, "scale_min": 0, "scale_max": 1,
    },
    "arm_plans": {
        "experiment_id": "e", "experiment_group": "g", "extension_version": "1",
        "planned_tasks": 1,
    },
    "contents": {"content_id": "gen_random_uuid()", "content": "{}"},
    "deliveries": {"delivery_id": "gen_random_uuid()"},
    "evaluation_runs": {
        "experiment_id": "e", "source": "file", "source_run_id": "r", "run_version": 1,
        "content_hash": "gen_random_uuid()", "task_id": "t", "experiment_group": "baseline",
        "extension_version": "1", "model_version": "m", "scores": "{}", "measurements": "{}",
        "success": "true", "evaluator_versions": "{}", "feedback": "[]", "metadata": "{}",
    },
    "experiment_group_roles": {"experiment_id": "e", "experiment_group": "g", "role": "control"},
    "load_experiments": {"experiment_id": "e"},
    "loaded_files": {
        "source": "file", "content_hash": "gen_random_uuid()", "byte_count": 1, "origin": "f",
    },
    "loads": {
        "source": "file", "loader_version": "0", "rows_read": 0, "rows_loaded": 0,
        "rows_unchanged": 0, "rows_rejected": 0,
    },
    "rejected_rows": {
        "origin": "o", "row_number": 1, "reason_code": "c", "reason": "r", "payload": "p",
    },
    "score_configs": {"experiment_id": "e", "evaluator_key": "k", "kind": "freeform"},
    "summary_scores": {
        "experiment_id": "e", "experiment_group": "g", "extension_version": "1",
        "feedback_id": "f", "evaluator_key": "k", "author_kind": "person",
    },
    "withdrawals": {"experiment_id": "e", "reason": "none"},
}  # fmt: skip
"""A sound row of every table that a load writes, but for its id."""
GATE_ROWS: Final[Mapping[str, Mapping[str, object]]] = {
    "gate_decisions": {
        "experiment_id": "e", "candidate_group": "g", "candidate_version": "1",
        "policy_hash": "h", "verdict": "pass", "loader_version": "0", "exit_code": 0,
        "policy": "{}", "reasons": "[]", "numbers": "{}",
    },
    "gate_calibrations": {
        "calibration_id": "gen_random_uuid()", "experiment_id": "e", "experiment_group": "g",
        "extension_version": "1", "metric": "m", "loader_version": "0", "seed": 1, "splits": 1,
        "comparisons": 1, "false_alarms": 0, "task_count": 1, "run_count": 1, "alpha": "0.05",
        "rate_low": 0, "rate_high": 1,
    },
}  # fmt: skip
"""Likewise of those of the gate, which name a load that there was."""
DRAW: Final = "select raw_evals.draw_load_id()"


def insert(table: str, load_id: object, **changes: object) -> str:
    """Return the statement that a person writes."""
    return written(table, {"load_id": load_id, **ROWS.get(table, {}), **changes})


def written(table: str, row: Mapping[str, object]) -> str:
    """Return the statement that inserts a row; what looks like a call is one."""
    values = [
        value if isinstance(value, int) or "(" in str(value) or value == "true" else f"'{value}'"
        for value in row.values()
    ]
    return (
        f"insert into raw_evals.{table} ({', '.join(row)}) values ({', '.join(map(str, values))})"
    )


_RANDOM = random.Random(3)  # noqa: S311  a test, not a secret
_NOISE = "".join(_RANDOM.choices(string.ascii_letters + string.digits, k=3000))
_NUMBERS = (
    "'NaN'", "'infinity'", "'-infinity'", "1e308", "-1e308", "5e-324", "-0.0", "1e30", "-1e30",
    "0", "-1",
)  # fmt: skip
_JSON = (
    "null", "[]", "1", '"x"', "{}", '{"accuracy": 1e400}', '{"accuracy": -1e308}',
    '{"accuracy": 1e-400}', '{"accuracy": "x"}', '{"accuracy": [1]}', '{"accuracy": {}}',
    '{"accuracy": null}', '{"accuracy": true}', '{"accuracy": [5, 5]}', '{"accuracy": [1, 0]}',
    '{"accuracy": ["a", "b"]}', '{"": 1}', '{"": "x"}', '{"accuracy": 0.5, "accuracy ": 1e30}',
    '{"scores.accuracy": 1e400}', '{"category": 1e400, "archive": "x"}', '{"category": [[[]]]}',
    f'{{"{_NOISE}": 1}}', f'{{"{_NOISE}": "x"}}', f'{{"category": "{_NOISE}"}}',
    "[" * 900 + "]" * 900, f'{{"category": {"[" * 900 + "]" * 900}}}',
    '{"before": "x", "of_loads": {"x": "y"}, "versions": "z", "planned": 1, "agents": 1}',
    '{"before": "infinity"}', '{"\\u0007": "\\u001b[31m"}', '[{"value": 1e400, "label": null}]',
    '[{"value": "x"}]', "[1, null]", '{"a": {"key": "a", "score": "x", "kind": 7}}',
)  # fmt: skip
EXTREMES: Final[Mapping[str, tuple[str, ...]]] = {
    "text": ("''", "' '", f"'{_NOISE}'", "repeat('x', 1000000)", "E'\\x1b[31m\\u202e'", "null",
             "repeat('é', 128)", "repeat('x', 256)", "repeat('x', 512)"),
    "bigint": ("9223372036854775807", "-9223372036854775808", "0", "-1", "null", "1000000000000"),
    "integer": ("2147483647", "-2147483648", "0", "-1", "null", "1000000000"),
    "double precision": (*_NUMBERS, "null"),
    "boolean": ("null", "false"),
    "timestamp with time zone": (
        "'infinity'", "'-infinity'", "'4713-01-01 BC'", "'294276-12-31'", "null",
        "'1970-01-01 00:00:00+00'", "'2199-12-31 23:59:59.999999+00'",
    ),
    "jsonb": (*(f"'{text}'" for text in _JSON), "null"),
    "uuid": ("'00000000-0000-0000-0000-000000000000'", "null"),
    "text[]": ("'{}'", "'{NULL}'", "'{{a,b},{c,d}}'", "'{r}'", "null"),
    "bytea": ("'\\x00ff'", "null"),
}  # fmt: skip
"""By type: what a check may have forgotten."""


def extreme_rows(
    owner: Connection[Any], rows: Mapping[str, Mapping[str, object]], load_id: object
) -> Iterator[tuple[str, str]]:
    """Yield an experiment and the statement of a row about it, one extreme value each."""
    columns = owner.execute(
        """
        select table_name, column_name, format_type(atttypid, atttypmod)
        from information_schema.columns
        inner join pg_attribute
            on attrelid = format('raw_evals.%%I', table_name)::regclass
            and attname = column_name
        where
            table_schema = 'raw_evals'
            and table_name = any(%s)
            and column_name != 'load_id'
            and not (column_default is not null and data_type like 'timestamp%%')
        order by table_name, ordinal_position
        """,
        [list(rows)],
    ).fetchall()
    number = 0
    for table, column, kind in columns:
        for value in EXTREMES[kind]:
            number += 1
            experiment = f"e-{number}"
            row = dict(rows[table])
            if "experiment_id" in row:
                row["experiment_id"] = experiment
            row.pop(column, None)
            statement = written(table, {"load_id": load_id, **row})
            # as it is written, whatever the other values are
            head, _, tail = statement.partition(") values (")
            yield experiment, f"{head}, {column}) values ({tail[:-1]}, {value})"
