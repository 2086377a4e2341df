"""What the ingest tests share: records, loads, and looking at what was stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from loader.ingest.load import load
from loader.records.vocabulary import Scale, Vocabulary
from loader.sources.files import FileSource
from loader.warehouse.connection import connect
from memory_source import MemorySource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from loader.ingest.summary import LoadSummary
    from loader.records.checker import Defaults
    from loader.sources import Source
    from loader.sources.files import Format

VOCABULARY = Vocabulary(
    frozenset({"baseline", "code-chef"}),
    {
        "accuracy": Scale("accuracy", 0, 1),
        "agent_routing_accuracy": Scale("accuracy", 0, 1),
        "judge": Scale("judge", 1, 5),
    },
    frozenset(
        {"accuracy", "completeness", "efficiency", "integration_quality", "latency_ms", "judge"}
    ),
)
RECORD: Mapping[str, object] = {
    "experiment_id": "exp-1",
    "task_id": "t-1",
    "experiment_group": "baseline",
    "extension_version": "1.0.0",
}


def record(**fields: object) -> dict[str, object]:
    """Make a record of the required fields and these."""
    return {**RECORD, **fields}


def line(**fields: object) -> bytes:
    """Make the JSON of `record`."""
    return json.dumps(record(**fields)).encode()


def run_load(database_url: str, source: Source, **options: Any) -> LoadSummary:  # noqa: ANN401
    """Load a source; check that it adds up, here and in the ledger."""
    with connect(database_url) as connection:
        summary = load(connection, source, VOCABULARY, **options)
    assert summary.read == summary.loaded + summary.unchanged + summary.rejected
    assert summary.rejected == sum(reason.count for reason in summary.reasons)
    if summary.load_id is not None:
        [counts] = select(
            database_url,
            "select rows_read, rows_loaded, rows_unchanged, rows_rejected, "
            "(select count(*) from raw_evals.rejected_rows where load_id = loads.load_id)"
            " + rejects_left_out, "
            "(select count(*) from raw_evals.evaluation_runs where load_id = loads.load_id) "
            "from raw_evals.loads where load_id = %s",
            summary.load_id,
        )
        told = (summary.read, summary.loaded, summary.unchanged, summary.rejected)
        assert counts == (*told, summary.rejected, summary.loaded)
    return summary


def load_file(
    database_url: str,
    path: Path,
    format: Format | None = None,  # noqa: A002  the option's name
    defaults: Defaults | None = None,
    **options: Any,  # noqa: ANN401
) -> LoadSummary:
    """Load one file."""
    supplied = defaults.given().keys() if defaults else ()
    source = FileSource([str(path)], format, groups=VOCABULARY.groups, supplied=supplied)
    return run_load(database_url, source, defaults=defaults, **options)


def load_records(
    database_url: str,
    records: Iterable[Mapping[str, object]],
    **options: Any,  # noqa: ANN401
) -> LoadSummary:
    """Load records a test has in hand."""
    return run_load(database_url, MemorySource(records), **options)


def select(database_url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Run a query and return its rows."""
    with connect(database_url) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def stored_runs(database_url: str) -> list[tuple[Any, ...]]:
    """Return every stored version without what differs from load to load."""
    return select(
        database_url,
        "select experiment_id, source_run_id, run_version, content_hash "
        "from raw_evals.evaluation_runs order by 1, 2, 3",
    )
