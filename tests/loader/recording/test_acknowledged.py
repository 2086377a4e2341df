"""What `record` took and `flush` acknowledged is loaded: one checker, no rejected row."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from extreme_records import Extremes
from ingest_support import select
from loader import Recorder
from loader.errors import ConfigurationError, InvalidRecord
from loader.recording.spool import replay, target_name
from loader.records.bounds import DEEPEST
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary
from recorders import ARM, NOWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.newest_server


def nested(depth: int) -> dict[str, Any]:
    """Make objects inside each other."""
    inner: dict[str, Any] = {}
    for _ in range(depth - 1):
        inner = {"a": inner}
    return inner


def endless() -> dict[str, Any]:
    """Make an object that holds itself."""
    inner: dict[str, Any] = {}
    inner["a"] = [inner]
    return inner


ODD: list[dict[str, Any]] = [
    *({"metadata": nested(depth)} for depth in (*range(290, 310), 490, *range(980, 1000), 5000)),
    *({"inputs": nested(depth)} for depth in (299, 300, 985, 990)),
    {"metadata": endless()}, {"outputs": endless()}, {"metrics": {"a": nested(2000)}},
    {"metadata": {1: "a", "1": "b"}}, {"metadata": {"a": {1: "a", "1": "b"}}},
    *({"metadata": {"a": "x" * size}} for size in range(4_193_900, 4_194_400, 50)),
    {"metadata": {"a": "é" * 2_097_000}}, {"metadata": {"a": '"' * 2_097_040}},
    {"metadata": {"a": "\x01" * 699_000}}, {"metadata": {"a": 10**30}}, {"metadata": {"a": 2**64}},
    {"metadata": {"a": np.zeros(3)}}, {"metadata": {"a": {1, 2}}}, {"metadata": {"a": b"bytes"}},
    {"metadata": {"a": object()}}, {"metadata": {"a": dt.date(2026, 1, 1)}},
    {"metadata": {"a\0": 1}}, {"metadata": {"a": "\ud800"}}, {"metadata": {"a": Decimal("1e400")}},
    {"metadata": [1]}, {"metadata": {"": ""}}, {"metadata": {"a": float("inf")}},
    {"evaluator_versions": {"": "1"}}, {"evaluator_versions": {"a": ""}},
    {"evaluator_versions": {"k" * 129: "1"}}, {"evaluator_versions": {"é" * 65: "1"}},
    {"evaluator_versions": {"a": "v" * 100_000}}, {"evaluator_versions": {"a": None}},
    {"accuracy": np.array([0.5, 0.7])}, {"accuracy": np.array([0.5])}, {"accuracy": None},
    {"accuracy": np.float64(0.5)}, {"scores": {"own": np.array([1])}}, {"scores": {3: 0.5}},
    {"scores": {"own": 7}}, {"scores": {"own": 1e308}}, {"scores": {"own": 1e30}},
    {"scores": {"own": None}, "score_scales": {"own": [0, 1e31]}}, {"scores": {" ": 0.5}},
    {"measurements": {"turns": 1e30}}, {"measurements": {"turns": -2e30}},
    {"measurements": {"own": 1}, "scores": {"own": 0.5}}, {"measurements": {"accuracy": 1}},
    {"labels": {"a": " "}}, {"labels": {"a": "🦊" * 256}}, {"labels": {"a": "x" * 257}},
    {"comments": {"a": "\ud800"}}, {"comments": {"": "x"}}, {"trace_url": "é" * 1025},
    {"set_aside": {"a": 1}}, {"is_id_derived": True}, {"feedback": [{"key": "k"}]},
    {"source_run_id": "é" * 513}, {"source_run_id": " "}, {"source_run_id": "\0"},
    {"model_version": "é" * 129}, {"baseline_experiment_id": "x" * 513}, {"dataset_version": ""},
    {"latency_ms": -0.0}, {"latency_ms": 1e12}, {"latency_ms": 1.1e12}, {"latency_ms": 10**400},
    {"tokens_used": 10**12}, {"tokens_used": 2**64}, {"tokens_used": 3.0}, {"tokens_used": True},
    {"cost_usd": Decimal("0.1")}, {"cost_usd": Decimal("1e400")}, {"cost_usd": 1e-320},
    {"repetition": 10**9}, {"repetition": 10**9 + 1}, {"repetition": np.int64(3)},
    {"recorded_at": "1969-12-31T23:59:59Z"}, {"recorded_at": "2199-12-31T23:59:59.999999Z"},
    {"recorded_at": dt.datetime(9999, 12, 31)},  # noqa: DTZ001  as code gives it
    {"error_message": "\x1b[31m"}, {"error_message": "a\0"}, {"success": "yes"},
]  # fmt: skip


@pytest.fixture
def recorder(database_url: str) -> Iterator[Recorder]:
    """Give a recorder of one arm."""
    with Recorder(**ARM, database_url=database_url) as opened:
        yield opened


def taken(recorder: Recorder, given: list[dict[str, Any]]) -> list[str]:
    """Record all, and return the ids of those that were taken."""
    ids = []
    for place, fields in enumerate(given):
        try:
            ids.append(recorder.record(**{"task_id": f"t{place}", **fields}))
        except InvalidRecord:
            continue
    recorder.flush()
    return ids


def kept(url: str) -> list[str]:
    """Return the ids of the runs that are there; nothing was rejected."""
    assert select(url, "select reason, left(payload, 200) from raw_evals.rejected_rows") == []
    found = select(url, "select distinct source_run_id from raw_evals.evaluation_runs")
    return sorted(run_id for (run_id,) in found)


def test_every_odd_record_is_refused_at_once_or_is_loaded(
    recorder: Recorder, database_url: str
) -> None:
    ids = taken(recorder, ODD)
    assert 30 < len(ids) < len(ODD) - 30
    assert kept(database_url) == sorted(ids)
    assert recorder.loaded_count == len(ids)


def test_every_extreme_record_is_refused_at_once_or_is_loaded(database_url: str) -> None:
    extremes = Extremes(random.Random(9), 2)  # noqa: S311  the same records every time
    with Recorder(database_url=database_url) as recorder:
        given = [extremes.record(run) for run in range(400)]
        names = dict.fromkeys(("latency_ms", "tokens_used", "cost_usd", "scores", "measurements"))
        ids = taken(recorder, [*given, *({**one, **names, "accuracy": 1} for one in given)])
    assert len(ids) > 400
    assert kept(database_url) == sorted(set(ids))


def test_what_nests_deeply_is_refused_by_its_field() -> None:
    with Recorder(**ARM, database_url=NOWHERE) as recorder:
        for fields in ({"metadata": nested(DEEPEST)}, {"outputs": endless()}):
            with pytest.raises(InvalidRecord, match="flatten") as refused:
                recorder.record(task_id="t", **fields)  # type: ignore[arg-type]
            assert refused.value.field == next(iter(fields))


@pytest.mark.parametrize("source", ["", " ", "x" * 257, "a\0b"])
def test_a_source_that_no_run_can_have_is_refused_at_once(source: str) -> None:
    with pytest.raises(ConfigurationError, match="source"):
        Recorder(**ARM, database_url=NOWHERE, source=source)


def test_what_waits_in_the_spool_is_loaded_by_whoever_knows_other_names(database_url: str) -> None:
    """The command that finds the files may run in the folder of another team."""
    with Recorder(**ARM, database_url=NOWHERE) as recorder:
        for record in ({"measurements": {"turns": 3}}, {"scores": {"one": 0.2, "other": 0.4}}):
            recorder.record(task_id="t", **record)  # type: ignore[arg-type]
        recorder.flush(timeout=0.1)
        assert recorder.spooled_count == 2
    known = read_vocabulary()
    scale = known.scales["accuracy"]
    other = replace(
        known,
        groups=frozenset({"somebody"}),
        reserved=frozenset({"turns"}),
        scales={"one": scale, "other": scale},
    )
    with connect(database_url) as connection:
        replay(connection, other, target_name(NOWHERE))
    assert len(kept(database_url)) == 2
