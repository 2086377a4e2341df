"""Which feedback counts, what is kept of the rest, and where experiment feedback goes."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from loader.sources.langsmith import LangSmithSource
from loader.sources.langsmith.feedback import compact, judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from langsmith_server import LangSmithServer
    from loader.sources.langsmith import LangSmith

Row = dict[str, Any]


def row(score: object = None, hour: int = 0, **given: object) -> Row:
    return {"id": f"id-{hour}", "key": "k", "score": score, "source": "model",
            "created_at": f"2026-11-01T{hour:02}:00:00.000000+00:00", **given}  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "score", "outcomes"),
    [
        ([row(0.1, 1), row(0.2, 2)], 0.2, ["superseded", "counts"]),
        ([row(0.2, 2), row(0.1, 1)], 0.2, ["superseded", "counts"]),
        ([row(0.9, 1, source="app"), row(0.2, 2)], 0.9, ["counts", "outranked"]),
        ([row(0.2, 1), row(0.9, 2, source="app")], 0.9, ["outranked", "counts"]),
        ([row(0.9, 1, source="app"), row(0.8, 2, source="app")], 0.8, ["superseded", "counts"]),
        ([row(0.2, 1, correction={"score": 1}), row(0.3, 2)], 1, ["counts", "outranked"]),
        ([row(0.2, 1), row(None, 2, source="app", comment="hm")], 0.2, ["counts", "remark"]),
        ([row(0.2, 1), row(None, 2, error=True)], None, ["superseded", "counts"]),
        ([row(0.2, 1), row(1, 2, comparative_experiment_id="c")], 0.2, ["counts", "pairwise"]),
        ([row(0.2, 1, source=None)], 0.2, ["counts"]),
        ([row(score=True, hour=1)], True, ["counts"]),
        ([row(0, 1)], 0, ["counts"]),
        ([row(2.5, 1)], 2.5, ["counts"]),
    ],
)
def test_one_row_of_a_key_counts(rows: list[Row], score: object, outcomes: list[str]) -> None:
    verdict = judge(rows)
    assert verdict.scores == {"k": score}
    assert type(verdict.scores["k"]) is type(score)
    assert [entry["outcome"] for entry in verdict.kept] == outcomes


def test_a_key_with_nothing_but_a_remark_is_no_score() -> None:
    assert judge([row(None, 1, source="app", comment="hm")]).scores == {}


def test_a_preference_between_runs_is_no_score_of_either() -> None:
    verdict = judge([row(1, 1, comparative_experiment_id="c")])
    assert (verdict.scores, dict(verdict.pairwise)) == ({}, {"k": 1})


def test_an_evaluator_applied_anew_outranks_a_model_but_no_human() -> None:
    anew = [{"key": "k", "score": 0.7, "source": "ingest", "evaluator_version": "m:f@1"}]
    verdict = judge([row(0.2, 23)], anew)
    assert (verdict.scores, verdict.versions) == ({"k": 0.7}, {"k": "m:f@1"})
    assert judge([row(0.9, 1, source="app")], anew).scores == {"k": 0.9}


def test_two_rows_of_one_moment_are_decided_the_same_way_every_time() -> None:
    rows = [row(0.1, 1, id="a"), row(0.2, 1, id="b")]
    assert judge(rows).scores == judge(rows[::-1]).scores == {"k": 0.2}


def test_provenance_is_kept_whole() -> None:
    given = {
        "id": "f", "key": "k", "score": None, "value": "good", "comment": "since",
        "correction": {"ground": "truth"}, "run_id": "r", "created_at": "2026-11-01T10:00:00",
        "modified_at": "2026-11-01T12:00:00+02:00", "extra": {"error": True},
        "comparative_experiment_id": None,
        "feedback_source": {
            "type": "model", "user_id": "u",
            "metadata": {"__run": {"run_id": "judge"}, "evaluator_version": 3, "name": "judge-v3"},
        },
    }  # fmt: skip
    assert compact(given) == {
        "id": "f", "key": "k", "score": None, "value": "good", "comment": "since",
        "correction": {"ground": "truth"}, "source": "model", "user_id": "u",
        "judge_run_id": "judge", "evaluator": "judge-v3", "evaluator_version": "3", "error": True,
        "created_at": "2026-11-01T10:00:00.000000+00:00",
        "modified_at": "2026-11-01T10:00:00.000000+00:00",
    }  # fmt: skip


def test_feedback_may_have_no_source() -> None:
    assert compact({"id": "f", "key": "k", "feedback_source": None, "extra": None}) == {
        "id": "f", "key": "k", "score": None
    }  # fmt: skip


def test_every_rule_holds_over_the_wire(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = stand_in.add_session("one")
    run = stand_in.add_run(session, extra={"metadata": {"task_id": "t"}})
    child = stand_in.add_run(session, parent_run_id=run["id"])
    stand_in.add_feedback(run, "accuracy", 0.25)
    stand_in.add_feedback(run, "accuracy", 0.75, about={"evaluator_version": "7"})
    stand_in.add_feedback(run, "tone", value="polite")
    stand_in.add_feedback(run, "broken", extra={"error": True}, comment="ValueError()")
    pair = str(uuid.uuid4())
    stand_in.add_feedback(run, "preferred", 1, comparative_experiment_id=pair)
    stand_in.add_feedback(child, "accuracy", 0)
    stand_in.add_feedback(None, "overall", 0.5, session_id=session["id"])
    source = LangSmithSource(connect_langsmith(), "one")
    (found,) = source.rows()
    assert found.fields is not None
    assert found.fields["scores"] == {"accuracy": 0.75, "broken": None}
    assert found.fields["labels"] == {"tone": "polite"}
    assert found.fields["evaluator_versions"] == {"accuracy": "7"}
    assert len(found.fields["feedback"]) == 5  # type: ignore[arg-type]
    said = source.reference()
    assert said["evaluator_crashes"] == {"broken": 1}
    assert (said["pairwise"], said["feedback_on_other_runs"], said["feedback"]) == (1, 1, 7)
    (summary,) = said["summary_feedback"]  # type: ignore[misc]
    assert (summary["key"], summary["score"]) == ("overall", 0.5)
    assert any("broken 1" in note for note in source.notes())
