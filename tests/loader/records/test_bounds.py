"""The bounds of a record are one table: as code, in the raw tables, in macros and for people."""

from __future__ import annotations

import re

import pytest

from loader.records import bounds
from servers import REPOSITORY

DOCS = (REPOSITORY / "docs" / "import.md").read_text(encoding="utf-8")
MIGRATION = (REPOSITORY / "loader" / "warehouse" / "migrations" / "0015_bounds.sql").read_text(
    encoding="utf-8"
)
MACROS = (REPOSITORY / "macros" / "runs" / "bounds.sql").read_text(encoding="utf-8")
ENTRY = 2704
"""Bytes that an index entry of PostgreSQL takes, its own 8 and up to 8 a column included."""


@pytest.mark.parametrize("row", bounds.ROWS, ids=lambda row: row.fields)
def test_the_guide_shows_every_bound(row: bounds.Row) -> None:
    assert f"| {row.fields} | {row.bound} | {row.otherwise} |" in DOCS


def test_the_raw_tables_and_the_macros_have_the_same_numbers() -> None:
    for column, longest in (
        ("experiment_id", bounds.LONGEST_IDENTIFIER),
        ("source_run_id", bounds.LONGEST_RUN_ID),
        ("task_id", bounds.LONGEST_IDENTIFIER),
        ("extension_version", bounds.LONGEST_LABEL),
        ("evaluator_key", bounds.LONGEST_NAME),
    ):
        stated = re.findall(rf"octet_length\({column}\) (?:between 1 and|<=) (\d+)", MIGRATION)
        assert set(map(int, stated)) == {longest}, column
    assert f"latency_ms between 0 and {bounds.LARGEST_LATENCY:g}".replace("+", "") in MIGRATION
    assert "cost_usd between 0 and 1e9" in MIGRATION
    assert bounds.LARGEST_COST == 1e9
    assert f"tokens_used between 0 and {bounds.LARGEST_TOKENS}" in MIGRATION
    assert f"repetition <= {bounds.LARGEST_COUNT}" in MIGRATION
    assert f"strict $.**{{{bounds.DEEPEST}}}" in MIGRATION
    said = {
        name: float(value) for name, value in re.findall(r"largest_(\w+)\(\) -%} (\S+)", MACROS)
    }
    assert said == {
        "number": bounds.LARGEST_NUMBER,
        "latency": bounds.LARGEST_LATENCY,
        "cost": bounds.LARGEST_COST,
        "tokens": bounds.LARGEST_TOKENS,
    }


@pytest.mark.parametrize(
    "texts",
    [
        # raw: the source of a load, and its run
        (bounds.LONGEST_IDENTIFIER, bounds.LONGEST_LABEL, bounds.LONGEST_RUN_ID),
        # int_regression_tasks: agent, group, version, model, metric, task
        (*[bounds.LONGEST_LABEL] * 4, bounds.LONGEST_NAME, bounds.LONGEST_IDENTIFIER),
        # experiment_segment_comparisons: experiment, group, version, kind, segment, metric
        (bounds.LONGEST_IDENTIFIER, *[bounds.LONGEST_LABEL] * 2, 8, 300, bounds.LONGEST_NAME),
        # evaluation_results: experiment, task, group, version
        (*[bounds.LONGEST_IDENTIFIER] * 2, *[bounds.LONGEST_LABEL] * 2),
    ],
)
def test_the_longest_texts_together_fit_an_index_entry(texts: tuple[int, ...]) -> None:
    assert sum(texts) + 8 * len(texts) + 16 <= ENTRY
