"""Loads: what is stored, versions, options, strictness."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest

import servers
from ingest_support import (
    VOCABULARY,
    line,
    load_file,
    load_records,
    record,
    run_load,
    select,
    stored_runs,
)
from loader.errors import ConfigurationError
from loader.ingest.load import load
from loader.records.checker import Defaults
from loader.warehouse.connection import connect
from memory_source import MemorySource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from loader.sources import SourceRow

SHARED = servers.SHARED_DATA


def test_a_single_result_is_stored_with_every_field(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_bytes(
        line(
            source_run_id="run-1",
            repetition=2,
            recorded_at="2025-01-31T13:45:00.25+02:00",
            model_version="qwen",
            agent_name="feature_dev",
            scores={"own": 0.25},
            measurements={"turns": 3},
            latency_ms=1850.5,
            tokens_used=2450,
            cost_usd=0.00172,
            success=False,
            error_message="no",
            dataset_version="d-1",
            evaluator_versions={"own": "7"},
            baseline_experiment_id="exp-0",
            metadata={"a": [1, {"b": None}]},
        )
    )
    assert load_file(database_url, path).loaded == 1
    [row] = select(
        database_url,
        "select experiment_id, source, source_run_id, run_version, task_id, experiment_group, "
        "extension_version, repetition, recorded_at::text, model_version, agent_name, scores, "
        "measurements, latency_ms, tokens_used, cost_usd, success, error_message, "
        "dataset_version, evaluator_versions, feedback, baseline_experiment_id, metadata, "
        "loaded_at <= clock_timestamp() from raw_evals.evaluation_runs",
    )
    assert row == (
        *("exp-1", "file", "run-1", 1, "t-1", "baseline", "1.0.0", 2),
        *("2025-01-31 11:45:00.25+00", "qwen", "feature_dev", {"own": 0.25}, {"turns": 3}),
        *(1850.5, 2450, 0.00172, False, "no", "d-1", {"own": "7"}, [], "exp-0"),
        *({"a": [1, {"b": None}]}, True),
    )
    [ledger] = select(
        database_url,
        "select source, source_ref, experiment_id, started_at <= finished_at from raw_evals.loads",
    )
    assert ledger == ("file", {"files": [str(path)]}, "exp-1", True)
    links = select(
        database_url, "select experiment_id, baseline_experiment_id from raw_evals.load_experiments"
    )
    assert links == [("exp-1", "exp-0")]


def test_what_a_record_lacks_gets_its_default(database_url: str) -> None:
    assert load_records(database_url, [record()]).loaded == 1
    [row] = select(
        database_url,
        "select source_run_id, repetition, recorded_at, model_version, agent_name, scores, "
        "latency_ms, tokens_used, cost_usd, success, metadata from raw_evals.evaluation_runs",
    )
    run_id = '["t-1","baseline","1.0.0",1]'
    assert row == (run_id, None, None, "unknown", None, {}, None, None, None, None, {})


def test_loading_twice_changes_nothing(database_url: str) -> None:
    records = [record(task_id=f"t{number}", accuracy=0.5) for number in range(50)]
    first = load_records(database_url, records)
    second = load_records(database_url, records)
    assert (first.loaded, second.loaded, second.unchanged) == (50, 0, 50)
    assert select(database_url, "select count(*) from raw_evals.load_experiments") == [(1,)]


def test_a_changed_record_updates_instead_of_duplicating(database_url: str) -> None:
    load_records(database_url, [record(accuracy=0.5)])
    assert load_records(database_url, [record(accuracy=0.6)]).loaded == 1
    rows = select(
        database_url,
        "select run_version, scores from raw_evals.evaluation_runs order by run_version",
    )
    assert rows == [(1, {"accuracy": 0.5}), (2, {"accuracy": 0.6})]


def test_what_was_unsaid_and_is_said_now_is_another_content(database_url: str) -> None:
    unsaid, well, badly = record(), record(success=True), record(success=False)
    records = [unsaid, well, unsaid, badly, badly, unsaid, unsaid]
    assert [load_records(database_url, [one]).loaded for one in records] == [1, 1, 1, 1, 0, 1, 0]
    said = select(
        database_url, "select success from raw_evals.evaluation_runs order by run_version"
    )
    assert said == [(None,), (True,), (None,), (False,), (None,)]
    assert load_records(database_url, [record(error_message="timed out")]).loaded == 1
    assert load_records(
        database_url, [record(error_message="timed out", success=False)]
    ).unchanged == 1  # fmt: skip


def test_what_was_loaded_as_true_for_want_of_a_word_is_not_loaded_again(
    database_url: str, tmp_path: Path
) -> None:
    """Until schema version 3 a record that did not say success was stored as true."""
    said = [record(task_id=f"t{number}", accuracy=0.5, success=True) for number in range(6000)]
    unsaid = [record(task_id=f"t{number}", accuracy=0.5) for number in range(6000)]
    load_records(database_url, said)
    with connect(database_url) as connection:
        connection.execute("update raw_evals.schema_version set applied_at = clock_timestamp()")
        connection.commit()
    path = tmp_path / "unsaid.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in unsaid))
    summary = load_file(database_url, path)
    assert (summary.loaded, summary.unchanged) == (0, 6000)
    assert load_records(database_url, said).loaded == 0
    # a record that changed is another content, and going back from it too
    changed = record(task_id="t0", accuracy=0.6)
    counts = [load_records(database_url, [one]).loaded for one in (changed, unsaid[0], unsaid[0])]
    assert counts == [1, 1, 0]
    versions = select(
        database_url,
        "select success from raw_evals.evaluation_runs where task_id = 't0' order by run_version",
    )
    assert versions == [(True,), (None,), (None,)]
    # one that failed with an error and said no more is corrected, once
    failed = record(task_id="t1", accuracy=0.5, error_message="timed out")
    assert [load_records(database_url, [failed]).loaded for _ in range(2)] == [1, 0]


def test_the_same_content_in_another_form_is_the_same_run(
    database_url: str, tmp_path: Path
) -> None:
    load_records(
        database_url,
        [record(recorded_at="2025-01-31T13:45:00Z", scores={"own": 1}, tokens_used=5.0)],
    )
    path = tmp_path / "a.csv"
    path.write_text(
        "tokens_used,scores.own,task_id,experiment_id,experiment_group,extension_version,"
        "recorded_at\n5,true,t-1,exp-1,baseline,1.0.0,2025-01-31 14:45:00+01:00\n"
    )
    assert load_file(database_url, path).unchanged == 1


def test_a_score_may_return_to_what_it_was(database_url: str) -> None:
    a, b = (record(source_run_id="run", accuracy=value) for value in (0.1, 0.2))
    counts = [load_records(database_url, records).loaded for records in ([a], [b], [a], [a])]
    assert counts == [1, 1, 1, 0]
    assert load_records(database_url, [a, b, a]).loaded == 0
    assert load_records(database_url, [a, b]).loaded == 1
    assert load_records(database_url, [a, b]).loaded == 0
    assert [row[2] for row in stored_runs(database_url)] == [1, 2, 3, 4]


def test_options_fill_what_records_lack(database_url: str) -> None:
    defaults = Defaults(
        experiment_id="e",
        experiment_group="code-chef",
        extension_version="2",
        agent_name="a",
        model_version="m",
        baseline_experiment_id="b",
        dataset_version="d",
    )
    summary = load_records(
        database_url, [{"task_id": "t"}, {"task_id": "u", "agent_name": "a"}], defaults=defaults
    )
    assert summary.loaded == 2
    rows = select(
        database_url,
        "select distinct experiment_id, experiment_group, extension_version, agent_name, "
        "model_version, baseline_experiment_id, dataset_version from raw_evals.evaluation_runs",
    )
    assert rows == [("e", "code-chef", "2", "a", "m", "b", "d")]


@pytest.mark.parametrize(
    "field",
    [
        "experiment_id",
        "experiment_group",
        "extension_version",
        "agent_name",
        "model_version",
        "baseline_experiment_id",
        "dataset_version",
    ],
)
def test_a_record_that_contradicts_an_option_is_refused(database_url: str, field: str) -> None:
    groups = {"experiment_group": ("baseline", "code-chef")}
    said, option = groups.get(field, ("this", "that"))
    summary = load_records(
        database_url, [record(**{field: said})], defaults=Defaults(**{field: option})
    )
    assert [reason.reason_code for reason in summary.reasons] == ["contradicts_option"]
    assert field in summary.reasons[0].example


def test_an_option_that_is_no_valid_field_is_an_error(database_url: str) -> None:
    with pytest.raises(ConfigurationError, match="513"):
        load_records(database_url, [record()], defaults=Defaults(experiment_id="e" * 513))


def test_a_strict_load_takes_all_or_nothing_and_keeps_the_rejected(database_url: str) -> None:
    records = [record(task_id="a"), record(task_id="b", accuracy="7"), record(task_id="c")]
    summary = load_records(database_url, records, strict=True)
    assert summary.is_refused
    assert (summary.loaded, summary.rejected) == (0, 3)
    rows = select(
        database_url,
        "select row_number, reason_code from raw_evals.rejected_rows order by row_number",
    )
    assert rows == [(1, "withheld"), (2, "wrong_type"), (3, "withheld")]
    sound = load_records(database_url, [records[0], records[2]], strict=True)
    assert (sound.loaded, sound.is_refused) == (2, False)


def test_a_dry_run_says_what_would_be_and_writes_nothing(database_url: str) -> None:
    load_records(database_url, [record(task_id="a")])
    records = [record(task_id="a"), record(task_id="b"), record(task_id="c", success=3)]
    summary = load_records(database_url, records, dry_run=True)
    assert summary.load_id is None
    assert (summary.loaded, summary.unchanged, summary.rejected) == (1, 1, 1)
    counts = select(
        database_url,
        "select (select count(*) from raw_evals.loads), "
        "(select count(*) from raw_evals.evaluation_runs), "
        "(select count(*) from raw_evals.rejected_rows)",
    )
    assert counts == [(1, 1, 0)]


def test_a_load_of_nothing_writes_nothing(database_url: str) -> None:
    summary = load_records(database_url, [])
    assert (summary.read, summary.load_id, summary.has_nothing) == (0, None, True)
    assert select(database_url, "select * from raw_evals.loads") == []


def test_feedback_is_taken_only_from_who_may_give_it(database_url: str) -> None:
    records = [record(feedback=[{"key": "a", "score": None}])]
    assert load_records(database_url, records).rejected == 1
    assert load_records(database_url, records, accept_feedback=True).loaded == 1
    rows = select(database_url, "select feedback from raw_evals.evaluation_runs")
    assert rows == [([{"key": "a", "score": None}],)]


def test_the_reference_is_asked_for_after_the_last_row(database_url: str) -> None:
    class Counting(MemorySource):
        def rows(self) -> Iterator[SourceRow]:
            yield from super().rows()
            self.seen = True

        def reference(self) -> Mapping[str, object]:
            return {"seen": self.seen}

    run_load(database_url, Counting([record()], name="counting"))
    rows = select(database_url, "select source, source_ref from raw_evals.loads")
    assert rows == [("counting", {"seen": True})]


def test_a_source_that_fails_leaves_nothing(database_url: str) -> None:
    def records() -> Iterator[dict[str, object]]:
        yield record()
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        load_records(database_url, records())
    assert select(database_url, "select * from raw_evals.loads") == []


def test_a_load_needs_no_more_than_the_loader_s_role(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("set role evals_loader")
        connection.commit()
        for value in (0.5, 0.6):
            records = [record(task_id=f"t{number}", accuracy=value) for number in range(30)]
            source = MemorySource([*records, {"task_id": "bad"}])
            summary = load(connection, source, VOCABULARY)
            assert (summary.loaded, summary.rejected) == (30, 1)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from raw_evals.evaluation_runs")
        connection.rollback()


def test_a_database_without_the_raw_schema_says_what_to_do(empty_database_url: str) -> None:
    with (
        connect(empty_database_url) as connection,
        pytest.raises(ConfigurationError, match="evalmart init"),
    ):
        load(connection, MemorySource([record()]), VOCABULARY)


@pytest.mark.parametrize("path", sorted(SHARED.glob("*.jsonl")), ids=lambda path: path.name)
def test_real_results_load_whole_and_once(database_url: str, path: Path) -> None:
    count = len(path.read_bytes().splitlines())
    first, second = load_file(database_url, path), load_file(database_url, path)
    assert (first.loaded, first.rejected) == (count, 0)
    assert (second.loaded, second.unchanged) == (0, count)
