"""What a load says of keys and whole arms: written when new or changed, gone with its load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ingest_support import load_records, record, run_load, select
from loader.ingest import retention
from loader.ingest.withdrawals import Slice, find, withdraw, withdraw_runs
from loader.sources import ScoreConfig, SummaryScore
from loader.warehouse.connection import connect
from memory_source import MemorySource

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.newest_server

JUDGE = ScoreConfig("exp-1", "judge", "continuous", 1, 5, "higher")
TONE = ScoreConfig(
    "exp-1", "tone", "categorical", None, None, None, ((1, "polite"), (0, "rude\0"), (0.5, None))
)
OVERALL = SummaryScore(
    "exp-1", "baseline", "1.0.0", "f-1", "pass_rate", 0.75, None, "of four", "evaluator",
    "2026-11-01T10:00:00+00:00",
)  # fmt: skip
SAID = OVERALL._replace(
    feedback_id="f-2", score=None, label="ship it", comment=None, author_kind="person",
    scored_at=None,
)  # fmt: skip
CONFIGS = "select load_id, evaluator_key, scale_max from raw_evals.score_configs order by 1, 2"
SCORES = "select load_id, feedback_id, score from raw_evals.summary_scores order by 1, 2"
TOUCHED = "select load_id from raw_evals.load_experiments order by 1"
OLD = {"recorded_at": "2020-01-01T00:00:00Z"}


class Telling(MemorySource):
    """Records, and what is said beside them."""

    def __init__(
        self,
        records: Sequence[dict[str, object]],
        configs: Sequence[ScoreConfig] = (),
        scores: Sequence[SummaryScore] = (),
    ) -> None:
        super().__init__(records)
        self._configs = configs
        self._scores = scores

    def score_configs(self) -> Sequence[ScoreConfig]:
        return self._configs

    def summary_scores(self) -> Sequence[SummaryScore]:
        return self._scores


def test_what_is_said_is_kept_whole(database_url: str) -> None:
    load_id = run_load(database_url, Telling([record()], [JUDGE, TONE], [OVERALL, SAID])).load_id
    assert select(database_url, "select * from raw_evals.score_configs order by evaluator_key") == [
        (load_id, "exp-1", "judge", "continuous", 1, 5, "higher", None),
        (
            load_id, "exp-1", "tone", "categorical", None, None, None,
            [
                {"value": 1, "label": "polite"}, {"value": 0, "label": "rude\\x00"},
                {"value": 0.5, "label": None},
            ],
        ),
    ]  # fmt: skip
    columns = "score, label, comment, author_kind, scored_at = '2026-11-01 10:00+00'"
    assert select(
        database_url, f"select {columns} from raw_evals.summary_scores order by feedback_id"
    ) == [(0.75, None, "of four", "evaluator", True), (None, "ship it", None, "person", None)]


def test_whole_numbers_may_stand_beside_fractions(database_url: str) -> None:
    """As in any JSON: a report counts and rates, a key is from 1 to 5 and another from 0.5."""
    half = JUDGE._replace(evaluator_key="half", scale_min=0.5, scale_max=2.5)
    count = OVERALL._replace(feedback_id="f-3", evaluator_key="num_correct", score=3)
    run_load(database_url, Telling([record()], [JUDGE, half], [OVERALL, count]))
    ends = "select scale_min, scale_max from raw_evals.score_configs order by evaluator_key"
    assert select(database_url, ends) == [(0.5, 2.5), (1, 5)]
    assert [score for _, _, score in select(database_url, SCORES)] == [0.75, 3]


def test_it_is_written_when_it_is_new_or_has_changed_or_comes_with_runs(database_url: str) -> None:
    whole = Telling([record()], [JUDGE, TONE], [OVERALL, SAID])
    first = run_load(database_url, whole).load_id
    assert run_load(database_url, whole).unchanged == 1
    assert len(select(database_url, CONFIGS)) == len(select(database_url, SCORES)) == 2
    changed = Telling(
        [record()], [JUDGE._replace(scale_max=10), TONE], [OVERALL._replace(score=0.5), SAID]
    )
    second = run_load(database_url, changed)
    assert (second.loaded, second.unchanged) == (0, 1)
    assert select(database_url, CONFIGS)[2:] == [(second.load_id, "judge", 10)]
    assert select(database_url, SCORES)[2:] == [(second.load_id, "f-1", 0.5)]
    # what changed touches the experiment, though no run did
    assert select(database_url, TOUCHED) == [(first,), (second.load_id,)]
    # a load that brings runs says all of it again: it stays when the first load is withdrawn
    more = run_load(database_url, Telling([record(task_id="t-2")], [TONE], [SAID])).load_id
    assert select(database_url, CONFIGS)[3:] == [(more, "tone", None)]
    assert select(database_url, SCORES)[3:] == [(more, "f-2", None)]


def test_what_has_no_runs_has_nothing_said_of_it(database_url: str) -> None:
    other = JUDGE._replace(experiment_id="exp-2")
    arm = OVERALL._replace(experiment_group="code-chef")
    told = Telling([record()], [other], [arm])
    assert run_load(database_url, told).loaded == 1
    refused = Telling([record(), record(success="yes")], [JUDGE], [OVERALL])
    assert run_load(database_url, refused, strict=True).is_refused
    assert not select(database_url, CONFIGS)
    assert not select(database_url, SCORES)


def test_it_goes_with_the_last_run_of_its_experiment(database_url: str) -> None:
    records = [
        record(**OLD), record(experiment_id="exp-2", **OLD),
        record(experiment_id="exp-2", task_id="t-2"),
    ]  # fmt: skip
    second = [JUDGE._replace(experiment_id="exp-2"), OVERALL._replace(experiment_id="exp-2")]
    run_load(database_url, Telling(records, [JUDGE, second[0]], [OVERALL, second[1]]))  # type: ignore[list-item]
    with connect(database_url, autocommit=True) as connection:
        assert list(retention.remove(connection, retention.find(connection, 365), 1))
    for table in ("score_configs", "summary_scores"):
        left = select(database_url, f"select distinct experiment_id from raw_evals.{table}")
        assert left == [("exp-2",)]


def test_what_was_withdrawn_is_said_again_by_the_next_load(database_url: str) -> None:
    told = Telling([record()], [JUDGE], [OVERALL])
    first = run_load(database_url, told).load_id
    load_records(database_url, [record(task_id="t-2")])
    with connect(database_url) as connection:
        withdraw(connection, Slice(load=first), "wrong judge", "me")
    again = run_load(database_url, told).load_id
    assert select(database_url, CONFIGS) == [(first, "judge", 5), (again, "judge", 5)]
    assert select(database_url, SCORES) == [(first, "f-1", 0.75), (again, "f-1", 0.75)]
    # a part of the experiment takes the scores of its arm along, not what keys mean
    with connect(database_url) as connection:
        withdraw(connection, Slice(experiment="exp-1", group="baseline"), "wrong arm", "me")
    run_load(database_url, Telling([record(experiment_group="code-chef")], [JUDGE], [OVERALL]))
    assert len(select(database_url, SCORES)) == 3
    assert len(select(database_url, CONFIGS)) == 3


def test_a_run_that_is_gone_takes_nothing_along_that_is_said_of_the_whole(
    database_url: str,
) -> None:
    told = Telling([record(), record(task_id="t-2")], [JUDGE], [OVERALL])
    run_load(database_url, told)
    [(run_id,)] = select(
        database_url, "select source_run_id from raw_evals.evaluation_runs where task_id = 't-2'"
    )
    with connect(database_url) as connection:
        withdraw_runs(connection, {"exp-1": [str(run_id)]}, "project", "deleted there", None)
    assert run_load(database_url, Telling([record()], [JUDGE], [OVERALL])).unchanged == 1
    assert len(select(database_url, CONFIGS)) == len(select(database_url, SCORES)) == 1


def test_what_is_said_without_a_run_can_be_withdrawn_too(database_url: str) -> None:
    run_load(database_url, Telling([record()]))
    said = run_load(database_url, Telling([record()], [JUDGE])).load_id
    scored = run_load(database_url, Telling([record()], [], [OVERALL])).load_id
    for load_id in (said, scored):
        with connect(database_url) as connection:
            assert find(connection, Slice(load=load_id)).told == {"exp-1"}
