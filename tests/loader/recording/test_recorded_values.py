"""What a recorder takes: numbers, contents and scales as code gives them, and what it refuses."""

from __future__ import annotations

import math
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from loader import Recorder
from loader.errors import InvalidRecord
from loader.recording.spool import waiting
from loader.warehouse.connection import connect
from recorders import ARM, NOWHERE, RUN, blocked

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.newest_server


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "task_id"),
        ({"task_id": "t", "scores": {"accuracy": 1.2}}, "scores.accuracy"),
        ({"task_id": "t", "scores": {"accuracy": math.nan}}, "scores.accuracy"),
        ({"task_id": "t", "latency_ms": math.inf}, "latency_ms"),
        ({"task_id": "t", "metadata": {"x": [np.float32("nan")]}}, "metadata.x"),
        ({"task_id": "t", "cost_usd": "dear"}, "cost_usd"),
        ({"task_id": "t", "experiment_id": "other"}, "experiment_id"),
        ({"task_id": "t", "colour": "red"}, "colour"),
        ({"task_id": "t", "error_message": "a\0b"}, "error_message"),
        ({"task_id": "é" * 300}, "task_id"),
        ({"task_id": "é", "scores": {"accuracy": 1.2}}, "scores.accuracy"),
        ({"task_id": "é", "cost_usd": -1}, "cost_usd"),
        ({"task_id": "t", "repetition": 0}, "repetition"),
    ],
)
def test_a_bad_record_is_refused_at_once_and_named(fields: dict[str, Any], field: str) -> None:
    with Recorder(**ARM, database_url=NOWHERE) as recorder:
        with pytest.raises(InvalidRecord) as refused:
            recorder.record(**fields)
        assert refused.value.field == field
        assert recorder.spooled_count == 0
    assert waiting() == []


def test_numbers_of_numpy_and_decimals_are_numbers(database_url: str) -> None:
    given: list[dict[str, Any]] = [
        {"accuracy": np.float32(0.5), "tokens_used": np.int64(3)},
        {"scores": {"accuracy": np.array(0.5)}, "tokens_used": Decimal(3)},
        {"accuracy": Decimal("0.50"), "tokens_used": Decimal("3.0")},
        {"scores": MappingProxyType({"accuracy": 0.5}), "tokens_used": np.float64(3)},
    ]
    with Recorder(**ARM, database_url=database_url) as recorder:
        for fields in given:
            recorder.record(task_id="t", success=np.bool_(1), metadata={"x": Decimal(2)}, **fields)  # type: ignore[arg-type]
    with connect(database_url) as connection:
        rows = connection.execute(
            "select scores, tokens_used, success, metadata from raw_evals.evaluation_runs"
        ).fetchall()
    assert rows == [({"accuracy": 0.5}, 3, True, {"x": 2})] * 4


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"accuracy": np.array([0.5, 1.0])}, "accuracy"),
        ({"scores": {"accuracy": np.array([0.5])}}, "scores.accuracy"),
        ({"metadata": {"all": [np.zeros((2, 3))]}}, "metadata.all"),
        ({"metrics": {"latency_ms": np.array([1.0, 2.0])}}, "latency_ms"),
        ({"cost_usd": Decimal("NaN")}, "cost_usd"),
        ({"scores": {"accuracy": np.float64("nan")}}, "scores.accuracy"),
    ],
)
def test_arrays_and_what_is_no_number_are_refused_and_named(
    fields: dict[str, Any], field: str
) -> None:
    with Recorder(**ARM, database_url=NOWHERE) as recorder:
        with pytest.raises(InvalidRecord) as refused:
            recorder.record(task_id="t", **fields)
        assert refused.value.field == field
        assert recorder.spooled_count == 0


def test_the_old_trackers_call_is_taken_as_it_was(database_url: str) -> None:
    with Recorder(database_url=database_url) as recorder:
        recorder.record(
            **ARM,
            task_id="t",
            model_version="qwen-coder-32b-v2",
            agent_name="feature_dev",
            scores={"accuracy": 0.92, "completeness": None},
            metrics={"latency_ms": 1850.5, "tokens_used": 2450.0, "cost_usd": None, "retries": 2},
            error_message=None,
            metadata=None,  # type: ignore[arg-type]
        )
    with connect(database_url) as connection:
        row = connection.execute(
            "select latency_ms, tokens_used, cost_usd, measurements, scores, success "
            "from raw_evals.evaluation_runs"
        ).fetchone()
    scores = {"accuracy": 0.92, "completeness": None}
    assert row == (1850.5, 2450, None, {"retries": 2.0}, scores, None)


@pytest.mark.parametrize(
    ("metrics", "field"),
    [
        ([1850.5], "metrics"),
        ({"latency_ms": 3}, "metrics.latency_ms"),
        ({"retries": 3}, "metrics.retries"),
        ({"cost_usd": -1}, "cost_usd"),
        ({"accuracy": 0.5}, "measurements.accuracy"),
    ],
)
def test_metrics_that_contradict_or_are_none_are_refused(metrics: object, field: str) -> None:
    with Recorder(**ARM, database_url=NOWHERE) as recorder:
        with pytest.raises(InvalidRecord) as refused:
            recorder.record(
                task_id="t",
                latency_ms=2,
                measurements={"retries": 2},
                metrics=metrics,  # type: ignore[arg-type]
            )
        assert refused.value.field == field


def test_a_group_that_no_record_can_have_is_refused_with_the_record() -> None:
    with (
        Recorder(
            experiment_id="e",
            experiment_group="nobody",
            extension_version="1",
            database_url=NOWHERE,
        ) as recorder,
        pytest.raises(InvalidRecord) as refused,
    ):
        recorder.record(task_id="t")
    assert refused.value.field == "experiment_group"


def test_inputs_and_outputs_are_kept_only_if_asked_for(database_url: str) -> None:
    given: dict[str, Any] = {
        "inputs": {"prompt": "What is 3 + 4?"},
        "outputs": ["7"],
        "prompt_tokens": 9,
        "cached_tokens": 4,
        "comments": {"accuracy": "exact"},
        "labels": {"tone": "polite"},
        "trace_url": "https://traces.example/1",
    }
    for with_io in (False, True):
        with Recorder(**ARM, database_url=database_url, with_io=with_io) as recorder:
            recorder.record(task_id="t", **RUN, **given)
    away = Recorder(**ARM, database_url=database_url, with_io=True, flush_seconds=60)
    with blocked(database_url):
        away.record(task_id="spooled", inputs={"prompt": "é"}, scores={"accuracy": Decimal(1)})
        away.flush(timeout=0.1)
        assert len(waiting()) == 1
    away.close()
    with connect(database_url) as connection:
        rows = connection.execute(
            "select distinct inputs_id, prompt_tokens, cached_tokens, comments, labels, trace_url "
            "from raw_evals.evaluation_runs where task_id = 't'"
        ).fetchall()
        kept = connection.execute(
            "select content from raw_evals.contents order by content::text"
        ).fetchall()
    assert len(rows) == 1
    assert rows[0][1:] == (
        9,
        4,
        {"accuracy": "exact"},
        {"tone": "polite"},
        "https://traces.example/1",
    )
    assert kept == [(["7"],), ({"prompt": "What is 3 + 4?"},), ({"prompt": "é"},)]


def test_a_var_of_the_team_has_every_recorder_keep_them(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "vars.yml").write_text("keep_contents: true\n")
    monkeypatch.setenv("EVALMART_CONFIG", str(tmp_path / "team"))
    with Recorder(**ARM, database_url=database_url) as recorder:
        recorder.record(task_id="t", outputs=["7"])
    with connect(database_url) as connection:
        kept = connection.execute("select content from raw_evals.contents").fetchall()
    assert kept == [(["7"],)]


def test_a_score_whose_scale_nobody_declared_is_said_once(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Recorder(**ARM, database_url=database_url) as recorder:
        for score in (1, 5, 3):
            recorder.record(task_id="t", scores={"helpfulness": score})
            recorder.flush()
        recorder.record(task_id="t", scores={"tone": 4}, score_scales={"tone": [1, 5]})
    said = [message for message in caplog.messages if "scale" in message]
    assert len(said) == 1
    assert said[0].startswith("scores.helpfulness lies between 5 and 5, off 0 to 1")
    with connect(database_url) as connection:
        rows = connection.execute(
            "select scores, score_scales from raw_evals.evaluation_runs order by repetition"
        ).fetchall()
    assert rows == [
        ({"helpfulness": 1.0}, {}),
        ({"helpfulness": 5.0}, {"helpfulness": None}),
        ({"helpfulness": 3.0}, {"helpfulness": None}),
        ({"tone": 4.0}, {"tone": [1.0, 5.0]}),
    ]
